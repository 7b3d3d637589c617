package search

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// place is where in the order of results a page begins: behind a result.
type place struct {
	points int
	pos    store.Pos
}

// The kinds of groups.
const (
	groupNone   = 0
	GroupRoom   = 1
	GroupSender = 2
)

// Group is a group of results: those of a room or of a sender.
type Group struct {
	Kind int // groupNone, GroupRoom or GroupSender
	Name string
}

// token is where a page begins and what it is a page of, see the package's comment.
type token struct {
	upTo  store.Pos
	after place
	group Group
}

const (
	tokenVersion = 1
	hashSize     = 8
	maxToken     = 512
)

func errToken() error {
	return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The next_batch is not of this search")
}

// hashOf is what binds a token to a user and a request, which is given in parts.
func hashOf(user matrix.UserID, parts ...string) []byte {
	h := sha256.New()
	for _, p := range append([]string{string(user)}, parts...) {
		h.Write(binary.AppendUvarint(nil, uint64(len(p))))
		h.Write([]byte(p))
	}
	return h.Sum(nil)[:hashSize]
}

func (t *token) encode(hash []byte) string {
	data := append([]byte{tokenVersion}, hash...)
	for _, v := range []uint64{uint64(t.upTo), uint64(t.after.points), uint64(t.after.pos)} {
		data = binary.AppendUvarint(data, v)
	}
	data = append(append(data, byte(t.group.Kind)), t.group.Name...)
	return base64.RawURLEncoding.EncodeToString(data)
}

func readToken(text string, hash []byte) (*token, error) {
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(text) > maxToken || len(data) < 1+hashSize || data[0] != tokenVersion || string(data[1:1+hashSize]) != string(hash) {
		return nil, errToken()
	}
	r := chunkReader{data: data[1+hashSize:]}
	var v [3]uint64
	for i := range v {
		if v[i], err = r.uvarint(); err != nil {
			return nil, errToken()
		}
	}
	if len(r.data) == 0 || r.data[0] > GroupSender || (r.data[0] == groupNone) != (len(r.data) == 1) || v[1] > uint64(maxTerms*maxPoints) {
		return nil, errToken()
	}
	return &token{store.Pos(v[0]), place{int(v[1]), store.Pos(v[2])}, Group{int(r.data[0]), string(r.data[1:])}}, nil
}

// maxPoints is what one word is worth at most.
const maxPoints = int(maxLevel-levelBody) + 1
