package timeline

import (
	"context"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// RelationsRequest asks for the events that relate to one.
type RelationsRequest struct {
	Parent        matrix.EventID
	RelType, Type string // "" is any
	From, To      string // tokens of earlier answers, or of /sync and /messages
	Backward      bool
	Limit         int
	Recurse       bool
}

// Relations are the events that relate to one.
type Relations struct {
	Events     []Seen
	Prev, Next string // tokens; "" if there is nothing more
	Depth      int    // of the recursion
}

// maxRecursion is how many relations are followed from child to child.
const maxRecursion = 3

// Relations returns events that relate to one, by the order in which they came. Those who left see of what came later what
// the world may see.
// spec: client-server-api#get_matrixclientv1roomsroomidrelationseventid
func (t *Timeline) Relations(ctx context.Context, user matrix.UserID, room *store.Room, a Access, q RelationsRequest) (*Relations, error) {
	a.End = store.MaxOrder // each event's history visibility decides
	eyes := t.Eyes(user, room.Num, a)
	parent, err := t.event(ctx, eyes, q.Parent)
	if err != nil {
		return nil, err
	}
	from, to := store.MinOrder, a.End
	if err := t.bounds(ctx, room, &q, &from, &to); err != nil {
		return nil, err
	}
	children, rest, err := t.children(ctx, room.Num, parent.Order, from, to, &q)
	if err != nil {
		return nil, err
	}
	out := &Relations{Events: []Seen{}, Prev: q.From, Depth: q.depth()}
	for i, e := range children {
		seen, ok, err := eyes.See(ctx, e)
		if err != nil {
			return nil, err
		}
		if ok && e.RedactedBy == 0 {
			out.Events = append(out.Events, seen)
		}
		if len(out.Events) == q.Limit && i < len(children)-1 {
			out.Next = Token(after(e.Order, q.Backward))
			return out, nil
		}
	}
	if rest != nil {
		out.Next = Token(*rest)
	}
	return out, nil
}

// depth returns how many relations are followed from the event.
func (q *RelationsRequest) depth() int {
	if q.Recurse {
		return maxRecursion
	}
	return 1
}

// after returns the boundary behind an event in the direction of reading.
func after(o store.Order, backward bool) store.Order {
	if backward {
		return o
	}
	return o + 1
}

// bounds reads the request's tokens into the orders from (included) and to (excluded).
func (t *Timeline) bounds(ctx context.Context, room *store.Room, q *RelationsRequest, from, to *store.Order) error {
	if q.From != "" {
		at, err := t.boundary(ctx, room, "from", q.From)
		if err != nil {
			return err
		}
		if q.Backward {
			*to = min(*to, at)
		} else {
			*from = at
		}
	}
	if q.To != "" {
		at, err := t.boundary(ctx, room, "to", q.To)
		if err != nil {
			return err
		}
		if q.Backward {
			*from = at
		} else {
			*to = min(*to, at)
		}
	}
	return nil
}

// maxHidden is how many more children are read than asked for, since some may be hidden from the user.
const maxHidden = 100

// children returns what relates to an event, some more than the limit if there are as many. rest is the boundary behind
// which there may be others, nil if there are none.
func (t *Timeline) children(ctx context.Context, room store.RoomNum, parent, from, to store.Order, q *RelationsRequest) (out []*store.Event, rest *store.Order, err error) {
	var picked []store.Order
	if q.Recurse {
		picked, err = t.descendants(ctx, room, parent, from, to, q)
	} else {
		picked, rest, err = t.directly(ctx, room, parent, from, to, q)
	}
	if err != nil {
		return nil, nil, err
	}
	if most := q.Limit + maxHidden; len(picked) > most {
		boundary := after(picked[most-1], q.Backward)
		picked, rest = picked[:most], &boundary
	}
	events, err := t.store.EventsAt(ctx, room, picked...)
	if err != nil {
		return nil, nil, err
	}
	out = events[:0]
	for _, e := range events {
		if e != nil {
			out = append(out, e)
		}
	}
	return out, rest, nil
}

// selects reports whether the request is about relations of this kind.
func (q *RelationsRequest) selects(rel *store.Relation) bool {
	return (q.RelType == "" || q.RelType == rel.RelType) && (q.Type == "" || q.Type == rel.Type)
}

// directly returns the children of one event in the order of the request. It stops when there are enough, or when
// enough others were read; rest is then the boundary behind the last one.
func (t *Timeline) directly(ctx context.Context, room store.RoomNum, parent, from, to store.Order, q *RelationsRequest) (picked []store.Order, rest *store.Order, err error) {
	read := 0
	for rel, err := range t.store.Relations(ctx, room, parent, from, to, q.Backward) {
		if err != nil {
			return nil, nil, err
		}
		if q.selects(&rel) {
			picked = append(picked, rel.Child)
		}
		if read++; len(picked) > q.Limit+maxHidden || read == maxScanned {
			boundary := after(rel.Child, q.Backward)
			return picked, &boundary, nil
		}
	}
	return picked, nil, nil
}

// descendants returns the children of an event and, up to a depth, theirs, in the order of the request. A child within
// the bounds may hang on one outside, so all are looked at, maxScanned at most, those near the event first.
func (t *Timeline) descendants(ctx context.Context, room store.RoomNum, parent, from, to store.Order, q *RelationsRequest) ([]store.Order, error) {
	var picked []store.Order
	read := 0
	parents := []store.Order{parent}
	for range maxRecursion {
		var next []store.Order
		for _, p := range parents {
			for rel, err := range t.store.Relations(ctx, room, p, store.MinOrder, store.MaxOrder, true) {
				if err != nil {
					return nil, err
				}
				if read++; read > maxScanned {
					sortOrders(picked, q.Backward)
					return picked, nil
				}
				if !q.selects(&rel) {
					continue // spec: nor what is related through it only
				}
				next = append(next, rel.Child)
				if rel.Child >= from && rel.Child < to {
					picked = append(picked, rel.Child)
				}
			}
		}
		parents = next
	}
	sortOrders(picked, q.Backward)
	return picked, nil
}
