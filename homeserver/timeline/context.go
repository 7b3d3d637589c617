package timeline

import (
	"context"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// Context is an event with what surrounds it.
type Context struct {
	Event         Seen
	Before, After []Seen // newest first; oldest first
	Start, End    string // tokens to page on from
	State         []Seen // at the last event
}

// Context returns an event with up to limit events around it, half before it.
// spec: client-server-api#get_matrixclientv3roomsroomidcontexteventid
func (t *Timeline) Context(ctx context.Context, user matrix.UserID, room *store.Room, a Access, id matrix.EventID, limit int, f *EventFilter) (*Context, error) {
	e, err := t.Event(ctx, user, room, a, id)
	if err != nil {
		return nil, err
	}
	eyes := t.Eyes(user, room.Num, a)
	c := &Context{Event: *e, Start: Token(e.Order), End: Token(e.Order + 1)}
	half := limit / 2
	var next *store.Order
	if c.Before, next, err = t.collect(ctx, eyes, store.MinOrder, e.Order, true, half, f); err != nil {
		return nil, err
	}
	if n := len(c.Before); n > 0 {
		c.Start = Token(c.Before[n-1].Order)
	}
	if next != nil {
		c.Start = Token(*next)
	}
	if c.After, next, err = t.collect(ctx, eyes, e.Order+1, a.End, false, limit-half, f); err != nil {
		return nil, err
	}
	last := e.Event
	if n := len(c.After); n > 0 {
		last = c.After[n-1].Event
		c.End = Token(last.Order + 1)
	}
	if next != nil {
		c.End = Token(*next)
	}
	c.State, err = t.stateAround(ctx, user, room, a, c, last, f)
	return c, err
}

func (t *Timeline) stateAround(ctx context.Context, user matrix.UserID, room *store.Room, a Access, c *Context, last *store.Event, f *EventFilter) ([]Seen, error) {
	var out []Seen
	lazy := f != nil && f.LazyLoadMembers
	var entries []store.StateEntry
	for entry, err := range t.store.ScanState(ctx, last.After, nil) {
		if err != nil {
			return nil, err
		}
		if (!lazy || entry.Key.Type != "m.room.member") && (f == nil || f.Type(entry.Key.Type)) {
			entries = append(entries, entry)
		}
	}
	events, err := t.store.EntryEvents(ctx, room.Num, entries)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		out = append(out, Seen{Event: e})
	}
	if !lazy {
		return out, nil
	}
	all := append(append([]Seen{c.Event}, c.Before...), c.After...)
	at := a
	at.State = last.After
	members, err := t.membersOf(ctx, user, room, at, all)
	return append(out, members...), err
}
