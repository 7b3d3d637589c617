package clientsync

import (
	"context"

	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/event"
)

// strippedTypes is the state that who is invited, or knocks, gets to know.
// spec: client-server-api#stripped-state
func strippedTypes() []string {
	return []string{
		"m.room.create", "m.room.name", "m.room.avatar", "m.room.topic", "m.room.join_rules",
		"m.room.canonical_alias", "m.room.encryption",
	}
}

// invite makes the part of a room that the user is invited to.
// spec: client-server-api#get_matrixclientv3sync (Invited Room)
func (r *round) invite(ctx context.Context, c *call) (*part, error) {
	return r.stripped(ctx, c, "invite_state")
}

// knock makes the part of a room at which the user knocks.
// spec: client-server-api#get_matrixclientv3sync (Knocked Room)
func (r *round) knock(ctx context.Context, c *call) (*part, error) {
	return r.stripped(ctx, c, "knock_state")
}

// stripped makes what a user sees of a room who is not in it: some of its state when the user was invited or knocked,
// and who did that.
func (r *round) stripped(ctx context.Context, c *call, name string) (*part, error) {
	own, err := r.y.store.EventsAt(ctx, c.room.Num, c.m.Order)
	if err != nil || own[0] == nil {
		return nil, err
	}
	e := own[0]
	if r.ignored.Has(e.Sender) {
		return nil, nil // spec: client-server-api#ignoring-users: their invites are not sent
	}
	var keys []event.Key
	for _, typ := range strippedTypes() {
		keys = append(keys, event.Key{Type: typ})
	}
	if e.Sender != r.session.User {
		keys = append(keys, event.Key{Type: memberType, StateKey: string(e.Sender)})
	}
	state, err := r.y.store.StateEvents(ctx, c.room.Num, e.After, keys...)
	if err != nil {
		return nil, err
	}
	p := &part{json: append(appendName(nil, 0, name), `{"events":[`...)}
	start := len(p.json)
	for _, e := range append(state, e) {
		if e != nil {
			p.json = appendStripped(appendComma(p.json, start), e)
		}
	}
	p.json = append(p.json, `]}`...)
	return p, nil
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

// left makes the part of a room that the user has left or was banned from: what there was until then, and nothing of
// what came later but the user's own membership.
// spec: client-server-api#get_matrixclientv3sync (Left Room)
func (r *round) left(ctx context.Context, c *call) (*part, error) {
	s := &section{}
	full := r.initial
	known, history, err := r.forgotten(ctx, c)
	if err != nil || known {
		return nil, err
	}
	history = history && c.m.Ended != 0 && !c.room.Deleted
	if history {
		if s, full, err = r.stay(ctx, c); err != nil {
			return nil, err
		}
	}
	if (!history || c.m.Order > c.m.Ended) && c.m.Pos > r.since.pos {
		if err := r.addOwn(ctx, c, s); err != nil {
			return nil, err
		}
	}
	end := max(c.m.Ended, c.m.Order) + 1
	s.eyes = r.y.timeline.Eyes(r.session.User, c.room.Num, timeline.Access{Membership: c.m, State: c.m.Left, End: end})
	h, err := r.history(ctx, c.room, s, full, false)
	if err != nil {
		return nil, err
	}
	if h == nil {
		h = noHistory(r.req.StateAfter)
	}
	p := &part{history: h}
	if len(c.data) > 0 {
		p.json = appendData(appendName(p.json, 0, "account_data"), c.data)
	}
	return p, nil
}

// forgotten looks whether a room that was left has been forgotten. Then known reports that the client knows that it was
// left, and is told no more; otherwise it is told just that, lest it keep the room for ever. The history until then
// is told too of rooms that were not forgotten, or by the same change that ended the membership.
// spec: client-server-api#mforget_forced_upon_leave-capability, client-server-api#leaving-rooms
func (r *round) forgotten(ctx context.Context, c *call) (known, history bool, err error) {
	if !c.m.Forgotten {
		return false, true, nil
	}
	own, err := r.y.store.EventsAt(ctx, c.room.Num, c.m.Order)
	if err != nil || own[0] == nil || own[0].Pos <= r.since.pos {
		return true, false, err
	}
	return false, own[0].Pos == c.m.Pos, nil
}

// stay reads what is new of the user's last stay. If the client does not know the room, since the stay began after
// its token, full is true.
func (r *round) stay(ctx context.Context, c *call) (s *section, full bool, err error) {
	a := timeline.Access{Membership: c.m, State: c.m.Left, End: c.m.Ended + 1}
	if !r.initial {
		if s, err = r.section(ctx, c.room, a, r.since.pos); err != nil {
			return nil, false, err
		}
		if s.end.IsZero() { // nothing happened
			s.start, s.end = c.m.Left, c.m.Left
			return s, r.req.FullState, nil
		}
		known, err := r.wasIn(ctx, c.room, s)
		if err != nil {
			return nil, false, err
		}
		if known {
			return s, r.req.FullState, r.oldFellows(ctx, c.room, c.m.Left)
		}
	}
	s, err = r.section(ctx, c.room, a, 0)
	return s, true, err
}

// wasIn reports whether the user was in the room when the client's token was made.
func (r *round) wasIn(ctx context.Context, room *store.Room, s *section) (bool, error) {
	if s.since.IsZero() {
		return false, nil
	}
	own, err := r.y.store.StateEvents(ctx, room.Num, s.since, event.Key{Type: memberType, StateKey: string(r.session.User)})
	return err == nil && own[0] != nil && own[0].Membership() == "join", err
}

// addOwn adds the user's newest member event, which came after the stay, to the timeline: a rejected invite, a ban.
func (r *round) addOwn(ctx context.Context, c *call, s *section) error {
	own, err := r.y.store.EventsAt(ctx, c.room.Num, c.m.Order)
	if err != nil || own[0] == nil || !r.filter.Room.Timeline.Selects(own[0]) || !r.filter.Room.Timeline.Room(c.room.ID) {
		return err
	}
	s.events = append(s.events, timeline.Seen{Event: own[0], Membership: c.m.Membership})
	if s.prev == 0 {
		s.prev = c.m.Order
	}
	return nil
}
