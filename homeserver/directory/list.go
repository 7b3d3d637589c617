package directory

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// shelf is the list of published rooms in memory, the largest first. It catches up with the log when somebody reads it:
// as long as nobody does it costs nothing. It takes 16 bytes a room and, up to maxShelf, what is said of the rooms; of
// yet more rooms that is read whenever it is needed.
type shelf struct {
	turn       chan struct{} // capacity 1: what is in it has the turn, and with it the fields below
	generation uint64        // of the store, when the shelf was made
	pos        store.Pos     // up to which it knows the log; 0 before it is made
	rooms      map[store.RoomNum]*shelved
	used       int        // bytes of what is said of rooms
	sorted     []*shelved // never changed once made; nil if it must be made anew
}

// maxShelf bounds what is kept of rooms, in bytes, and maxBehind how far the shelf may be behind the log, in notes,
// before it is made anew.
const (
	maxShelf  = 8 << 20
	maxBehind = 65536
)

// shelved is a room on the shelf. It is not changed but replaced.
type shelved struct {
	room     store.RoomNum
	joined   int64
	networks []string
	changed  store.Pos // of the room as the summary says it
	summary  *Summary  // nil if it does not fit
	text     string    // in which is searched, folded
}

func newShelf() shelf { return shelf{turn: make(chan struct{}, 1)} }

// shelf returns the published rooms as of now, the largest first.
func (d *Directory) shelved(ctx context.Context) ([]*shelved, error) {
	s := &d.shelf
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now, generation := d.store.Durable(), d.store.Generation()
	if s.pos == 0 || s.generation != generation || now-s.pos > maxBehind {
		if err := d.fillShelf(ctx); err != nil {
			return nil, err
		}
		s.pos, s.generation = now, generation
	}
	if err := d.catchUp(ctx, now); err != nil {
		return nil, err
	}
	if s.sorted == nil {
		s.sorted = make([]*shelved, 0, len(s.rooms))
		for _, r := range s.rooms {
			s.sorted = append(s.sorted, r)
		}
		slices.SortFunc(s.sorted, func(a, b *shelved) int { return compareShelved(a, b.joined, b.room) })
	}
	return s.sorted, nil
}

func compareShelved(a *shelved, joined int64, room store.RoomNum) int {
	return cmp.Or(cmp.Compare(joined, a.joined), cmp.Compare(a.room, room))
}

// fillShelf makes the shelf anew. Called with its turn.
func (d *Directory) fillShelf(ctx context.Context) error {
	s := &d.shelf
	s.rooms, s.used, s.sorted, s.pos = make(map[store.RoomNum]*shelved), 0, nil, 0
	networks := make(map[store.RoomNum][]string)
	var nums []store.RoomNum
	for l, err := range d.published(ctx) {
		if err != nil {
			return err
		}
		if networks[l.room] == nil {
			nums = append(nums, l.room)
		}
		networks[l.room] = append(networks[l.room], l.network)
	}
	for page := range slices.Chunk(nums, 256) {
		rooms, err := d.store.RoomsByNum(ctx, page...)
		if err != nil {
			return err
		}
		for i, room := range rooms {
			if err := d.shelve(ctx, room, page[i], networks[page[i]], true); err != nil {
				return err
			}
		}
	}
	return nil
}

