package clientsync

import (
	"slices"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
)

// MaxTyping is the longest time for which one notice says that a user types.
const MaxTyping = 2 * time.Minute

// typing knows who types where. The hub's lock guards it.
type typing struct {
	seq   uint64 // of the last change
	rooms map[store.RoomNum]*typingRoom
}

type typingRoom struct {
	seq   uint64 // of the room's last change
	users map[matrix.UserID]*time.Timer
	// changes has the last change of each user who began or ended after floor.
	changes map[matrix.UserID]uint64
	floor   uint64
}

// maxTypists bounds typingRoom.changes.
const maxTypists = 64

// change notes that a user began or ended with the change seq.
func (r *typingRoom) change(user matrix.UserID, seq uint64) {
	if len(r.changes) >= maxTypists {
		clear(r.changes)
		r.floor = r.seq
	}
	r.seq = seq
	r.changes[user] = seq
}

// changedFor reports whether there was a change after seq of anybody who is not ignored.
func (r *typingRoom) changedFor(seq uint64, ignored *account.Ignored) bool {
	if r.seq <= seq {
		return false
	}
	if ignored.Len() == 0 || seq < r.floor {
		return true
	}
	for user, at := range r.changes {
		if at > seq && !ignored.Has(user) {
			return true
		}
	}
	return false
}

func (t *typing) changed(room store.RoomNum) uint64 {
	if r := t.rooms[room]; r != nil {
		return r.seq
	}
	return 0
}

func (t *typing) stop() {
	for _, r := range t.rooms {
		for _, timer := range r.users {
			timer.Stop()
		}
	}
}

// Typing notes that a user types in a room for the given time, or no longer if it is 0. Time is real time, as its
// end is an event that nothing else causes.
// spec: client-server-api#put_matrixclientv3roomsroomidtypinguserid
func (y *Syncer) Typing(room store.RoomNum, user matrix.UserID, timeout time.Duration) {
	h := y.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if timeout <= 0 || h.closed {
		h.stopTyping(room, user)
		return
	}
	r := h.typing.rooms[room]
	if r == nil {
		r = &typingRoom{users: make(map[matrix.UserID]*time.Timer), changes: make(map[matrix.UserID]uint64)}
		h.typing.rooms[room] = r
	}
	timer, was := r.users[user]
	if was {
		timer.Stop()
	}
	r.users[user] = h.expire(room, r, user, min(timeout, MaxTyping))
	if !was {
		h.typed(room, r, user)
	}
}

// stopTyping ends a notice. Called with the lock held.
func (h *hub) stopTyping(room store.RoomNum, user matrix.UserID) {
	r := h.typing.rooms[room]
	if r == nil {
		return
	}
	if timer, ok := r.users[user]; ok {
		timer.Stop()
		delete(r.users, user)
		h.typed(room, r, user)
	}
}

// expire ends a notice after a while.
func (h *hub) expire(room store.RoomNum, r *typingRoom, user matrix.UserID, after time.Duration) *time.Timer {
	var timer *time.Timer
	timer = time.AfterFunc(after, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if r.users[user] == timer && !h.closed {
			delete(r.users, user)
			h.typed(room, r, user)
		}
	})
	return timer
}

// typed wakes who is in a room in which somebody began or ended typing. Called with the lock held.
func (h *hub) typed(room store.RoomNum, r *typingRoom, user matrix.UserID) {
	h.typing.seq++
	r.change(user, h.typing.seq)
	if watched := h.rooms[room]; watched != nil {
		for w := range watched.watches {
			w.rouse()
		}
	}
	if len(h.typing.rooms) > maxChanged {
		for num, other := range h.typing.rooms {
			if len(other.users) == 0 && num != room {
				delete(h.typing.rooms, num)
			}
		}
	}
}

// typingSince returns who types in a room if that changed after seq, without those who are ignored.
func (h *hub) typingSince(room store.RoomNum, seq uint64, ignored *account.Ignored) (users []matrix.UserID, changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.typing.rooms[room]
	if r == nil || !r.changedFor(seq, ignored) {
		return nil, false
	}
	users = []matrix.UserID{}
	for u := range r.users {
		if !ignored.Has(u) {
			users = append(users, u)
		}
	}
	slices.Sort(users)
	return users, true
}
