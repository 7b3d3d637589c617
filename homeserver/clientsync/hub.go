package clientsync

import (
	"sync"

	"hearth/homeserver/store"
	"hearth/matrix"
)

const (
	maxTail    = 64      // events of a watched room whose places the hub remembers
	maxChanged = 1 << 16 // rooms and users whose last change the hub remembers
	maxWatches = 1 << 13 // users whose rooms the hub remembers
)

// hub knows what changed when, and who waits for it.
type hub struct {
	mu      sync.Mutex // guards everything below
	pos     store.Pos  // everything up to here was taken
	start   store.Pos  // rooms and users has all changes since
	rooms   map[store.RoomNum]store.Pos
	users   map[matrix.UserID]store.Pos
	watches map[matrix.UserID]*watch
	inRoom  map[store.RoomNum]map[*watch]struct{}
	tails   map[store.RoomNum]*tail
	moved   chan struct{} // closed and replaced when pos moves
	typing  typing
	closed  bool
}

// watch is a user who syncs: the rooms that wake the user, and the user's memberships.
type watch struct {
	user    matrix.UserID
	rooms   map[store.RoomNum]struct{}
	wake    chan struct{} // closed and replaced when there may be something new
	waiting int
	changed uint64 // counts membership changes
	// memberships as they were read at the count loaded; nil if they must be read again
	memberships []*store.Membership
}

// tail is the places of a room's newest events, oldest first.
type tail struct {
	from   store.Pos // complete for what was written after from
	places []place
}

type place struct {
	pos   store.Pos
	order store.Order
}

func newHub(pos store.Pos, typingStart uint64) *hub {
	return &hub{
		pos: pos, start: pos,
		rooms:   make(map[store.RoomNum]store.Pos),
		users:   make(map[matrix.UserID]store.Pos),
		watches: make(map[matrix.UserID]*watch),
		inRoom:  make(map[store.RoomNum]map[*watch]struct{}),
		tails:   make(map[store.RoomNum]*tail),
		moved:   make(chan struct{}),
		typing:  typing{seq: typingStart, rooms: make(map[store.RoomNum]*typingRoom)},
	}
}

func (h *hub) position() store.Pos {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pos
}

// at returns the hub's position and a channel that is closed when it moves.
func (h *hub) at() (store.Pos, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pos, h.moved
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.closed = true
	h.typing.stop()
	for _, w := range h.watches {
		close(w.wake)
		w.wake = make(chan struct{})
	}
}

// take follows notes.
func (h *hub) take(notes []store.Note) {
	h.mu.Lock()
	defer h.mu.Unlock()
	woken := make(map[*watch]struct{})
	for i := range notes {
		h.note(&notes[i], woken)
	}
	h.pos = notes[len(notes)-1].Pos
	if len(h.rooms) > maxChanged || len(h.users) > maxChanged {
		clear(h.rooms)
		clear(h.users)
		h.start = h.pos
	}
	close(h.moved)
	h.moved = make(chan struct{})
	for w := range woken {
		w.rouse()
	}
}

func (w *watch) rouse() {
	if w.waiting == 0 {
		return
	}
	close(w.wake)
	w.wake = make(chan struct{})
}

func (h *hub) note(n *store.Note, woken map[*watch]struct{}) {
	switch n.Kind {
	case store.KindEvent:
		h.event(n, woken)
		h.roomChanged(n, woken)
	case store.KindRedacted, store.KindReceipt:
		h.roomChanged(n, woken)
	case store.KindAccountData, store.KindPushRules, store.KindToDevice, store.KindDevices, store.KindForgotten:
		h.userChanged(n.User, n.Pos, n.Kind == store.KindForgotten, woken)
		if n.Kind == store.KindAccountData && n.Room != 0 {
			h.rooms[n.Room] = n.Pos
		}
	}
}

func (h *hub) roomChanged(n *store.Note, woken map[*watch]struct{}) {
	h.rooms[n.Room] = n.Pos
	for w := range h.inRoom[n.Room] {
		woken[w] = struct{}{}
	}
}

func (h *hub) userChanged(user matrix.UserID, pos store.Pos, membership bool, woken map[*watch]struct{}) {
	h.users[user] = pos
	if w := h.watches[user]; w != nil {
		woken[w] = struct{}{}
		if membership {
			w.changed++
			w.memberships = nil
		}
	}
}