// shelve puts a room, nil if it is not known, in its place on the shelf, or takes it off. fresh reads again what is said
// of it even if its state did not change. Called with the shelf's turn.
func (d *Directory) shelve(ctx context.Context, room *store.Room, num store.RoomNum, networks []string, fresh bool) error {
	s := &d.shelf
	old := s.rooms[num]
	if room == nil || room.Deleted || len(networks) == 0 {
		if old != nil {
			s.used -= old.size()
			delete(s.rooms, num)
			s.sorted = nil
		}
		return nil
	}
	r := &shelved{room: num, joined: room.Joined, networks: networks, changed: room.Changed}
	if old != nil {
		s.used -= old.size()
	}
	if old != nil && !fresh && old.changed == room.Changed && old.summary != nil {
		r.summary, r.text = old.summary, old.text
	} else {
		summary, err := d.Summary(ctx, room)
		if blob.KindOf(err) == blob.Corrupt {
			return d.shelve(ctx, nil, num, nil, false) // one damaged room must not hide the others
		}
		if err != nil {
			if old != nil {
				s.used += old.size() // it stays
			}
			return err
		}
		r.summary, r.text = summary, d.searched(summary)
	}
	if s.used+r.size() > maxShelf {
		r.summary, r.text = nil, ""
	}
	s.used += r.size()
	s.rooms[num], s.sorted = r, nil
	return nil
}

func (r *shelved) size() int {
	if r.summary == nil {
		return 0
	}
	return r.summary.size() + len(r.text)
}

// searched returns the text of a summary in which is searched.
func (d *Directory) searched(s *Summary) string {
	return d.folder.fold(s.Name + "\n" + s.Topic + "\n" + s.Alias)
}

// catchUp brings the shelf up to a position of the log. Called with its turn.
func (d *Directory) catchUp(ctx context.Context, now store.Pos) error {
	s := &d.shelf
	for s.pos < now {
		notes, err := d.store.Follow(ctx, s.pos)
		if err != nil {
			return fmt.Errorf("following the log: %w", err)
		}
		news := make(map[store.RoomNum]roomNews)
		for i := range notes {
			n := &notes[i]
			if n.Room != 0 && (n.Kind == store.KindPublished || s.rooms[n.Room] != nil) {
				had := news[n.Room]
				news[n.Room] = roomNews{had.state || n.Kind == store.KindRedacted, had.list || n.Kind == store.KindPublished}
			}
		}
		if err := d.reshelve(ctx, news); err != nil {
			s.pos = 0 // what was put already may be of later notes
			return err
		}
		s.pos = notes[len(notes)-1].Pos
	}
	return nil
}

// roomNews is what of a room is to be read again beside its number of members.
type roomNews struct {
	state bool // though the position of its newest state event has not changed
	list  bool // which networks list it
}

func (d *Directory) reshelve(ctx context.Context, news map[store.RoomNum]roomNews) error {
	networks := make(map[store.RoomNum][]string)
	var nums []store.RoomNum
	scan := false
	for num, n := range news {
		nums, scan = append(nums, num), scan || n.list
		if old := d.shelf.rooms[num]; old != nil && !n.list {
			networks[num] = old.networks
		}
	}
	if scan {
		for l, err := range d.published(ctx) {
			if err != nil {
				return err
			}
			if news[l.room].list {
				networks[l.room] = append(networks[l.room], l.network)
			}
		}
	}
	rooms, err := d.store.RoomsByNum(ctx, nums...)
	if err != nil {
		return err
	}
	for i, room := range rooms {
		if err := d.shelve(ctx, room, nums[i], networks[nums[i]], news[nums[i]].state); err != nil {
			return err
		}
	}
	return nil
}

// ListRequest asks for a page of the published rooms.
// spec: client-server-api#post_matrixclientv3publicrooms
type ListRequest struct {
	Network string
	All     bool      // of all networks
	Search  string    // a part of the name, topic or alias; "" is any
	Types   []*string // room types, nil in it for rooms without one; empty is any
	Since   string    // a token; "" is the beginning
	Limit   int
}

// List is a page of the published rooms.
type List struct {
	Rooms      []*Summary
	Next, Prev string // tokens, "" if there is no such page
	Total      int    // rooms that the request selects
}

