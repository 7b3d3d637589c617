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

// Relations returns events that relate to one, by the order in which they came.
// spec: client-server-api#get_matrixclientv1roomsroomidrelationseventid
func (t *Timeline) Relations(ctx context.Context, user matrix.UserID, room *store.Room, a Access, q RelationsRequest) (*Relations, error) {
	parent, err := t.Event(ctx, user, room, a, q.Parent)
	if err != nil {
		return nil, err
	}
	from, to := store.MinOrder, a.End
	if err := t.bounds(ctx, room, &q, &from, &to); err != nil {
		return nil, err
	}
	children, more, err := t.children(ctx, room, parent.Order, from, to, &q)
	if err != nil {
		return nil, err
	}
	out := &Relations{Events: []Seen{}, Prev: q.From}
	if q.Recurse {
		out.Depth = maxRecursion
	}
	eyes := t.Eyes(user, room.Num, a)
	for i, e := range children {
		ok, membership, err := eyes.Sees(ctx, e)
		if err != nil {
			return nil, err
		}
		if ok && e.RedactedBy == 0 {
			out.Events = append(out.Events, Seen{e, membership})
		}
		end := i == len(children)-1
		if len(out.Events) == q.Limit && !end || end && more {
			out.Next = Token(after(e.Order, q.Backward))
			break
		}
	}
	return out, nil
}

// after returns the boundary behind an event in the direction of reading.
func after(o store.Order, backward bool) store.Order {
	if backward {
		return o
	}
	return o + 1
}

func (t *Timeline) bounds(ctx context.Context, room *store.Room, q *RelationsRequest, from, to *store.Order) error {
	low, high := q.From, q.To
	if q.Backward {
		low, high = q.To, q.From
	}
	if low != "" {
		at, err := t.boundary(ctx, room, "from", low)
		if err != nil {
			return err
		}
		*from = at
	}
	if high != "" {
		at, err := t.boundary(ctx, room, "to", high)
		if err != nil {
			return err
		}
		*to = min(*to, at)
	}
	return nil
}

// children returns what relates to an event, some more than the limit if there are as many, and whether there are
// yet others; with Recurse also what relates to that, all merged in order.
func (t *Timeline) children(ctx context.Context, room *store.Room, parent, from, to store.Order, q *RelationsRequest) (out []*store.Event, more bool, err error) {
	var picked []store.Order
	parents := []store.Order{parent}
	depth := 1
	if q.Recurse {
		depth = maxRecursion
	}
	for level := 0; level < depth && len(parents) > 0; level++ {
		var next []store.Order
		for _, p := range parents {
			low, high := from, to
			if q.Recurse {
				low, high = store.MinOrder, store.MaxOrder // a child within the bounds may hang on one outside
			}
			read := 0
			for rel, err := range t.store.Relations(ctx, room.Num, p, low, high, q.Backward) {
				if err != nil {
					return nil, false, err
				}
				next = append(next, rel.Child)
				if (q.RelType == "" || q.RelType == rel.RelType) && (q.Type == "" || q.Type == rel.Type) && rel.Child >= from && rel.Child < to {
					picked = append(picked, rel.Child)
				}
				if read++; !q.Recurse && len(picked) > q.Limit+maxHidden || read == maxScanned {
					break
				}
			}
			if len(next) > maxScanned {
				break
			}
		}
		parents = next
	}
	sortOrders(picked, q.Backward)
	if more = len(picked) > q.Limit+maxHidden; more {
		picked = picked[:q.Limit+maxHidden]
	}
	events, err := t.store.EventsAt(ctx, room.Num, picked...)
	if err != nil {
		return nil, false, err
	}
	out = events[:0]
	for _, e := range events {
		if e != nil {
			out = append(out, e)
		}
	}
	return out, more, nil
}

// maxHidden is how many more children are read than asked for, since some may be hidden from the user.
const maxHidden = 100
