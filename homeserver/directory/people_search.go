package directory

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

// Person is a user whom a search found.
type Person struct {
	ID           matrix.UserID
	Name, Avatar string // "" for none
}

// Search is what somebody asks for.
type Search struct {
	User  matrix.UserID // who searches
	Term  string
	Limit int
	All   bool // all users of this server are found, not only those whom the user may know from rooms
}

// The bounds of a search.
const (
	maxSearchWords = 8
	maxCandidates  = 2000 // users whose words begin as one of the term does
	maxSightings   = 2000 // rooms looked at to find out who may be shown
)

// Search finds users by the beginnings of words of their localparts and display names, the best first, and reports
// whether there are more than the limit. A term that begins with @ is a user id, or the beginning of one.
//
// It finds who shares a room with the user, or is in one that everybody may join or read, or, if All is set, is of this
// server. It does not find the user, whom the user ignores, and who cannot be spoken to: locked and deactivated users.
// spec: client-server-api#post_matrixclientv3user_directorysearch
func (p *People) Search(ctx context.Context, q Search) (found []Person, limited bool, err error) {
	if err := p.waitAWhile(ctx); err != nil {
		return nil, false, err
	}
	t := p.folder.readTerm(q.Term)
	if len(t.words) == 0 {
		return nil, false, nil
	}
	candidates, err := p.candidates(ctx, t.rarest())
	if err != nil {
		return nil, false, err
	}
	ranked := p.rank(t, candidates)
	ignored, err := p.accounts.Ignored(ctx, q.User)
	if err != nil {
		return nil, false, err
	}
	s := sight{p: p, q: &q, mine: make(map[store.RoomNum]bool), open: make(map[store.RoomNum]bool)}
	for _, c := range ranked {
		if c.id == q.User || ignored.Has(c.id) {
			continue
		}
		ok, err := s.shows(ctx, c.id)
		if err != nil {
			return nil, false, err
		}
		if !ok {
			continue
		}
		if len(found) == q.Limit {
			return found, true, nil
		}
		found = append(found, Person{c.id, c.name, c.avatar})
	}
	return found, len(candidates) == maxCandidates, nil
}

// searchPatience is how long a search waits for the index to know what is in the log. If it cannot be written, because
// the disk is full, say, what it knows has to do.
const searchPatience = 2 * time.Second

func (p *People) waitAWhile(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, searchPatience)
	defer cancel()
	if err := p.wait(patience); err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return nil
}

// term is what is searched for, folded.
type term struct {
	words  []string
	server string // the beginning of the server's name
	whole  string // the localpart or name as a whole
}

func (f folder) readTerm(text string) term {
	text = strings.TrimSpace(text)
	var t term
	if id, ok := strings.CutPrefix(text, "@"); ok {
		text, t.server, _ = strings.Cut(id, ":")
	}
	t.whole = f.fold(text)
	t.words = words(t.whole)
	t.words = t.words[:min(len(t.words), maxSearchWords)]
	for i, w := range t.words {
		t.words[i] = cut(w, maxWord)
	}
	return t
}

// rarest returns the word that fewest users have, by a guess: the longest.
func (t term) rarest() string {
	return slices.MaxFunc(t.words, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
}

// candidates returns the users of whom a word begins with this one, those first who have it as it is.
func (p *People) candidates(ctx context.Context, word string) ([]*person, error) {
	seen := make(map[matrix.UserID]bool)
	var ids []matrix.UserID
	for row, err := range p.store.Scan(ctx, blob.Prefix(tablePeopleWords, []byte(word))) {
		if err != nil {
			return nil, fmt.Errorf("searching users: %w", err)
		}
		_, id, _ := bytes.Cut(row.Key, []byte{0})
		if user := matrix.UserID(id); !seen[user] {
			seen[user] = true
			ids = append(ids, user)
		}
		if len(ids) == maxCandidates {
			break
		}
	}
	return p.known(ctx, ids...)
}

type candidate struct {
	*person
	score int
}

// rank returns those candidates whom the term means, the best first: whose whole name it is, then who has its words
// whole, then of whom more is known.
func (p *People) rank(t term, people []*person) []candidate {
	var out []candidate
	for _, c := range people {
		if c == nil || !strings.HasPrefix(string(c.id.Server()), t.server) {
			continue
		}
		if score, ok := p.folder.score(t, c); ok {
			out = append(out, candidate{c, score})
		}
	}
	slices.SortFunc(out, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), strings.Compare(string(a.id), string(b.id)))
	})
	return out
}

