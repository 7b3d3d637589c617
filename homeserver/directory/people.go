package directory

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"
	"unicode/utf8"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
)

const (
	tablePeople      = "person"
	tablePeopleWords = "pword"
	tablePeopleRooms = "proom"
	tableFollowers   = "pfollow"
)

// People finds users: those of this server, and those of others who are in rooms that it knows. An index on disk follows
// the log, so that 50,000 known users cost no memory, and a start costs nothing. Users are known by the words of their
// localpart and display name.
//
// One goroutine, which Close ends, is the only one that writes the index. It keeps in the same change as what it has
// learned up to where it has read the log, so that nothing is lost or done by halves if the server is killed.
type People struct {
	store    *store.Store
	accounts *account.Accounts
	log      *slog.Logger
	folder   folder
	cancel   context.CancelFunc
	done     chan struct{} // closed when the follower has ended
	leisure  store.Leisure

	mu    sync.Mutex    // guards the fields below
	pos   store.Pos     // up to which the index knows the log
	moved chan struct{} // closed and replaced when pos moves
}

// NewPeople starts to follow the log. Close ends it.
func NewPeople(s *store.Store, accounts *account.Accounts, log *slog.Logger) *People {
	ctx, cancel := context.WithCancel(context.Background())
	p := &People{
		store: s, accounts: accounts, log: log, folder: newFolder(), cancel: cancel,
		done: make(chan struct{}), leisure: store.NewLeisure(), moved: make(chan struct{}),
	}
	go p.follow(ctx)
	return p
}

// Close ends the follower and waits for it.
func (p *People) Close() {
	p.cancel()
	<-p.done
}

// person is what the index keeps of a user.
type person struct {
	id           matrix.UserID
	name, avatar string // "" for none
	rooms        int64  // that a user of another server is in
}

func appendPerson(dst []byte, p *person) []byte {
	for _, s := range []string{p.name, p.avatar} {
		dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	}
	return binary.AppendVarint(dst, p.rooms)
}

func readPerson(id matrix.UserID, data []byte) (*person, error) {
	p := &person{id: id}
	rest := data
	for _, s := range []*string{&p.name, &p.avatar} {
		n, w := binary.Uvarint(rest)
		if w <= 0 || n > uint64(len(rest)-w) {
			return nil, fmt.Errorf("reading what is known of %s: %w", id, errMalformed)
		}
		*s, rest = string(rest[w:w+int(n)]), rest[w+int(n):]
	}
	n, w := binary.Varint(rest)
	if w <= 0 || w != len(rest) {
		return nil, fmt.Errorf("reading what is known of %s: %w", id, errMalformed)
	}
	p.rooms = n
	return p, nil
}

// The bounds of the words by which a user is known: names may be made to be found by everything.
const (
	maxWords = 16
	maxWord  = 32 // bytes; what is longer is known by its beginning
)

// wordsOf returns the words by which a user is known, each once, those of the localpart first.
func (f folder) wordsOf(p *person) []string {
	seen := make(map[string]bool)
	var out []string
	for _, text := range []string{p.id.Localpart(), p.name} {
		for _, w := range words(f.fold(text)) {
			if w = cut(w, maxWord); !seen[w] && len(out) < maxWords {
				seen[w] = true
				out = append(out, w)
			}
		}
	}
	return out
}

// cut returns the beginning of s, n bytes at most, in whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func wordKey(word string, user matrix.UserID) []byte {
	return append(append([]byte(word), 0), user...)
}

func personRooms(user matrix.UserID) []byte { return append([]byte(user), 0) }

func personRoom(user matrix.UserID, room store.RoomNum) []byte {
	return binary.BigEndian.AppendUint64(personRooms(user), uint64(room))
}

// edit is a change of the index.
type edit []func(tx *store.Tx)

// put writes what is known of a user over what was known; either may be nil.
func (e *edit) put(f folder, was, is *person) {
	keep := make(map[string]bool)
	if is != nil {
		for _, w := range f.wordsOf(is) {
			keep[w] = true
		}
	}
	var had []string
	if was != nil {
		had = f.wordsOf(was)
	}
	*e = append(*e, func(tx *store.Tx) {
		for _, w := range had {
			if !keep[w] {
				tx.Delete(tablePeopleWords, wordKey(w, was.id))
			}
			delete(keep, w)
		}
		if is == nil {
			if was != nil {
				tx.Delete(tablePeople, []byte(was.id))
			}
			return
		}
		for w := range keep {
			tx.Set(tablePeopleWords, wordKey(w, is.id), []byte{})
		}
		tx.Set(tablePeople, []byte(is.id), appendPerson(nil, is))
	})
}
