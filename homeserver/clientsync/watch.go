package clientsync

import (
	"hearth/homeserver/store"
	"hearth/matrix"
)

const (
	maxWatches     = 1 << 12 // users whom the hub watches for although they do not sync at the moment
	maxMemberships = 1 << 15 // memberships that it knows for them
)

// watch is a user who syncs: the rooms that wake the user, and the user's memberships. The hub's lock guards it.
type watch struct {
	user     matrix.UserID
	uses     int // requests that hold it; it is forgotten only while it is 0
	rooms    map[store.RoomNum]struct{}
	wake     chan struct{} // closed and replaced when there may be something new
	waiting  int
	entered  bool      // rooms has all rooms of the user
	presence uint64    // the number of a change of presence that wakes the user
	devices  store.Pos // the position of a change of devices that does
	woken    bool      // while notes are taken: wake will be closed
	changed  uint64    // counts membership changes
	// memberships as they were read, of all the user's rooms, not to be changed; newest is the highest position
	// among them. known is false if they must be read anew.
	memberships []*store.Membership
	newest      store.Pos
	known       bool
}

func (w *watch) rouse() {
	if w.waiting > 0 {
		close(w.wake)
		w.wake = make(chan struct{})
	}
}

// acquire returns the watch of a user, whom the hub watches from now on at the latest. The caller releases it.
func (h *hub) acquire(user matrix.UserID) *watch {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.watches[user]
	if w == nil {
		w = &watch{user: user, rooms: make(map[store.RoomNum]struct{}), wake: make(chan struct{})}
		h.watches[user] = w
	}
	w.uses++
	return w
}

// release gives a watch back. It is kept for the user's next request, unless there are too many.
func (h *hub) release(w *watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.uses--
	for len(h.watches) > maxWatches || h.weight > maxMemberships {
		if !h.unwatch() {
			return
		}
	}
}

// unwatch forgets one user who does not sync at the moment. Called with the lock held.
func (h *hub) unwatch() bool {
	for user, w := range h.watches {
		if w.uses > 0 {
			continue
		}
		for room := range w.rooms {
			h.exit(w, room)
		}
		h.weight -= len(w.memberships)
		delete(h.watches, user)
		return true
	}
	return false
}

// standing is what a watch knows at one moment.
type standing struct {
	pos         store.Pos
	typing      uint64
	memberships []*store.Membership // as of pos, unless newest is above it
	newest      store.Pos
	known       bool
	entered     bool
	changed     uint64
}

func (h *hub) standing(w *watch) standing {
	h.mu.Lock()
	defer h.mu.Unlock()
	return standing{h.pos, h.typing.seq, w.memberships, w.newest, w.known, w.entered, w.changed}
}

// keep stores memberships that were read while the count was changed.
func (h *hub) keep(w *watch, memberships []*store.Membership, changed uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.changed != changed {
		return
	}
	h.weight += len(memberships) - len(w.memberships)
	w.memberships, w.known, w.entered, w.newest = memberships, true, true, 0
	for _, m := range memberships {
		w.newest = max(w.newest, m.Pos)
		if m.Membership == "join" {
			h.enter(w, m.Room, h.pos)
		}
	}
}

// memberChanged makes the memberships of a user be read again. Called with the lock held.
func (h *hub) memberChanged(user matrix.UserID) {
	if w := h.watches[user]; w != nil {
		w.changed++
		w.known = false
	}
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
	if h.pos == pos && h.typing.seq == seq {
		return false
	}
	if pos < h.start || h.users[w.user] > pos || w.presence > seq || w.devices > pos {
		return true
	}
	for room := range w.rooms {
		if c := h.changes[room]; c.events > pos || c.receipts > pos || h.typing.changed(room) > seq {
			return true
		}
	}
	return false
}

// watchedRoom is a room that a watched user is in: who, and the places of its newest events.
type watchedRoom struct {
	watches map[*watch]struct{}
	from    store.Pos // places has all that was written after from
	places  []place   // oldest first
}

type place struct {
	pos   store.Pos
	order store.Order
}

const maxTail = 64 // events of a watched room whose places the hub remembers

func (r *watchedRoom) add(n *store.Note) {
	if len(r.places) == maxTail {
		const half = maxTail / 2
		r.from = r.places[half-1].pos
		r.places = append(r.places[:0], r.places[half:]...)
	}
	r.places = append(r.places, place{n.Pos, n.Order})
}

// enter lets a room wake w. If nobody watched the room before, what the hub knows of it begins after from.
func (h *hub) enter(w *watch, room store.RoomNum, from store.Pos) {
	w.rooms[room] = struct{}{}
	r := h.rooms[room]
	if r == nil {
		r = &watchedRoom{watches: make(map[*watch]struct{}), from: from}
		h.rooms[room] = r
	}
	r.watches[w] = struct{}{}
}

func (h *hub) exit(w *watch, room store.RoomNum) {
	delete(w.rooms, room)
	r := h.rooms[room]
	if r == nil {
		return
	}
	delete(r.watches, w)
	if len(r.watches) == 0 {
		delete(h.rooms, room)
	}
}

// newest returns the orders of a room's events that were written after since and up to now, oldest first, if the
// hub knows them all.
func (h *hub) newest(room store.RoomNum, since, now store.Pos) (orders []store.Order, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[room]
	if r == nil || r.from > since {
		return nil, false
	}
	i := len(r.places)
	for i > 0 && r.places[i-1].pos > since {
		i--
	}
	for ; i < len(r.places) && r.places[i].pos <= now; i++ {
		orders = append(orders, r.places[i].order)
	}
	return orders, true
}
