package clientsync

import (
	"context"
	"maps"
	"slices"
	"sync"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

// deviceLists collects whose devices a client must look at anew, and with whom its user may share no room any more.
// Rooms are read by several goroutines, which all add to it.
// spec: client-server-api#e2e-extensions-to-sync
type deviceLists struct {
	mu      sync.Mutex // guards the fields below
	changed map[matrix.UserID]struct{}
	gone    map[matrix.UserID]struct{} // perhaps
}

// The bounds of what is looked at.
const (
	maxFellows   = 20_000 // members of a room that the user has joined
	maxStrangers = 1000   // of a room that is not encrypted
	maxGone      = 500    // who may be gone, as each is looked for in all other rooms
)

func (l *deviceLists) change(u matrix.UserID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(map[matrix.UserID]struct{})
	}
	l.changed[u] = struct{}{}
}

func (l *deviceLists) leave(u matrix.UserID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone == nil {
		l.gone = make(map[matrix.UserID]struct{})
	}
	if len(l.gone) < maxGone {
		l.gone[u] = struct{}{}
	}
}

// planDevices finds users with whom the client's shares a room, and who changed their devices or keys.
func (r *round) planDevices(ctx context.Context) error {
	if r.initial || !r.y.hub.devicesSince(r.since.pos) {
		return nil
	}
	seen := make(map[matrix.UserID]bool)
	for u, err := range r.y.store.DeviceChanges(ctx, r.since.pos, r.now.pos) {
		if err != nil {
			return err
		}
		if seen[u] {
			continue
		}
		seen[u] = true
		shares, err := r.shares(ctx, u)
		if err != nil {
			return err
		}
		if shares {
			r.devices.change(u)
		}
	}
	return nil
}

// shares reports whether the client's user is in a room together with another.
func (r *round) shares(ctx context.Context, u matrix.UserID) (bool, error) {
	yes, known := r.y.hub.together(r.watch, u)
	if known || yes {
		return yes, nil
	}
	rooms := make(map[store.RoomNum]bool, len(r.members))
	for _, m := range r.members {
		rooms[m.Room] = m.Membership == "join"
	}
	return r.y.isIn(ctx, u, rooms)
}

// devicesIn finds who came to a room that the user is in, and who left it, between two states.
func (r *round) devicesIn(ctx context.Context, room *store.Room, from, to blob.Hash) error {
	if r.initial || from.IsZero() || from == to {
		return nil
	}
	var before, after []store.StateEntry
	for c, err := range r.y.store.DiffState(ctx, from, to) {
		if err != nil {
			return err
		}
		if c.A.Key.Type == memberType && c.A.ID != "" {
			before = append(before, c.A)
		}
		if c.B.Key.Type == memberType && c.B.ID != "" {
			after = append(after, c.B)
		}
		if len(after) >= maxFellows {
			break
		}
	}
	was, err := r.joinedOf(ctx, room, before)
	if err != nil {
		return err
	}
	is, err := r.joinedOf(ctx, room, after)
	if err != nil {
		return err
	}
	for u := range is {
		if !was[u] {
			r.devices.change(u)
		}
	}
	for u := range was {
		if !is[u] {
			r.devices.leave(u)
		}
	}
	return nil
}

// joinedOf returns those of member events who have joined.
func (r *round) joinedOf(ctx context.Context, room *store.Room, entries []store.StateEntry) (map[matrix.UserID]bool, error) {
	events, err := r.y.store.EntryEvents(ctx, room.Num, entries)
	if err != nil {
		return nil, err
	}
	joined := make(map[matrix.UserID]bool, len(events))
	for _, e := range events {
		if e.Membership() == "join" {
			joined[matrix.UserID(*e.StateKey)] = true
		}
	}
	return joined, nil
}

// devicesOf adds everybody who is in a room as of a state: to those who changed, or to those who may be gone.
func (r *round) devicesOf(ctx context.Context, room *store.Room, root blob.Hash, add func(matrix.UserID)) error {
	typ := memberType
	var page []store.StateEntry
	read := 0
	flush := func() error {
		joined, err := r.joinedOf(ctx, room, page)
		for u := range joined {
			add(u)
		}
		page = page[:0]
		return err
	}
	for e, err := range r.y.store.ScanState(ctx, root, &typ) {
		if err != nil {
			return err
		}
		if page = append(page, e); len(page) < statePage {
			continue
		}
		read += len(page)
		if err := flush(); err != nil {
			return err
		}
		if read >= maxFellows {
			return nil
		}
	}
	return flush()
}

// newFellows adds the members of a room that is new to the client. Of a large one that is not encrypted nobody needs
// the keys.
func (r *round) newFellows(ctx context.Context, room *store.Room) error {
	if r.initial {
		return nil
	}
	if room.Joined > maxStrangers {
		found, err := r.y.store.State(ctx, room.State, event.Key{Type: "m.room.encryption"})
		if err != nil || found[0].ID == "" {
			return err
		}
	}
	return r.devicesOf(ctx, room, room.State, r.devices.change)
}

// oldFellows adds the members of a room that the user has left, unless they are too many to be looked for elsewhere.
func (r *round) oldFellows(ctx context.Context, room *store.Room, left blob.Hash) error {
	if r.initial || left.IsZero() || room.Joined > maxGone {
		return nil
	}
	return r.devicesOf(ctx, room, left, r.devices.leave)
}

// writeDevices writes device_lists, if there is something to say.
func (r *round) writeDevices(ctx context.Context) error {
	l := &r.devices
	for u := range l.gone {
		shares, err := r.shares(ctx, u)
		if err != nil {
			return err
		}
		if shares {
			delete(l.gone, u)
		} else {
			delete(l.changed, u)
		}
	}
	if len(l.changed)+len(l.gone) == 0 {
		return nil
	}
	r.out.Name("device_lists")
	r.out.Open('{')
	for _, part := range []struct {
		name  string
		users map[matrix.UserID]struct{}
	}{{"changed", l.changed}, {"left", l.gone}} {
		r.out.Name(part.name)
		r.out.Open('[')
		for _, u := range slices.Sorted(maps.Keys(part.users)) {
			r.out.String(string(u))
		}
		r.out.Close(']')
	}
	r.out.Close('}')
	return nil
}
