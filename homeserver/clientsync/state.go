package clientsync

import (
	"context"
	"slices"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

const memberType = "m.room.member"

// target is the state that the client has once it has taken the answer's state: that at the start of the timeline,
// or, with use_state_after, at its end.
func (r *round) target(s *section) blob.Hash {
	if r.req.StateAfter {
		return s.end
	}
	return s.start
}

// delta finds the state that a client needs beside a section: what changed before it, or with use_state_after up to
// its end, and what the filter hides in it. With full it is all the state; members whom a lazy client does not need
// are left out of that.
func (r *round) delta(ctx context.Context, room *store.Room, s *section, full bool) ([]store.StateEntry, error) {
	f := &r.filter.Room
	if !f.State.Room(room.ID) {
		return nil, nil
	}
	var entries []store.StateEntry
	from, lazy := s.since, f.lazy()
	if full {
		from = blob.Hash{}
	}
	full = from.IsZero()
	take := func(e store.StateEntry) {
		if f.State.Type(e.Key.Type) && (!full || !lazy || e.Key.Type != memberType) {
			entries = append(entries, e)
		}
	}
	if to := r.target(s); from != to && !to.IsZero() {
		if err := r.eachChange(ctx, from, to, take); err != nil {
			return nil, err
		}
	}
	if r.req.StateAfter {
		return entries, nil
	}
	return withHidden(entries, r.wanted(s, full && lazy)), nil
}

// wanted returns the hidden events of a section; of the members only the user and who sent something, if the others are
// loaded lazily.
func (r *round) wanted(s *section, lazy bool) []*store.Event {
	if len(s.hidden) == 0 {
		return nil
	}
	needed := map[string]bool{string(r.session.User): true}
	for _, e := range s.events {
		needed[string(e.Sender)] = true
	}
	return slices.DeleteFunc(s.hidden, func(e *store.Event) bool {
		return lazy && e.Type == memberType && !needed[*e.StateKey]
	})
}

// withHidden adds the newest of the hidden events of each key, instead of what the entries have of that key.
func withHidden(entries []store.StateEntry, hidden []*store.Event) []store.StateEntry {
	if len(hidden) == 0 {
		return entries
	}
	newest := make(map[event.Key]*store.Event, len(hidden))
	for _, e := range hidden { // newest first
		k := event.Key{Type: e.Type, StateKey: *e.StateKey}
		if newest[k] == nil {
			newest[k] = e
		}
	}
	entries = slices.DeleteFunc(entries, func(e store.StateEntry) bool { return newest[e.Key] != nil })
	for _, e := range hidden {
		k := event.Key{Type: e.Type, StateKey: *e.StateKey}
		if newest[k] == e {
			entries = append(entries, store.StateEntry{Key: k, Order: e.Order, ID: e.ID})
		}
	}
	return entries
}

// eachChange calls take for each key that differs between two states with what it is in the second, for all of the
// second if the first is zero.
func (r *round) eachChange(ctx context.Context, from, to blob.Hash, take func(store.StateEntry)) error {
	if from.IsZero() {
		for e, err := range r.y.store.ScanState(ctx, to, nil) {
			if err != nil {
				return err
			}
			take(e)
		}
		return nil
	}
	for c, err := range r.y.store.DiffState(ctx, from, to) {
		if err != nil {
			return err
		}
		if c.B.ID != "" {
			take(c.B)
		}
	}
	return nil
}

// stateEvents reads the events of entries, those that the filter selects.
func (r *round) stateEvents(ctx context.Context, room *store.Room, entries []store.StateEntry) ([]*store.Event, error) {
	events, err := r.y.store.EntryEvents(ctx, room.Num, entries)
	if err != nil {
		return nil, err
	}
	f := &r.filter.Room.State
	return slices.DeleteFunc(events, func(e *store.Event) bool { return !f.Selects(e) }), nil
}

// toldMember is a member whom a lazy client is told of.
type toldMember struct {
	user  matrix.UserID
	order store.Order // of the member event
	root  blob.Hash   // of the state that has it
}

// lazily adds the member events that a client needs which loads members lazily: those of the timeline's senders, and
// with the whole state the user's own and the heroes', as far as the device does not know them.
// spec: client-server-api#lazy-loading-room-members
func (r *round) lazily(ctx context.Context, room *store.Room, s *section, entries []store.StateEntry, full bool) ([]store.StateEntry, []toldMember, error) {
	to := r.target(s)
	var told []toldMember
	have := make(map[matrix.UserID]bool)
	for _, e := range entries {
		if e.Key.Type == memberType {
			have[matrix.UserID(e.Key.StateKey)] = true
			told = append(told, toldMember{matrix.UserID(e.Key.StateKey), e.Order, to})
		}
	}
	needed, err := r.needed(ctx, room, s, full)
	if err != nil {
		return nil, nil, err
	}
	var keys []event.Key
	for _, u := range needed {
		if !have[u] && (r.redundant() || !r.sent.knowsIn(sentMember{room.Num, u}, to, r.acknowledged)) {
			have[u] = true
			keys = append(keys, event.Key{Type: memberType, StateKey: string(u)})
		}
	}
	if len(keys) == 0 || to.IsZero() || !r.filter.Room.State.Type(memberType) || !r.filter.Room.State.Room(room.ID) {
		return entries, told, nil
	}
	members, err := r.y.store.State(ctx, to, keys...)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range members {
		u := matrix.UserID(e.Key.StateKey)
		if e.ID == "" || !r.redundant() && r.sent.knows(sentMember{room.Num, u}, e.Order, to, r.acknowledged) {
			continue
		}
		entries = append(entries, e)
		told = append(told, toldMember{u, e.Order, to})
	}
	return entries, told, nil
}

func (r *round) redundant() bool {
	return r.filter.Room.State.IncludeRedundantMembers || r.filter.Room.Timeline.IncludeRedundantMembers
}

// needed lists whose member events a lazy client needs.
func (r *round) needed(ctx context.Context, room *store.Room, s *section, full bool) ([]matrix.UserID, error) {
	var users []matrix.UserID
	if full {
		users = append(users, r.session.User)
		heroes, err := r.heroes(ctx, room, s)
		if err != nil {
			return nil, err
		}
		users = append(users, heroes...)
	}
	for _, e := range s.events {
		if n := len(users); n == 0 || users[n-1] != e.Sender {
			users = append(users, e.Sender)
		}
	}
	return users, nil
}

// tell notes that the device is told of members in this answer.
func (r *round) tell(room store.RoomNum, members []toldMember) {
	for _, m := range members {
		r.sent.add(sentMember{room, m.user}, sentEvent{m.order, r.now.pos, m.root})
	}
}