// event adds an event to the room's tail and follows who is in the room.
func (h *hub) event(n *store.Note, woken map[*watch]struct{}) {
	if t := h.tails[n.Room]; t != nil {
		if len(t.places) == maxTail {
			half := maxTail / 2
			t.from = t.places[half-1].pos
			t.places = append(t.places[:0], t.places[half:]...)
		}
		t.places = append(t.places, place{n.Pos, n.Order})
	}
	e := n.Event
	if e == nil || e.Type != "m.room.member" || e.StateKey == nil || !e.Visible() {
		return
	}
	user := matrix.UserID(*e.StateKey)
	h.userChanged(user, n.Pos, true, woken)
	w := h.watches[user]
	if w == nil {
		return
	}
	if e.Membership() == "join" {
		h.enter(w, n.Room)
		return
	}
	delete(w.rooms, n.Room)
	h.exit(w, n.Room)
}

func (h *hub) enter(w *watch, room store.RoomNum) {
	w.rooms[room] = struct{}{}
	in := h.inRoom[room]
	if in == nil {
		in = make(map[*watch]struct{})
		h.inRoom[room] = in
		h.tails[room] = &tail{from: h.pos}
	}
	in[w] = struct{}{}
}

func (h *hub) exit(w *watch, room store.RoomNum) {
	in := h.inRoom[room]
	delete(in, w)
	if len(in) == 0 {
		delete(h.inRoom, room)
		delete(h.tails, room)
	}
}

// watched returns the user's watch, nil if there is none.
func (h *hub) watched(user matrix.UserID) (w *watch, memberships []*store.Membership, changed uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w = h.watches[user]; w == nil {
		return nil, nil, 0
	}
	return w, w.memberships, w.changed
}

// watch begins to watch for a user, or keeps what was read of a user who is watched already. Memberships that have
// changed since changed are not kept.
func (h *hub) watch(user matrix.UserID) (w *watch, changed uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w = h.watches[user]
	if w == nil {
		if len(h.watches) >= maxWatches {
			h.unwatch()
		}
		w = &watch{user: user, rooms: make(map[store.RoomNum]struct{}), wake: make(chan struct{})}
		h.watches[user] = w
	}
	return w, w.changed
}

// keep stores memberships that were read while the count was changed.
func (h *hub) keep(w *watch, memberships []*store.Membership, changed uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.changed != changed || h.watches[w.user] != w {
		return
	}
	w.memberships = memberships
	for _, m := range memberships {
		if m.Membership == "join" {
			if _, ok := w.rooms[m.Room]; !ok {
				h.enter(w, m.Room)
			}
		}
	}
}

// unwatch forgets one user who does not wait at the moment. Called with the lock held.
func (h *hub) unwatch() {
	for user, w := range h.watches {
		if w.waiting > 0 {
			continue
		}
		for room := range w.rooms {
			h.exit(w, room)
		}
		delete(h.watches, user)
		return
	}
}

// roomSince reports whether a room may have changed after pos.
func (h *hub) roomSince(room store.RoomNum, pos store.Pos) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return pos < h.start || h.rooms[room] > pos
}

// userSince reports whether what belongs to a user may have changed after pos.
func (h *hub) userSince(user matrix.UserID, pos store.Pos) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return pos < h.start || h.users[user] > pos
}

// newest returns the orders of a room's events that were written after since and up to now, oldest first, if the
// hub knows them all.
func (h *hub) newest(room store.RoomNum, since, now store.Pos) (orders []store.Order, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tails[room]
	if t == nil || t.from > since {
		return nil, false
	}
	i := len(t.places)
	for i > 0 && t.places[i-1].pos > since {
		i--
	}
	for ; i < len(t.places) && t.places[i].pos <= now; i++ {
		orders = append(orders, t.places[i].order)
	}
	return orders, true
}

// await returns a channel that is closed when something may be new for w since position pos and typing change
// seq; it is closed already if that is so. The caller calls done.
func (h *hub) await(w *watch, pos store.Pos, seq uint64) (wake <-chan struct{}, done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.newsFor(w, pos, seq) {
		now := make(chan struct{})
		close(now)
		return now, func() {}
	}
	w.waiting++
	return w.wake, func() {
		h.mu.Lock()
		w.waiting--
		h.mu.Unlock()
	}
}

func (h *hub) newsFor(w *watch, pos store.Pos, seq uint64) bool {
	if h.users[w.user] > pos {
		return true
	}
	if h.pos == pos && h.typing.seq == seq {
		return false
	}
	for room := range w.rooms {
		if h.rooms[room] > pos || h.typing.changed(room) > seq {
			return true
		}
	}
	return false
}
