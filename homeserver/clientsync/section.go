package clientsync

import (
	"context"
	"slices"

	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/storage/blob"
)

// section is the part of a room's history that an answer holds, and the states around it:
//
//	since ... (a gap, if limited) ... start [events] end
//
// Zero states are of rooms that the client does not know (since), or in which nothing happened (all three).
type section struct {
	events  []timeline.Seen // oldest first
	limited bool            // events of the gap were left out
	prev    store.Order     // the boundary before the first event; if there is none, behind all that was read
	since   blob.Hash       // the state that the client has
	start   blob.Hash       // the state at the first event; the end if there is none
	end     blob.Hash       // the state as of the answer
	// hidden are state events after the first one shown that the filter or the visibility keeps out of the timeline,
	// newest first. The client must learn of them from the state: who comes in sees the state as it is then, whoever saw
	// how it became so.
	hidden  []*store.Event
	members bool           // a membership changed
	eyes    *timeline.Eyes // of one who has left, and may not see what was added to the events since; otherwise nil
}

// maxSkipped bounds how many events that the filter or the visibility hides are read for one room.
const maxSkipped = 2000

// reading reads a section from its newest event backward.
type reading struct {
	r     *round
	room  *store.Room
	a     timeline.Access
	eyes  *timeline.Eyes
	f     *timeline.EventFilter
	since store.Pos
	limit int

	s      section
	oldest *store.Event // that belongs to the room's history after since; nil if nothing does
	whole  bool         // oldest is the first after since
	read   int
}

// section reads what happened in a room after since, or its newest events if since is 0: those with an order below
// the access's end. Events are seen by who has the access.
func (r *round) section(ctx context.Context, room *store.Room, a timeline.Access, since store.Pos) (*section, error) {
	f := &r.filter.Room.Timeline
	d := &reading{
		r: r, room: room, a: a, f: f, since: since, limit: f.Max(defaultLimit, maxLimit),
		eyes: r.y.timeline.Eyes(r.session.User, room.Num, a),
	}
	if !f.Room(room.ID) {
		d.limit = -1
	}
	if err := d.readAll(ctx); err != nil {
		return nil, err
	}
	s := &d.s
	if s.limited && d.limit < 0 {
		s.limited = false // the client wants no timeline of this room, so it misses nothing
	}
	slices.Reverse(s.events)
	if err := d.bounds(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// readAll takes events until one is as old as the client's token or enough were read.
func (d *reading) readAll(ctx context.Context) error {
	orders, known := d.r.y.hub.newest(d.room.Num, d.since, d.r.now.pos)
	if known && d.since > 0 {
		d.whole = true
		return d.takeAll(ctx, orders)
	}
	size := store.Order(max(d.limit, 0) + 2)
	along := 0
	if d.a.Joined { // others may read older events
		along = int(min(size, 64))
	}
	newest, err := d.r.y.store.NewestWith(ctx, d.room.Num, along)
	if err != nil {
		return err
	}
	to := min(newest+1, d.a.End)
	for ; to > store.MinOrder; size = min(2*size, 256) {
		from := max(to-min(size, 256), 1)
		if to <= 1 {
			return d.readOlder(ctx, to)
		}
		orders = orders[:0]
		for o := from; o < to; o++ {
			orders = append(orders, o)
		}
		if err := d.takeAll(ctx, orders); err != nil || d.whole || d.s.limited {
			return err
		}
		to = from
	}
	return nil
}

// readOlder goes on with the events that were fetched after they had become history: their orders have gaps, and
// their positions say nothing. Only rooms that the client does not know get them.
func (d *reading) readOlder(ctx context.Context, to store.Order) error {
	d.whole = true
	if d.since > 0 || d.oldest != nil && d.oldest.Type == "m.room.create" {
		return nil
	}
	for e, err := range d.r.y.store.Timeline(ctx, d.room.Num, store.MinOrder, to, true) {
		if err != nil {
			return err
		}
		if more, err := d.take(ctx, e); err != nil || !more {
			return err
		}
	}
	return nil
}

// takeAll takes the events with these orders, which ascend, the last first.
func (d *reading) takeAll(ctx context.Context, orders []store.Order) error {
	events, err := d.r.y.store.EventsAt(ctx, d.room.Num, orders...)
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(events) {
		if e == nil || e.Order >= d.a.End || e.Pos > d.r.now.pos {
			continue
		}
		if more, err := d.take(ctx, e); err != nil || !more {
			return err
		}
	}
	return nil
}

// take takes the next older event; more is false if that was the last one.
func (d *reading) take(ctx context.Context, e *store.Event) (more bool, err error) {
	if e.Pos <= d.since {
		d.whole = true
		return false, nil
	}
	if !e.Visible() {
		return true, nil
	}
	if d.oldest == nil {
		d.s.end, d.s.prev = e.After, e.Order+1
	}
	d.oldest = e
	d.s.members = d.s.members || e.Type == "m.room.member" && e.IsState()
	if d.read++; d.read > maxSkipped+max(d.limit, 0) {
		d.whole, d.s.limited = false, true
		return false, nil
	}
	selected := d.limit >= 0 && d.f.Selects(e) && (e.IsState() || !d.r.ignored.Has(e.Sender))
	seen, membership := false, ""
	if selected {
		if seen, membership, err = d.sees(ctx, e); err != nil {
			return false, err
		}
	}
	switch {
	case selected && seen && len(d.s.events) >= d.limit:
		d.whole, d.s.limited = false, true
		return false, nil
	case selected && seen:
		if e, err = d.r.y.timeline.Shown(ctx, e, membership); err != nil {
			return false, err
		}
		d.s.events = append(d.s.events, timeline.Seen{Event: e, Membership: membership})
	case e.IsState() && len(d.s.events) < d.limit:
		d.s.hidden = append(d.s.hidden, e)
	}
	return true, nil
}

// sees reports whether the user sees the event, and the user's membership at it. Members see all since they joined.
func (d *reading) sees(ctx context.Context, e *store.Event) (bool, string, error) {
	if d.a.Joined && e.Order > d.a.Membership.Since {
		return true, "join", nil
	}
	return d.eyes.Sees(ctx, e)
}

// bounds finds the states between which the section lies.
func (d *reading) bounds(ctx context.Context) error {
	s := &d.s
	s.start = s.end
	if len(s.events) > 0 {
		s.start, s.prev = s.events[0].Before, s.events[0].Order
	}
	s.hidden = slices.DeleteFunc(s.hidden, func(e *store.Event) bool { return len(s.events) == 0 || e.Order < s.prev })
	if d.since == 0 || d.oldest == nil {
		return nil
	}
	if d.whole {
		s.since = d.oldest.Before
		return nil
	}
	var err error
	s.since, err = d.stateSince(ctx)
	return err
}

// stateSince returns the state before the first event after the client's token.
func (d *reading) stateSince(ctx context.Context) (blob.Hash, error) {
	from, err := d.r.y.store.OrderAfter(ctx, d.room.Num, d.since)
	if err != nil {
		return blob.Hash{}, err
	}
	for e, err := range d.r.y.store.Timeline(ctx, d.room.Num, from, d.a.End, false) {
		if err != nil {
			return blob.Hash{}, err
		}
		if e.Visible() {
			return e.Before, nil
		}
	}
	return d.s.end, nil
}
