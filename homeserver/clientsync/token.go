package clientsync

import (
	"net/http"
	"strconv"
	"strings"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// token is where a client is.
type token struct {
	pos    store.Pos
	typing uint64
	device store.Pos // messages to the device were delivered up to here; pos unless some are left
}

func (t token) String() string {
	b := append(make([]byte, 0, 48), 's')
	b = append(strconv.AppendUint(b, uint64(t.pos), 10), '_')
	b = strconv.AppendUint(b, t.typing, 10)
	if t.device != t.pos {
		b = strconv.AppendUint(append(b, '_'), uint64(t.device), 10)
	}
	return string(b)
}

func errToken() error {
	return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "since was not made by this server")
}

func parseToken(s string) (t token, err error) {
	rest, ok := strings.CutPrefix(s, "s")
	parts := strings.SplitN(rest, "_", 4)
	if !ok || len(parts) < 2 || len(parts) > 3 {
		return t, errToken()
	}
	var n [3]uint64
	for i, p := range parts {
		if n[i], err = strconv.ParseUint(p, 10, 64); err != nil || p[0] == '+' {
			return t, errToken()
		}
	}
	t = token{store.Pos(n[0]), n[1], store.Pos(n[0])}
	if len(parts) == 3 {
		t.device = store.Pos(n[2])
	}
	if t.device > t.pos {
		return t, errToken()
	}
	return t, nil
}
