package clientsync

import (
	"context"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/event"
)

// writeInvite writes a room that the user is invited to.
// spec: client-server-api#get_matrixclientv3sync (Invited Room)
func (r *round) writeInvite(ctx context.Context, _ *plan, m *store.Membership, room *store.Room) error {
	keys := []event.Key{{Type: "m.room.member", StateKey: string(r.session.User)}}
	for _, typ := range strippedTypes() {
		keys = append(keys, event.Key{Type: typ})
	}
	state, err := r.y.store.StateEvents(ctx, room.Num, room.State, keys...)
	if err != nil {
		return err
	}
	if own := state[0]; own != nil {
		inviter, err := r.y.store.StateEvents(ctx, room.Num, room.State, event.Key{Type: "m.room.member", StateKey: string(own.Sender)})
		if err != nil {
			return err
		}
		state = append(state, inviter...)
	}
	r.out.Name(string(room.ID))
	r.out.Open('{')
	r.out.Name("invite_state")
	r.out.Open('{')
	r.out.Name("events")
	r.out.Open('[')
	for _, e := range state {
		if e != nil {
			r.out.Raw(appendStripped(r.buf[:0], e))
		}
	}
	r.out.Close(']')
	r.out.Close('}')
	r.out.Close('}')
	return nil
}

// appendStripped writes a state event as those see it who are not in the room.
func appendStripped(dst []byte, e *store.Event) []byte {
	dst = append(dst, `{"content":`...)
	dst = append(dst, e.Content...)
	dst = append(dst, `,"sender":`...)
	dst = matrix.AppendString(dst, string(e.Sender))
	dst = append(dst, `,"state_key":`...)
	dst = matrix.AppendString(dst, *e.StateKey)
	dst = append(dst, `,"type":`...)
	dst = matrix.AppendString(dst, e.Type)
	return append(dst, '}')
}

// writeLeft writes a room that the user has left or was banned from: what there was until then.
// spec: client-server-api#get_matrixclientv3sync (Left Room)
func (r *round) writeLeft(ctx context.Context, p *plan, m *store.Membership, room *store.Room) error {
	if m.Ended == 0 {
		return r.writeDeclined(ctx, m, room)
	}
	access := timeline.Access{Membership: m, State: m.Left, End: m.Ended + 1}
	s, err := r.section(ctx, room, access, r.initial)
	if err != nil {
		return err
	}
	state, err := r.stateFor(ctx, room, s, r.initial)
	if err != nil {
		return err
	}
	r.out.Name(string(room.ID))
	r.out.Open('{')
	if err := r.writeHistory(ctx, s, state); err != nil {
		return err
	}
	r.writeRoomData(p.roomData[room.Num])
	r.out.Close('}')
	return nil
}

// writeDeclined writes a room that the user never was in: only the event that says so.
func (r *round) writeDeclined(ctx context.Context, m *store.Membership, room *store.Room) error {
	events, err := r.y.store.EventsAt(ctx, room.Num, m.Order)
	if err != nil {
		return err
	}
	s := &section{prev: m.Order}
	if e := events[0]; e != nil && r.filter.Room.Timeline.Selects(e) {
		s.events = []timeline.Seen{{Event: e, Membership: m.Membership}}
	}
	r.out.Name(string(room.ID))
	r.out.Open('{')
	if err := r.writeHistory(ctx, s, nil); err != nil {
		return err
	}
	r.out.Close('}')
	return nil
}

func (r *round) writeRoomData(data []account.Datum) {
	kept := data[:0:0]
	for _, d := range data {
		if r.filter.Room.AccountData.Type(d.Type) {
			kept = append(kept, d)
		}
	}
	if len(kept) > 0 {
		r.out.Name("account_data")
		r.writeData(kept)
	}
}

const maxHeroes = 5

// heroes returns the first members besides the user, if the room has neither name nor alias.
// spec: client-server-api#calculating-the-display-name-for-a-room
func (r *round) heroes(ctx context.Context, room *store.Room) ([]matrix.UserID, error) {
	named, err := r.y.store.State(ctx, room.State, event.Key{Type: "m.room.name"}, event.Key{Type: "m.room.canonical_alias"})
	if err != nil {
		return nil, err
	}
	if named[0].ID != "" || named[1].ID != "" {
		return nil, nil
	}
	typ := "m.room.member"
	var present, gone []matrix.UserID
	var page []store.StateEntry
	read := 0
	flush := func() error {
		events, err := r.y.store.EntryEvents(ctx, room.Num, page)
		page = page[:0]
		for _, e := range events {
			switch m := e.Membership(); {
			case matrix.UserID(*e.StateKey) == r.session.User:
			case m == "join" || m == "invite":
				present = append(present, matrix.UserID(*e.StateKey))
			default:
				gone = append(gone, matrix.UserID(*e.StateKey))
			}
		}
		return err
	}
	for e, err := range r.y.store.ScanState(ctx, room.State, &typ) {
		if err != nil {
			return nil, err
		}
		page = append(page, e)
		if read++; len(page) == 2*maxHeroes {
			if err := flush(); err != nil {
				return nil, err
			}
			if len(present) >= maxHeroes || read >= 10*maxHeroes {
				break
			}
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	if len(present) == 0 {
		present = gone
	}
	return present[:min(len(present), maxHeroes)], nil
}

// writeSummary writes the summary if it may have changed.
func (r *round) writeSummary(ctx context.Context, room *store.Room, s *section, fresh bool) error {
	changed := fresh || s.limited
	for _, e := range s.events {
		changed = changed || e.Type == "m.room.member" && e.IsState()
	}
	if !changed {
		return nil
	}
	r.out.Name("summary")
	r.out.Open('{')
	if r.filter.Room.lazy() || fresh {
		heroes, err := r.heroes(ctx, room)
		if err != nil {
			return err
		}
		if len(heroes) > 0 {
			r.out.Name("m.heroes")
			r.out.Value(heroes)
		}
	}
	r.out.Name("m.invited_member_count")
	r.out.Int(room.Invited)
	r.out.Name("m.joined_member_count")
	r.out.Int(room.Joined)
	r.out.Close('}')
	return nil
}
