package clientsync

import (
	"sync"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// maxChanged is of how many rooms, and of how many users, the hub remembers the last change.
const maxChanged = 1 << 16

// hub knows what changed when, and who waits for it.
type hub struct {
	mu        sync.Mutex // guards everything below
	pos       store.Pos  // everything up to here was taken
	start     store.Pos  // changes and users have all that changed since
	changes   map[store.RoomNum]change
	users     map[matrix.UserID]store.Pos
	watches   map[matrix.UserID]*watch
	weight    int // memberships that the watches hold together
	rooms     map[store.RoomNum]*watchedRoom
	moved     chan struct{} // closed and replaced when pos moves, closed for good by close
	typing    typing
	presences presences
	fellows   fellows
	devices   store.Pos // the last change of anybody's devices that was seen
	closed    bool
}

// change is when something of a room changed last.
type change struct {
	events   store.Pos // an event came or was redacted
	receipts store.Pos
}

func newHub(pos store.Pos, typingStart uint64) *hub {
	return &hub{
		pos: pos, start: pos,
		changes: make(map[store.RoomNum]change),
		users:   make(map[matrix.UserID]store.Pos),
		watches: make(map[matrix.UserID]*watch),
		rooms:   make(map[store.RoomNum]*watchedRoom),
		moved:   make(chan struct{}),
		typing:  typing{seq: typingStart, rooms: make(map[store.RoomNum]*typingRoom)},
		presences: presences{
			last: make(map[matrix.UserID]lastPresence), floor: typingStart,
		},
		fellows: fellows{due: make(map[matrix.UserID]store.Pos), poke: make(chan struct{}, 1)},
	}
}

func (h *hub) position() store.Pos {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pos
}

// at returns the hub's position, a channel that is closed when it moves, and whether it never will any more.
func (h *hub) at() (pos store.Pos, moved <-chan struct{}, closed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pos, h.moved, h.closed
}

func (h *hub) isClosed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

// close wakes everybody for good and stops the clocks of who types.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.closed = true
	h.typing.stop()
	close(h.moved)
	for _, w := range h.watches {
		w.rouse()
	}
}

// take follows notes.
func (h *hub) take(notes []store.Note) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	var woken []*watch
	for i := range notes {
		woken = h.note(&notes[i], woken)
	}
	h.pos = notes[len(notes)-1].Pos
	if len(h.changes) > maxChanged || len(h.users) > maxChanged {
		clear(h.changes)
		clear(h.users)
		h.start = h.pos
	}
	close(h.moved)
	h.moved = make(chan struct{})
	for _, w := range woken {
		w.woken = false
		w.rouse()
	}
}

// note follows one note and adds those whom it wakes.
func (h *hub) note(n *store.Note, woken []*watch) []*watch {
	switch n.Kind {
	case store.KindEvent:
		if n.Order <= 0 {
			return woken // an older one that was fetched later: clients page back to it
		}
		h.change(n.Room, func(c *change) { c.events = n.Pos })
		woken = h.event(n, woken)
		return h.wakeRoom(n.Room, woken)
	case store.KindRedacted:
		h.change(n.Room, func(c *change) { c.events = n.Pos })
		return h.wakeRoom(n.Room, woken)
	case store.KindReceipt:
		h.change(n.Room, func(c *change) { c.receipts = n.Pos })
		return h.wakeRoom(n.Room, woken)
	case store.KindForgotten:
		h.memberChanged(n.User)
		return h.userChanged(n, n.User, woken)
	case store.KindDevices:
		h.devices = n.Pos
		h.callFellows(n.User, n.Pos)
		return h.userChanged(n, n.User, woken)
	case store.KindAccountData, store.KindPushRules, store.KindToDevice:
		return h.userChanged(n, n.User, woken)
	}
	return woken
}

func (h *hub) change(room store.RoomNum, set func(*change)) {
	c := h.changes[room]
	set(&c)
	h.changes[room] = c
}

func (h *hub) userChanged(n *store.Note, user matrix.UserID, woken []*watch) []*watch {
	h.users[user] = n.Pos
	if w := h.watches[user]; w != nil {
		return w.wakeIn(woken)
	}
	return woken
}

func (h *hub) wakeRoom(room store.RoomNum, woken []*watch) []*watch {
	r := h.rooms[room]
	if r == nil {
		return woken
	}
	for w := range r.watches {
		woken = w.wakeIn(woken)
	}
	return woken
}

// wakeIn adds w to those who are to be woken, once.
func (w *watch) wakeIn(woken []*watch) []*watch {
	if w.woken {
		return woken
	}
	w.woken = true
	return append(woken, w)
}

// event adds an event to the room's tail and follows who is in the room.
func (h *hub) event(n *store.Note, woken []*watch) []*watch {
	if r := h.rooms[n.Room]; r != nil {
		r.add(n)
	}
	e := n.Event
	if e == nil { // damaged: it may have changed any membership
		for user := range h.watches {
			h.memberChanged(user)
		}
		return woken
	}
	if e.Type != "m.room.member" || e.StateKey == nil || !e.Visible() {
		return woken
	}
	user := matrix.UserID(*e.StateKey)
	joined := e.Membership() == "join"
	if !joined {
		h.stopTyping(n.Room, user)
	}
	if w := h.watches[user]; w != nil {
		h.memberChanged(user)
		if joined {
			h.enter(w, n.Room, n.Pos)
			if h.presences.last[user].seq != 0 { // those who are in the room get to know
				h.notePresence(user, false)
			}
		} else {
			h.exit(w, n.Room)
		}
	}
	return h.userChanged(n, user, woken)
}

// eventsSince reports whether a room may have got or lost something in its history after pos.
func (h *hub) eventsSince(room store.RoomNum, pos store.Pos) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return pos < h.start || h.changes[room].events > pos
}

// receiptsSince reports whether a room may have got receipts after pos.
func (h *hub) receiptsSince(room store.RoomNum, pos store.Pos) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return pos < h.start || h.changes[room].receipts > pos
}

// userSince reports whether what belongs to a user may have changed after pos.
func (h *hub) userSince(user matrix.UserID, pos store.Pos) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return pos < h.start || h.users[user] > pos
}

// devicesSince reports whether anybody's devices may have changed after pos.
func (h *hub) devicesSince(pos store.Pos) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return pos < h.start || h.devices > pos
}

// visit is a room that may have something new for a client.
type visit struct {
	m        *store.Membership
	events   bool
	receipts bool
	typing   bool
	counts   bool // of what is unread may have changed, whatever else did
}

func (v *visit) any() bool { return v.events || v.receipts || v.typing }

// visits reports what may be new since a token in rooms.
func (h *hub) visits(memberships []*store.Membership, since token) []visit {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := since.pos < h.start
	typed := h.typing.seq > since.typing
	var out []visit
	for _, m := range memberships {
		c := h.changes[m.Room]
		v := visit{
			m: m, events: all || c.events > since.pos || m.Pos > since.pos, receipts: all || c.receipts > since.pos,
			typing: typed && h.typing.changed(m.Room) > since.typing,
		}
		if v.any() {
			out = append(out, v)
		}
	}
	return out
}
