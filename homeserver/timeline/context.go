package timeline

import (
	"context"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// Context is an event with what surrounds it.
type Context struct {
	Event         Seen
	Before, After []Seen // newest first; oldest first
	Start, End    string // tokens to page on from
	// Root is the state at the last event. Members are those of its member events that a client which loads members
	// lazily needs; it gets no others.
	Root    blob.Hash
	Members []Seen
}

// Context returns an event with up to limit events around it, half before it. Those who left see of what came later what
// the world may see.
// spec: client-server-api#get_matrixclientv3roomsroomidcontexteventid
func (t *Timeline) Context(ctx context.Context, user matrix.UserID, room *store.Room, a Access, id matrix.EventID, limit int, f *EventFilter) (*Context, error) {
	a.End = store.MaxOrder // each event's history visibility decides
	e, err := t.Event(ctx, user, room, a, id)
	if err != nil {
		return nil, err
	}
	if !f.Room(room.ID) {
		limit = 0
	}
	c, err := t.Around(ctx, room, t.Eyes(user, room.Num, a), *e, limit/2, limit-limit/2, f)
	if err != nil {
		return nil, err
	}
	if f == nil || !f.LazyLoadMembers {
		return c, nil
	}
	all := append(append([]Seen{c.Event}, c.Before...), c.After...)
	c.Members, err = t.membersOf(ctx, room, c.Root, all)
	return c, err
}

// Around returns an event that the user sees with up to so many events before and after it, without Members.
func (t *Timeline) Around(ctx context.Context, room *store.Room, eyes *Eyes, e Seen, before, after int, f *EventFilter) (c *Context, err error) {
	c = &Context{Event: e, Start: Token(e.Order), End: Token(e.Order + 1), Root: e.After}
	q := PageRequest{Backward: true, Limit: before, Filter: f}
	var next *store.Order
	if c.Before, next, err = t.collect(ctx, room, eyes, store.MinOrder, e.Order, &q); err != nil {
		return nil, err
	}
	if n := len(c.Before); n > 0 {
		c.Start = Token(c.Before[n-1].Order)
	}
	if next != nil {
		c.Start = Token(*next)
	}
	q = PageRequest{Limit: after, Filter: f}
	if c.After, next, err = t.collect(ctx, room, eyes, e.Order+1, eyes.access.End, &q); err != nil {
		return nil, err
	}
	if n := len(c.After); n > 0 {
		c.Root = c.After[n-1].After
		c.End = Token(c.After[n-1].Order + 1)
	}
	if next != nil {
		c.End = Token(*next)
	}
	return c, nil
}