// List returns a page of the published rooms that somebody outside can do something with, the largest first.
func (d *Directory) List(ctx context.Context, q ListRequest) (*List, error) {
	at, err := parseListToken(q.Since)
	if err != nil {
		return nil, err
	}
	all, err := d.shelved(ctx)
	if err != nil {
		return nil, err
	}
	q.Search = d.folder.fold(strings.TrimSpace(q.Search))
	var picked []*shelved
	for _, r := range all {
		ok, err := d.selects(ctx, &q, r)
		if err != nil {
			return nil, err
		}
		if ok {
			picked = append(picked, r)
		}
	}
	out := &List{Total: len(picked)}
	from, to := at.window(picked, q.Limit)
	for _, r := range picked[from:to] {
		s, err := d.summaryOf(ctx, r)
		if err != nil {
			return nil, err
		}
		if s != nil {
			out.Rooms = append(out.Rooms, s)
		}
	}
	if to < len(picked) && to > from {
		out.Next = listToken{'n', picked[to-1].joined, picked[to-1].room}.String()
	}
	if from > 0 && to > from {
		out.Prev = listToken{'p', picked[from].joined, picked[from].room}.String()
	}
	return out, nil
}

// summaryOf returns what is said of a room on the shelf, nil if it is gone.
func (d *Directory) summaryOf(ctx context.Context, r *shelved) (*Summary, error) {
	if r.summary != nil {
		s := *r.summary
		s.Joined = r.joined
		return &s, nil
	}
	rooms, err := d.store.RoomsByNum(ctx, r.room)
	if err != nil || rooms[0] == nil || rooms[0].Deleted {
		return nil, err
	}
	return d.Summary(ctx, rooms[0])
}

func (q *ListRequest) wants(networks []string) bool {
	return q.All || slices.Contains(networks, q.Network)
}

func (d *Directory) selects(ctx context.Context, q *ListRequest, r *shelved) (bool, error) {
	if r.joined == 0 || !q.wants(r.networks) {
		return false, nil
	}
	s, text := r.summary, r.text
	if s == nil {
		var err error
		if s, err = d.summaryOf(ctx, r); err != nil || s == nil {
			return false, err
		}
		text = d.searched(s)
	}
	return s.listed() && q.selectsType(s.Type) && strings.Contains(text, q.Search), nil
}

// listed reports whether it makes sense to show a published room: to those who cannot join, ask or read, it does not.
// spec: client-server-api#published-room-directory
func (s *Summary) listed() bool { return s.open() || s.restricted() }

func (q *ListRequest) selectsType(typ string) bool {
	return len(q.Types) == 0 || slices.ContainsFunc(q.Types, func(t *string) bool {
		return t == nil && typ == "" || t != nil && typ != "" && *t == typ
	})
}

// listToken is where a page of the list begins or ends: beside a room that had so many members.
type listToken struct {
	direction byte // 'n' for what follows it, 'p' for what is before it, 0 for the beginning
	joined    int64
	room      store.RoomNum
}

func (t listToken) String() string {
	return string(t.direction) + strconv.FormatInt(t.joined, 10) + "_" + strconv.FormatUint(uint64(t.room), 10)
}

func parseListToken(s string) (listToken, error) {
	if s == "" {
		return listToken{}, nil
	}
	joined, room, ok := strings.Cut(s[1:], "_")
	n, err := strconv.ParseInt(joined, 10, 64)
	num, numErr := strconv.ParseUint(room, 10, 64)
	if s[0] != 'n' && s[0] != 'p' || !ok || err != nil || numErr != nil {
		return listToken{}, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The token since was not made by this server")
	}
	return listToken{s[0], n, store.RoomNum(num)}, nil
}

// window returns which of the rooms are the page at the token.
func (t listToken) window(rooms []*shelved, limit int) (from, to int) {
	if t.direction == 0 {
		return 0, min(limit, len(rooms))
	}
	i, found := slices.BinarySearchFunc(rooms, t, func(r *shelved, t listToken) int { return compareShelved(r, t.joined, t.room) })
	if t.direction == 'p' {
		return max(0, i-limit), i
	}
	if found {
		i++
	}
	return i, min(i+limit, len(rooms))
}
