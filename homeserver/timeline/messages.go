package timeline

import (
	"context"
	"net/http"
	"slices"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
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
	if !q.Filter.Room(room.ID) {
		q.Limit = 0
	}
	p := &Page{Start: q.From}
	events, next, err := t.collect(ctx, room, t.Eyes(user, room.Num, a), from, to, &q)
	if err != nil {
		return nil, err
	}
	p.Events = events
	if p.Start == "" {
		if p.Start, err = t.startToken(ctx, room, from, to, &q, events); err != nil {
			return nil, err
		}
	}
	if next != nil {
		p.End = Token(*next)
	}
	if q.Filter != nil && q.Filter.LazyLoadMembers && len(events) > 0 {
		p.State, err = t.membersOf(ctx, room, events[0].After, events)
	}
	return p, err
}

// startToken names the boundary before the first event, in the direction of reading, whether a filter selects that or not:
// who goes on from there the other way, or with another filter, misses nothing.
func (t *Timeline) startToken(ctx context.Context, room *store.Room, from, to store.Order, q *PageRequest, events []Seen) (string, error) {
	if q.Filter.all() && len(events) > 0 {
		return startBefore(events[0].Event, q.Backward), nil
	}
	for e, err := range t.store.Timeline(ctx, room.Num, from, to, q.Backward) {
		if err != nil {
			return "", err
		}
		return startBefore(e, q.Backward), nil
	}
	return Token(min(to, max(from, 1))), nil
}

// startBefore names the boundary before an event, in the direction of reading.
func startBefore(e *store.Event, backward bool) string {
	if backward {
		return Token(e.Order + 1)
	}
	return Token(e.Order)
}

// collect reads up to the request's limit of events that the user sees and its filter selects. next is the boundary at
// which the next page begins, nil if there is nothing more.
func (t *Timeline) collect(ctx context.Context, room *store.Room, eyes *Eyes, from, to store.Order, q *PageRequest) (out []Seen, next *store.Order, err error) {
	f := q.Filter
	if q.Limit <= 0 || from >= to || f != nil && !f.Room(room.ID) {
		return nil, nil, nil
	}
	related := relating{t: t, filter: f}
	scanned := 0
	var last store.Order
	for e, err := range t.store.Timeline(ctx, room.Num, from, to, q.Backward) {
		if err != nil {
			return nil, nil, err
		}
		if len(out) == q.Limit || scanned == maxScanned || related.read >= maxScanned {
			boundary := after(last, q.Backward)
			return out, &boundary, nil
		}
		scanned++
		last = e.Order
		if f != nil && !f.Selects(e) {
			continue
		}
		seen, ok, err := eyes.See(ctx, e)
		if err == nil && ok {
			ok, err = related.selects(ctx, e)
		}
		if err != nil {
			return nil, nil, err
		}
		if ok {
			out = append(out, seen)
		}
	}
	return out, nil, nil
}

// Selects reports whether a filter, which may be nil, selects an event, its Related fields included. Rooms are not looked
// at.
func (t *Timeline) Selects(ctx context.Context, f *EventFilter, e *store.Event) (bool, error) {
	if f == nil || !f.Selects(e) {
		return f == nil, nil
	}
	r := relating{t: t, filter: f}
	return r.selects(ctx, e)
}

// relating decides for one page about a filter's Related fields.
type relating struct {
	t      *Timeline
	filter *EventFilter
	read   int // relations so far
}

// selects reports whether the Related fields select an event. Of an event with very many relations the newest decide.
// spec: client-server-api#filtering
func (r *relating) selects(ctx context.Context, e *store.Event) (bool, error) {
	f := r.filter
	if f == nil || len(f.RelatedByRelTypes) == 0 && len(f.RelatedBySenders) == 0 {
		return true, nil
	}
	if e.Aggregate == nil {
		return false, nil
	}
	read := 0
	for rel, err := range r.t.store.Relations(ctx, e.Room, e.Order, store.MinOrder, store.MaxOrder, true) {
		if err != nil {
			return false, err
		}
		r.read++
		if read++; read > maxThread {
			break
		}
		if len(f.RelatedByRelTypes) > 0 && !slices.Contains(f.RelatedByRelTypes, rel.RelType) {
			continue
		}
		if len(f.RelatedBySenders) == 0 {
			return true, nil
		}
		child, err := r.t.store.EventsAt(ctx, e.Room, rel.Child)
		if err != nil {
			return false, err
		}
		if child[0] != nil && slices.Contains(f.RelatedBySenders, child[0].Sender) {
			return true, nil
		}
	}
	return false, nil
}

// membersOf returns the member events, in a state of the room, of those who sent these events.
// spec: client-server-api#lazy-loading-room-members
func (t *Timeline) membersOf(ctx context.Context, room *store.Room, root blob.Hash, events []Seen) ([]Seen, error) {
	var keys []event.Key
	known := make(map[matrix.UserID]bool)
	for _, e := range events {
		if !known[e.Sender] {
			known[e.Sender] = true
			keys = append(keys, event.Key{Type: event.TypeMember, StateKey: string(e.Sender)})
		}
	}
	members, err := t.store.StateEvents(ctx, room.Num, root, keys...)
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
	e, err := t.event(ctx, t.Eyes(user, room.Num, a), id)
	if err == nil && a.Hides(e.Event) {
		return nil, errNoEvent()
	}
	return e, err
}

// event is Event for who ignores nobody.
func (t *Timeline) event(ctx context.Context, eyes *Eyes, id matrix.EventID) (*Seen, error) {
	e, err := t.store.EventByID(ctx, id)
	if err != nil {
		return nil, err
	}
	if e == nil || e.Room != eyes.room {
		return nil, errNoEvent()
	}
	seen, ok, err := eyes.look(ctx, e)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errNoEvent()
	}
	return &seen, nil
}

func errNoEvent() error {
	return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no such event, or you may not see it")
}
