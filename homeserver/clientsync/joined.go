package clientsync

import (
	"context"
	"slices"

	"hearth/homeserver/push"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

// section is the part of a room's history that an answer holds.
type section struct {
	events  []timeline.Seen
	limited bool
	prev    store.Order // the boundary before the first event
	from    blob.Hash   // the state that the client has; zero if it has none
	start   blob.Hash   // the state at the first event
	end     blob.Hash   // the state after the last one
}

// writeJoined writes a room that the user is in.
// spec: client-server-api#get_matrixclientv3sync (Joined Room)
func (r *round) writeJoined(ctx context.Context, p *plan, m *store.Membership, room *store.Room) error {
	fresh := r.initial || r.joinedSince(m)
	access := timeline.Access{Membership: m, Joined: true, State: room.State, End: store.MaxOrder}
	s, err := r.section(ctx, room, access, fresh)
	if err != nil {
		return err
	}
	state, err := r.stateFor(ctx, room, s, fresh)
	if err != nil {
		return err
	}
	r.out.Name(string(room.ID))
	r.out.Open('{')
	if err := r.writeHistory(ctx, s, state); err != nil {
		return err
	}
	if err := r.writeEphemeral(ctx, room, fresh); err != nil {
		return err
	}
	r.writeRoomData(p.roomData[room.Num])
	if err := r.writeSummary(ctx, room, s, fresh); err != nil {
		return err
	}
	if err := r.writeCounts(ctx, room); err != nil {
		return err
	}
	r.out.Close('}')
	return nil
}

// joinedSince reports whether the present stay began after the client's token.
func (r *round) joinedSince(m *store.Membership) bool {
	if m.Order == m.Since {
		return m.Pos > r.since.pos
	}
	// The newest member event is not the one with which the stay began: whoever was told of that has a token
	// at or after it, and otherwise the room is sent anew, which costs nothing but bytes.
	return m.Pos > r.since.pos && r.stayedLess(m)
}

// stayedLess reports whether the event with which the stay began is newer than the client's token.
func (r *round) stayedLess(m *store.Membership) bool {
	events, err := r.y.store.EventsAt(context.WithoutCancel(context.Background()), m.Room, m.Since)
	return err != nil || events[0] == nil || events[0].Pos > r.since.pos
}

// section reads the newest events of a room: those since the client's token, or the last ones for a fresh room.
func (r *round) section(ctx context.Context, room *store.Room, a timeline.Access, fresh bool) (*section, error) {
	f := &r.filter.Room.Timeline
	limit := f.Max(defaultLimit, maxLimit)
	s := &section{end: a.State}
	since := r.since.pos
	if fresh {
		since = 0
	}
	events, more, err := r.newest(ctx, room, a, since, limit, f)
	if err != nil {
		return nil, err
	}
	s.limited = more
	s.events = events
	if err := r.bounds(ctx, room, a, s, fresh); err != nil {
		return nil, err
	}
	return s, nil
}

// maxSkipped bounds how many events that the filter or the visibility hides are read for one room.
const maxSkipped = 2000

// newest returns the newest events after since that the user sees, oldest first, and whether older ones were left
// out.
func (r *round) newest(ctx context.Context, room *store.Room, a timeline.Access, since store.Pos, limit int, f *timeline.EventFilter) (out []timeline.Seen, more bool, err error) {
	if !f.Room(room.ID) {
		return nil, false, nil
	}
	eyes := r.y.timeline.Eyes(r.session.User, room.Num, a)
	if orders, ok := r.y.hub.newest(room.Num, since, r.now.pos); ok && since > 0 {
		return r.known(ctx, room, a, eyes, orders, limit, f)
	}
	read := 0
	for e, err := range r.y.store.Timeline(ctx, room.Num, store.MinOrder, a.End, true) {
		if err != nil {
			return nil, false, err
		}
		if e.Pos > r.now.pos {
			continue
		}
		if e.Pos <= since {
			break
		}
		if len(out) == limit || read == maxSkipped {
			more = true
			break
		}
		read++
		s, ok, err := r.sees(ctx, eyes, a, e, f)
		if err != nil {
			return nil, false, err
		}
		if ok {
			out = append(out, s)
		}
	}
	slices.Reverse(out)
	return out, more, nil
}

// known is newest for events whose places the hub knows.
func (r *round) known(ctx context.Context, room *store.Room, a timeline.Access, eyes *timeline.Eyes, orders []store.Order, limit int, f *timeline.EventFilter) (out []timeline.Seen, more bool, err error) {
	events, err := r.y.store.EventsAt(ctx, room.Num, orders...)
	if err != nil {
		return nil, false, err
	}
	for i := len(events) - 1; i >= 0; i-- {
		if events[i] == nil || events[i].Order >= a.End {
			continue
		}
		if len(out) == limit {
			more = true
			break
		}
		s, ok, err := r.sees(ctx, eyes, a, events[i], f)
		if err != nil {
			return nil, false, err
		}
		if ok {
			out = append(out, s)
		}
	}
	slices.Reverse(out)
	return out, more, nil
}

func (r *round) sees(ctx context.Context, eyes *timeline.Eyes, a timeline.Access, e *store.Event, f *timeline.EventFilter) (timeline.Seen, bool, error) {
	if !f.Selects(e) {
		return timeline.Seen{}, false, nil
	}
	if a.Joined && e.Order > a.Membership.Since && e.Visible() {
		return timeline.Seen{Event: e, Membership: "join"}, true, nil // members see all since they joined
	}
	ok, membership, err := eyes.Sees(ctx, e)
	return timeline.Seen{Event: e, Membership: membership}, ok, err
}

// bounds finds the states between which a section lies.
func (r *round) bounds(ctx context.Context, room *store.Room, a timeline.Access, s *section, fresh bool) error {
	if len(s.events) > 0 {
		first, last := s.events[0], s.events[len(s.events)-1]
		s.prev, s.start, s.end = first.Order, first.Before, last.After
	} else {
		order, err := r.y.store.OrderAfter(ctx, room.Num, r.now.pos)
		if err != nil {
			return err
		}
		s.prev, s.start = min(order, a.End), a.State
	}
	if fresh {
		return nil
	}
	if len(s.events) > 0 && !s.limited && !r.filtered() {
		s.from = s.start
		return nil
	}
	order, err := r.y.store.OrderAfter(ctx, room.Num, r.since.pos)
	if err != nil {
		return err
	}
	for e, err := range r.y.store.Timeline(ctx, room.Num, store.MinOrder, order, true) {
		if err != nil {
			return err
		}
		s.from = e.After
		break
	}
	if len(s.events) == 0 {
		s.end = a.State
	}
	return nil
}

// filtered reports whether the timeline filter may hide events, so that state may change between those shown.
func (r *round) filtered() bool {
	f := &r.filter.Room.Timeline
	return f.Types != nil || f.NotTypes != nil || f.Senders != nil || f.NotSenders != nil || f.ContainsURL != nil ||
		f.Rooms != nil || f.NotRooms != nil
}

// stateFor returns the state events that a client needs beside a section: what changed before the section, or, with
// use_state_after, up to its end.
func (r *round) stateFor(ctx context.Context, room *store.Room, s *section, fresh bool) ([]*store.Event, error) {
	target := s.start
	if r.req.StateAfter {
		target = s.end
	}
	from := s.from
	if fresh || r.req.FullState {
		from = blob.Hash{}
	}
	f := &r.filter.Room
	var entries []store.StateEntry
	if from != target && f.State.Room(room.ID) {
		lazy := f.lazy()
		take := func(e store.StateEntry) {
			if f.State.Type(e.Key.Type) && (!lazy || e.Key.Type != "m.room.member" || from != blob.Hash{}) {
				entries = append(entries, e)
			}
		}
		if err := r.eachChange(ctx, from, target, take); err != nil {
			return nil, err
		}
	}
	if f.lazy() {
		lazy, err := r.lazyMembers(ctx, room, s, target, fresh)
		if err != nil {
			return nil, err
		}
		entries = merged(entries, lazy)
	}
	events, err := r.y.store.EntryEvents(ctx, room.Num, entries)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(events, func(e *store.Event) bool { return !f.State.Selects(e) }), nil
}

func (r *round) eachChange(ctx context.Context, from, target blob.Hash, take func(store.StateEntry)) error {
	if from.IsZero() {
		for e, err := range r.y.store.ScanState(ctx, target, nil) {
			if err != nil {
				return err
			}
			take(e)
		}
		return nil
	}
	for c, err := range r.y.store.DiffState(ctx, from, target) {
		if err != nil {
			return err
		}
		if c.B.ID != "" {
			take(c.B)
		}
	}
	return nil
}

// lazyMembers returns the member events of the section's senders that the device has not been told of.
// spec: client-server-api#lazy-loading-room-members
func (r *round) lazyMembers(ctx context.Context, room *store.Room, s *section, target blob.Hash, fresh bool) ([]store.StateEntry, error) {
	var keys []event.Key
	add := func(u matrix.UserID) {
		k := event.Key{Type: "m.room.member", StateKey: string(u)}
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	for _, e := range s.events {
		add(e.Sender)
	}
	if fresh {
		add(r.session.User)
		heroes, err := r.heroes(ctx, room)
		if err != nil {
			return nil, err
		}
		for _, u := range heroes {
			add(u)
		}
	}
	entries, err := r.y.store.State(ctx, target, keys...)
	if err != nil {
		return nil, err
	}
	redundant := r.filter.Room.State.IncludeRedundantMembers || r.filter.Room.Timeline.IncludeRedundantMembers
	return slices.DeleteFunc(entries, func(e store.StateEntry) bool {
		return e.ID == "" || !r.sent.add(room.Num, matrix.UserID(e.Key.StateKey), e.Order) && !redundant
	}), nil
}

func merged(a, b []store.StateEntry) []store.StateEntry {
	for _, e := range b {
		if !slices.ContainsFunc(a, func(have store.StateEntry) bool { return have.Key == e.Key }) {
			a = append(a, e)
		}
	}
	return a
}

// writeHistory writes timeline and state.
func (r *round) writeHistory(ctx context.Context, s *section, state []*store.Event) error {
	all := make([]*store.Event, 0, len(s.events)+len(state))
	for _, e := range s.events {
		all = append(all, e.Event)
	}
	if err := r.y.timeline.Prepare(ctx, &r.view, append(all, state...)); err != nil {
		return err
	}
	name := "state"
	if r.req.StateAfter {
		name = "state_after"
	}
	if len(state) > 0 || r.req.StateAfter {
		r.out.Name(name)
		r.out.Open('{')
		r.out.Name("events")
		r.out.Open('[')
		for _, e := range state {
			r.writeEvent(e, "")
		}
		r.out.Close(']')
		r.out.Close('}')
	}
	r.out.Name("timeline")
	r.out.Open('{')
	r.out.Name("events")
	r.out.Open('[')
	for _, e := range s.events {
		r.writeEvent(e.Event, e.Membership)
	}
	r.out.Close(']')
	r.out.Name("limited")
	r.out.Bool(s.limited)
	r.out.Name("prev_batch")
	r.out.String(timeline.Token(s.prev))
	r.out.Close('}')
	return nil
}

func (r *round) writeEvent(e *store.Event, membership string) {
	r.buf = r.view.Append(r.buf[:0], e, membership)
	if len(r.filter.EventFields) > 0 {
		r.out.Raw(pick(r.buf, r.filter.EventFields))
		return
	}
	r.out.Raw(r.buf)
}

// writeEphemeral writes receipts and who types.
func (r *round) writeEphemeral(ctx context.Context, room *store.Room, fresh bool) error {
	f := &r.filter.Room.Ephemeral
	if !f.Room(room.ID) {
		return nil
	}
	var receipts []push.Receipt
	since, typingSince := r.since.pos, r.since.typing
	if fresh {
		since, typingSince = 0, 0
	}
	if f.Type("m.receipt") && (fresh || r.y.hub.roomSince(room.Num, since)) {
		var err error
		if receipts, err = r.y.push.Receipts(ctx, room.Num, since, r.now.pos, r.session.User); err != nil {
			return err
		}
	}
	typing, typed := r.y.hub.typingSince(room.Num, typingSince)
	typed = typed && f.Type("m.typing") && (!fresh || len(typing) > 0)
	if !typed && len(receipts) == 0 {
		return nil
	}
	r.out.Name("ephemeral")
	r.out.Open('{')
	r.out.Name("events")
	r.out.Open('[')
	if len(receipts) > 0 {
		r.out.Raw(push.AppendReceipts(r.buf[:0], receipts))
	}
	if typed {
		r.out.Open('{')
		r.out.Name("content")
		r.out.Open('{')
		r.out.Name("user_ids")
		r.out.Value(typing)
		r.out.Close('}')
		r.out.Name("type")
		r.out.String("m.typing")
		r.out.Close('}')
	}
	r.out.Close(']')
	r.out.Close('}')
	return nil
}

// writeCounts writes the unread counts.
// spec: client-server-api#receiving-notifications
func (r *round) writeCounts(ctx context.Context, room *store.Room) error {
	c, err := r.y.push.Counts(ctx, r.session.User, room)
	if err != nil {
		return err
	}
	threads := r.filter.Room.Timeline.UnreadThreads
	total := c.Main
	if !threads {
		for _, t := range c.Threads {
			total.Notifications += t.Notifications
			total.Highlights += t.Highlights
		}
	}
	write := func(c push.Count) {
		r.out.Open('{')
		r.out.Name("highlight_count")
		r.out.Int(c.Highlights)
		r.out.Name("notification_count")
		r.out.Int(c.Notifications)
		r.out.Close('}')
	}
	r.out.Name("unread_notifications")
	write(total)
	if threads && len(c.Threads) > 0 {
		r.out.Name("unread_thread_notifications")
		r.out.Open('{')
		for id, t := range c.Threads {
			r.out.Name(string(id))
			write(t)
		}
		r.out.Close('}')
	}
	return nil
}
