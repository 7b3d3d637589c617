package timeline

import (
	"context"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// Why an event is rendered as a part of another one: the indices of what related returns.
const (
	whyReplaced = iota // the state that it took the place of
	whyRedacted        // the redaction that emptied it
	whyEdited
	whyThread // the newest event of its thread
)

// Prepare reads what rendering these events of one room needs beside them: what they replaced, what redacted them,
// their newest edit, their thread, what refers to them. Most events need nothing.
func (t *Timeline) Prepare(ctx context.Context, v *View, events []*store.Event) error {
	for range 2 { // an edit or a thread's last event may itself be redacted or edited
		if err := t.sumUp(ctx, v, events); err != nil {
			return err
		}
		var orders []store.Order
		var whys []int
		var room store.RoomNum
		for _, e := range events {
			for why, o := range v.related(e) {
				if _, ok := v.extras[place{e.Room, o}]; o != 0 && !ok {
					orders, whys, room = append(orders, o), append(whys, why), e.Room
				}
			}
		}
		if len(orders) == 0 {
			return nil
		}
		more, err := t.store.EventsAt(ctx, room, orders...)
		if err != nil {
			return err
		}
		if v.extras == nil {
			v.extras = make(map[place]*store.Event, len(more))
		}
		found := events[:0:0]
		for i, e := range more {
			if e, err = t.part(ctx, v, e, whys[i]); err != nil {
				return err
			}
			v.extras[place{room, orders[i]}] = e
			if e != nil {
				found = append(found, e)
			}
		}
		events = found
	}
	return nil
}

// part returns an event as it is shown as a part of another, nil if it is not.
func (t *Timeline) part(ctx context.Context, v *View, e *store.Event, why int) (*store.Event, error) {
	ok, membership, err := v.shows(ctx, e, why)
	if err != nil || !ok {
		return nil, err
	}
	return t.Shown(ctx, e, membership)
}

// shows reports whether an event, which may be nil, may be shown as a part of another, and the user's membership at it.
// What a state event replaced is part of the event itself, and that an event is empty is explained whoever emptied it.
func (v *View) shows(ctx context.Context, e *store.Event, why int) (ok bool, membership string, err error) {
	if e == nil || why != whyReplaced && why != whyRedacted && v.Ignored.Has(e.Sender) {
		return false, "", nil
	}
	if v.Eyes == nil || why == whyReplaced {
		return true, event.Join, nil
	}
	return v.Eyes.may(ctx, e)
}

// bundles reports whether an event is shown with what relates to it. State events are not; what was redacted is, except
// for its edits.
// spec: client-server-api#aggregations-of-child-events
func bundles(e *store.Event) bool { return e.Aggregate != nil && !e.IsState() }

// edit returns the order of the edit to show with an event, 0 for none.
func (v *View) edit(e *store.Event) store.Order {
	if e.RedactedBy != 0 {
		return 0
	}
	if o, ok := v.edits[place{e.Room, e.Order}]; ok {
		return o
	}
	return e.Aggregate.Edit
}

func (v *View) related(e *store.Event) [4]store.Order {
	out := [4]store.Order{whyReplaced: e.Replaces, whyRedacted: e.RedactedBy}
	if bundles(e) {
		out[whyEdited], out[whyThread] = v.edit(e), v.threads[place{e.Room, e.Order}].last
	}
	return out
}

// sumUp finds the threads, references and edits of these events that the user may see.
func (t *Timeline) sumUp(ctx context.Context, v *View, events []*store.Event) error {
	var roots []*store.Event
	for _, e := range events {
		if !bundles(e) {
			continue
		}
		if e.Aggregate.Thread > 0 {
			roots = append(roots, e)
		}
		if e.Aggregate.References > 0 {
			if err := t.references(ctx, v, e); err != nil {
				return err
			}
		}
		if v.Eyes != nil && e.Aggregate.Edit >= v.Eyes.access.End && e.RedactedBy == 0 {
			if err := t.earlierEdit(ctx, v, e); err != nil {
				return err
			}
		}
	}
	return t.threadSums(ctx, v, roots)
}

// maxReferences bounds the references that are bundled with one event, and maxThread how many relations of one event
// are read to find what a user sees of them.
const (
	maxReferences = 100
	maxThread     = 200
)

// newest reads the newest events that relate to one in a way, with an order below before, at most limit of them.
func (t *Timeline) newest(ctx context.Context, e *store.Event, relType string, before store.Order, limit int) ([]*store.Event, error) {
	var orders []store.Order
	read := 0
	for rel, err := range t.store.Relations(ctx, e.Room, e.Order, store.MinOrder, before, true) {
		if err != nil {
			return nil, err
		}
		if rel.RelType == relType {
			orders = append(orders, rel.Child)
		}
		if read++; len(orders) == limit || read == maxScanned {
			break
		}
	}
	return t.store.EventsAt(ctx, e.Room, orders...)
}

// references finds what refers to an event, the newest last.
func (t *Timeline) references(ctx context.Context, v *View, e *store.Event) error {
	children, err := t.newest(ctx, e, "m.reference", store.MaxOrder, maxReferences)
	if err != nil {
		return err
	}
	var ids []matrix.EventID
	for i := len(children) - 1; i >= 0; i-- {
		ok, _, err := v.shows(ctx, children[i], whyEdited)
		if err != nil {
			return err
		}
		if ok {
			ids = append(ids, children[i].ID)
		}
	}
	if v.references == nil {
		v.references = make(map[place][]matrix.EventID)
	}
	v.references[place{e.Room, e.Order}] = ids
	return nil
}

// earlierEdit finds the newest edit of an event that one who has left may see.
func (t *Timeline) earlierEdit(ctx context.Context, v *View, e *store.Event) error {
	edits, err := t.newest(ctx, e, "m.replace", v.Eyes.access.End, maxThread)
	if err != nil {
		return err
	}
	var newest *store.Event
	for _, c := range edits {
		if c == nil || c.Sender != e.Sender || c.Type != e.Type || c.RedactedBy != 0 {
			continue
		}
		// spec: client-server-api#server-side-aggregation-of-mreplace-relationships
		if newest == nil || c.Time > newest.Time || c.Time == newest.Time && c.ID > newest.ID {
			newest = c
		}
	}
	if v.edits == nil {
		v.edits = make(map[place]store.Order)
	}
	v.edits[place{e.Room, e.Order}] = 0
	if newest != nil {
		v.edits[place{e.Room, e.Order}] = newest.Order
	}
	return nil
}

// threadSum is what a user sees of a thread in short.
type threadSum struct {
	count int64
	last  store.Order // the newest event, 0 if the user may see none
	mine  bool        // the user takes part
}

// threadSums sums up the threads of these roots, which are of one room.
func (t *Timeline) threadSums(ctx context.Context, v *View, roots []*store.Event) error {
	if len(roots) == 0 {
		return nil
	}
	orders := make([]store.Order, len(roots))
	for i, e := range roots {
		orders[i] = e.Order
	}
	mine, err := t.store.InThreads(ctx, roots[0].Room, v.User, orders...)
	if err != nil {
		return err
	}
	if v.threads == nil {
		v.threads = make(map[place]threadSum, len(roots))
	}
	for i, e := range roots {
		sum := threadSum{e.Aggregate.Thread, e.Aggregate.ThreadLast, mine[i]}
		if err := t.narrow(ctx, v, e, &sum); err != nil {
			return err
		}
		v.threads[place{e.Room, e.Order}] = sum
	}
	return nil
}

// narrow takes out of a thread's sum what the user may not or does not want to see. If nobody is ignored and the newest
// event may be seen, nothing is.
func (t *Timeline) narrow(ctx context.Context, v *View, root *store.Event, sum *threadSum) error {
	if v.Ignored.Len() == 0 {
		if v.Eyes == nil {
			return nil
		}
		last, err := t.store.EventsAt(ctx, root.Room, sum.last)
		if err != nil {
			return err
		}
		if ok, _, err := v.shows(ctx, last[0], whyThread); err != nil || ok {
			return err
		}
	}
	end := store.MaxOrder
	if v.Eyes != nil && v.Eyes.access.End < end {
		end = v.Eyes.access.End
		later, err := t.countThread(ctx, root, end)
		if err != nil {
			return err
		}
		sum.count -= later
	}
	sum.last = 0
	children, err := t.newest(ctx, root, "m.thread", end, maxThread)
	if err != nil {
		return err
	}
	for _, c := range children {
		ok, _, err := v.shows(ctx, c, whyThread)
		switch {
		case err != nil:
			return err
		case !ok:
			sum.count--
		case sum.last == 0:
			sum.last = c.Order
		}
	}
	sum.count = max(0, sum.count)
	return nil
}

// countThread counts the events of a thread from an order on, as far as the index is read.
func (t *Timeline) countThread(ctx context.Context, root *store.Event, from store.Order) (n int64, err error) {
	read := 0
	for rel, err := range t.store.Relations(ctx, root.Room, root.Order, from, store.MaxOrder, true) {
		if err != nil {
			return 0, err
		}
		if rel.RelType == "m.thread" {
			n++
		}
		if read++; read == maxScanned {
			break
		}
	}
	return n, nil
}
