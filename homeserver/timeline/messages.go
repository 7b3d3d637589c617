package timeline

import (
	"context"
	"slices"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// Seen is an event that a user may see.
type Seen struct {
	*store.Event
	Membership string // the user's, at the event
}

// Page is a part of a room's timeline.
type Page struct {
	Events     []Seen
	Start, End string // tokens; End is "" if nothing more follows in the page's direction
	State      []Seen // member events of the senders, for clients that load members lazily
}

// PageRequest asks for a page.
type PageRequest struct {
	From, To string // tokens; "" is the timeline's end (backward) or beginning (forward), and no bound
	Backward bool
	Limit    int
	Filter   *EventFilter
}

// maxScanned bounds how many events are read for one page, so that pages full of what the user may not see end.
const maxScanned = 5000

// Messages returns a page of a room's timeline.
// spec: client-server-api#get_matrixclientv3roomsroomidmessages
func (t *Timeline) Messages(ctx context.Context, user matrix.UserID, room *store.Room, a Access, q PageRequest) (*Page, error) {
	from, to := store.MinOrder, a.End
	var err error
	if q.From != "" {
		at, err := t.boundary(ctx, room, "from", q.From)
		if err != nil {
			return nil, err
		}
		if q.Backward {
			to = min(to, at)
		} else {
			from = at
		}
	}
	if q.To != "" {
		at, err := t.boundary(ctx, room, "to", q.To)
		if err != nil {
			return nil, err
		}
		if q.Backward {
			from = at
		} else {
			to = min(to, at)
		}
	}
	p := &Page{Start: q.From}
	eyes := t.Eyes(user, room.Num, a)
	events, next, err := t.collect(ctx, eyes, from, to, q.Backward, q.Limit, q.Filter)
	if err != nil {
		return nil, err
	}
	p.Events = events
	if p.Start == "" {
		p.Start = startToken(events, q.Backward, to)
	}
	if next != nil {
		p.End = Token(*next)
	}
	if q.Filter != nil && q.Filter.LazyLoadMembers {
		p.State, err = t.membersOf(ctx, user, room, a, events)
	}
	return p, err
}

func startToken(events []Seen, backward bool, to store.Order) string {
	switch {
	case len(events) > 0 && backward:
		return Token(events[0].Order + 1)
	case len(events) > 0:
		return Token(events[0].Order)
	case to == store.MaxOrder:
		return Token(1)
	}
	return Token(to)
}

// collect reads up to limit events that the user sees and the filter selects. next is the boundary at which the
// next page begins, nil if there is nothing more.
func (t *Timeline) collect(ctx context.Context, eyes *Eyes, from, to store.Order, backward bool, limit int, f *EventFilter) (out []Seen, next *store.Order, err error) {
	if limit <= 0 || from >= to {
		return nil, nil, nil
	}
	scanned := 0
	var last store.Order
	for e, err := range t.store.Timeline(ctx, eyes.room, from, to, backward) {
		if err != nil {
			return nil, nil, err
		}
		if len(out) == limit || scanned == maxScanned {
			boundary := last
			if !backward {
				boundary = last + 1
			}
			return out, &boundary, nil
		}
		scanned++
		last = e.Order
		if f != nil && !f.Selects(e) {
			continue
		}
		ok, membership, err := eyes.Sees(ctx, e)
		if err != nil {
			return nil, nil, err
		}
		if ok && f.relates(ctx, t, e, &err) {
			out = append(out, Seen{e, membership})
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return out, nil, nil
}

// relates reports whether the filter's Related fields select an event.
func (f *EventFilter) relates(ctx context.Context, t *Timeline, e *store.Event, failed *error) bool {
	if f == nil || f.RelatedByRelTypes == nil && f.RelatedBySenders == nil {
		return true
	}
	if e.Aggregate == nil {
		return false
	}
	read := 0
	for rel, err := range t.store.Relations(ctx, e.Room, e.Order, store.MinOrder, store.MaxOrder, true) {
		if err != nil {
			*failed = err
			return false
		}
		if read++; read > maxThread {
			return false
		}
		if f.RelatedByRelTypes != nil && !slices.Contains(f.RelatedByRelTypes, rel.RelType) {
			continue
		}
		if f.RelatedBySenders == nil {
			return true
		}
		child, err := t.store.EventsAt(ctx, e.Room, rel.Child)
		if err != nil {
			*failed = err
			return false
		}
		if child[0] != nil && slices.Contains(f.RelatedBySenders, child[0].Sender) {
			return true
		}
	}
	return false
}

// membersOf returns the member events, as of the newest state the user may see, of those who sent these events.
// spec: client-server-api#lazy-loading-room-members
func (t *Timeline) membersOf(ctx context.Context, user matrix.UserID, room *store.Room, a Access, events []Seen) ([]Seen, error) {
	var keys []event.Key
	for _, e := range events {
		k := event.Key{Type: "m.room.member", StateKey: string(e.Sender)}
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	members, err := t.store.StateEvents(ctx, room.Num, a.State, keys...)
	if err != nil {
		return nil, err
	}
	var out []Seen
	for _, m := range members {
		if m != nil {
			out = append(out, Seen{Event: m})
		}
	}
	return out, nil
}

// Event returns one event that the user may see; the error is M_NOT_FOUND otherwise.
// spec: client-server-api#get_matrixclientv3roomsroomideventeventid
func (t *Timeline) Event(ctx context.Context, user matrix.UserID, room *store.Room, a Access, id matrix.EventID) (*Seen, error) {
	e, err := t.store.EventByID(ctx, id)
	if err != nil {
		return nil, err
	}
	if e == nil || e.Room != room.Num {
		return nil, errNoEvent()
	}
	ok, membership, err := t.Eyes(user, room.Num, a).Sees(ctx, e)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errNoEvent()
	}
	return &Seen{e, membership}, nil
}

func errNoEvent() error {
	return matrix.Errorf(404, matrix.MNotFound, "There is no such event, or you may not see it")
}
