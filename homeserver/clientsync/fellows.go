package clientsync

import (
	"context"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// fellows are users who share a room. What becomes of a user's presence or devices concerns them. It wakes those who
// share a room of at most maxWoken people who sync, for all that happens within a pause together; others learn of it
// from their next answer. So nothing that one user does, however often, is a storm.
type fellows struct {
	due  map[matrix.UserID]store.Pos // whose fellows are to be woken, and when the user's devices changed; 0 if they did not
	poke chan struct{}               // capacity 1: due has somebody
}

const (
	fellowsPause = 200 * time.Millisecond
	maxWoken     = 100  // people who sync in a room
	maxLooked    = 5000 // of a user's fellows who are looked at for one change
)

// callFellows makes a user's fellows be woken, for a change of devices at a position unless that is 0. Called with the
// lock held.
func (h *hub) callFellows(user matrix.UserID, devices store.Pos) {
	if h.closed {
		return
	}
	h.fellows.due[user] = max(h.fellows.due[user], devices)
	select {
	case h.fellows.poke <- struct{}{}:
	default:
	}
}

// wakeFellows wakes the fellows of those to whom something happened, until ctx ends.
func (y *Syncer) wakeFellows(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		select {
		case <-y.hub.fellows.poke:
		case <-ctx.Done():
			return
		}
		for user, devices := range y.hub.takeDue() {
			if err := y.learn(ctx, user); err != nil {
				if ctx.Err() == nil {
					y.o.Log.Warn("reading who shares rooms with a user", "err", err)
				}
				continue
			}
			y.hub.wakeFellows(user, devices)
		}
		pause.Reset(fellowsPause)
	}
}

func (h *hub) takeDue() map[matrix.UserID]store.Pos {
	h.mu.Lock()
	defer h.mu.Unlock()
	due := h.fellows.due
	h.fellows.due = make(map[matrix.UserID]store.Pos)
	return due
}

// learn makes sure that the hub knows in which rooms a user is.
func (y *Syncer) learn(ctx context.Context, user matrix.UserID) error {
	w := y.hub.acquire(user)
	defer y.hub.release(w)
	s := y.hub.standing(w)
	if s.entered {
		return nil
	}
	return y.readMemberships(ctx, w, s.changed)
}

// wakeFellows wakes those who wait and share a room with a user.
func (h *hub) wakeFellows(user matrix.UserID, devices store.Pos) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.watches[user]
	if w == nil {
		return
	}
	seq := h.presences.last[user].loud
	looked := 0
	for num := range w.rooms {
		room := h.rooms[num]
		if room == nil || len(room.watches) > maxWoken {
			continue
		}
		for fellow := range room.watches {
			if fellow != w && (fellow.presence < seq || fellow.devices < devices) {
				fellow.presence, fellow.devices = max(fellow.presence, seq), max(fellow.devices, devices)
				fellow.rouse()
			}
		}
		if looked += len(room.watches); looked > maxLooked {
			return
		}
	}
}

// shares reports whether two users are in a room together; known is false if the hub does not know where u is. Called
// with the lock held.
func (h *hub) shares(w *watch, u matrix.UserID) (yes, known bool) {
	if w.user == u {
		return true, true
	}
	other := h.watches[u]
	if other == nil || !other.entered {
		return false, false
	}
	few, many := w.rooms, other.rooms
	if len(few) > len(many) {
		few, many = many, few
	}
	for room := range few {
		if _, ok := many[room]; ok {
			return true, true
		}
	}
	return false, true
}

// Shares reports whether two users of this server are in a room together; everybody is with themselves.
func (y *Syncer) Shares(ctx context.Context, a, b matrix.UserID) (bool, error) {
	w := y.hub.acquire(a)
	yes, known := y.hub.together(w, b)
	y.hub.release(w)
	if known {
		return yes, nil
	}
	rooms := make(map[store.RoomNum]bool)
	for m, err := range y.store.Memberships(ctx, a) {
		if err != nil {
			return false, err
		}
		rooms[m.Room] = m.Membership == "join"
	}
	return y.isIn(ctx, b, rooms)
}

// isIn reports whether a user of this server is in one of these rooms.
func (y *Syncer) isIn(ctx context.Context, user matrix.UserID, rooms map[store.RoomNum]bool) (bool, error) {
	for m, err := range y.store.Memberships(ctx, user) {
		if err != nil {
			return false, err
		}
		if m.Membership == "join" && rooms[m.Room] {
			return true, nil
		}
	}
	return false, nil
}

func (h *hub) together(w *watch, u matrix.UserID) (yes, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	yes, known = h.shares(w, u)
	return yes, yes || known && w.entered
}