// score says how well a term fits a user; ok is false if a word of it begins none of the user's.
func (f folder) score(t term, c *person) (score int, ok bool) {
	have := f.wordsOf(c)
	for _, w := range t.words {
		if !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, w) }) {
			return 0, false
		}
		if slices.Contains(have, w) {
			score += 4
		}
	}
	for _, whole := range []string{c.id.Localpart(), c.name} {
		if f.fold(whole) == t.whole {
			score += 20
		}
	}
	for _, known := range []string{c.name, c.avatar} {
		if known != "" {
			score++
		}
	}
	return score, true
}

// sight decides for one search who may be shown.
type sight struct {
	p        *People
	q        *Search
	mine     map[store.RoomNum]bool // the rooms of who searches
	open     map[store.RoomNum]bool // rooms that were looked at: whether everybody may join or read them
	prepared bool
	looked   int
}

func (s *sight) shows(ctx context.Context, id matrix.UserID) (bool, error) {
	if id.Server() == s.p.accounts.Server() {
		u, err := s.p.accounts.User(ctx, id)
		if err != nil || u == nil || u.Locked || u.Deactivated {
			return false, err
		}
		if s.q.All {
			return true, nil
		}
	}
	return s.meets(ctx, id)
}

// meets reports whether who searches may know a user from a room.
func (s *sight) meets(ctx context.Context, id matrix.UserID) (bool, error) {
	if !s.prepared {
		rooms, err := s.p.roomsOf(ctx, s.q.User)
		if err != nil {
			return false, err
		}
		for _, room := range rooms {
			s.mine[room] = true
		}
		s.prepared = true
	}
	rooms, err := s.p.roomsOf(ctx, id)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(rooms, func(room store.RoomNum) bool { return s.mine[room] }) {
		return true, nil
	}
	for _, room := range rooms {
		if ok, err := s.isOpen(ctx, room); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// isOpen reports whether everybody may join or read a room. After very many rooms it looks no further.
func (s *sight) isOpen(ctx context.Context, num store.RoomNum) (bool, error) {
	open, ok := s.open[num]
	if ok || s.looked == maxSightings {
		return open, nil
	}
	s.looked++
	rooms, err := s.p.store.RoomsByNum(ctx, num)
	if err != nil || rooms[0] == nil || rooms[0].Deleted {
		return false, err
	}
	state, err := s.p.store.StateEvents(ctx, num, rooms[0].State, event.Key{Type: event.TypeJoinRules}, event.Key{Type: event.TypeHistoryVisibility})
	if blob.KindOf(err) == blob.Corrupt {
		s.open[num] = false // one damaged room must not hide all users
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if state[1] != nil {
		v, _ := matrix.StringField(state[1].Content, "history_visibility")
		open = v == "world_readable"
	}
	open = open || state[0] != nil && state[0].JoinRule() == event.JoinPublic
	s.open[num] = open
	return open, nil
}

// roomsOf returns the rooms that a user is in, as far as they are known, maxSightings at most.
func (p *People) roomsOf(ctx context.Context, id matrix.UserID) ([]store.RoomNum, error) {
	var out []store.RoomNum
	if id.Server() == p.accounts.Server() {
		for m, err := range p.store.Memberships(ctx, id) {
			if err != nil {
				return nil, err
			}
			if m.Membership == event.Join {
				out = append(out, m.Room)
			}
			if len(out) == maxSightings {
				break
			}
		}
		return out, nil
	}
	prefix := personRooms(id)
	for row, err := range p.store.Scan(ctx, blob.Prefix(tablePeopleRooms, prefix)) {
		if err == nil && len(row.Key) != len(prefix)+8 {
			err = errMalformed
		}
		if err != nil {
			return nil, fmt.Errorf("reading the rooms of %s: %w", id, err)
		}
		if out = append(out, store.RoomNum(binary.BigEndian.Uint64(row.Key[len(prefix):]))); len(out) == maxSightings {
			break
		}
	}
	return out, nil
}
