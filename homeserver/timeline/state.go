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

func sortOrders(orders []store.Order, backward bool) {
	slices.Sort(orders)
	if backward {
		slices.Reverse(orders)
	}
}

// State returns all state events that the user sees as the room's state.
// spec: client-server-api#get_matrixclientv3roomsroomidstate
func (t *Timeline) State(ctx context.Context, room *store.Room, a Access) ([]*store.Event, error) {
	return t.stateAt(ctx, room, a.State, nil)
}

func (t *Timeline) stateAt(ctx context.Context, room *store.Room, root blob.Hash, typ *string) ([]*store.Event, error) {
	var entries []store.StateEntry
	for e, err := range t.store.ScanState(ctx, root, typ) {
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return t.store.EntryEvents(ctx, room.Num, entries)
}

// StateEvent returns one state event; the error is M_NOT_FOUND if there is none.
// spec: client-server-api#get_matrixclientv3roomsroomidstateeventtypestatekey
func (t *Timeline) StateEvent(ctx context.Context, room *store.Room, a Access, typ, key string) (*store.Event, error) {
	events, err := t.store.StateEvents(ctx, room.Num, a.State, event.Key{Type: typ, StateKey: key})
	if err != nil {
		return nil, err
	}
	if events[0] == nil {
		return nil, matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "The room has no such state")
	}
	return events[0], nil
}

// Members returns the member events of a room at a token ("" is now), those with a membership and without
// another, if these are not "".
// spec: client-server-api#get_matrixclientv3roomsroomidmembers
func (t *Timeline) Members(ctx context.Context, room *store.Room, a Access, at, membership, notMembership string) ([]*store.Event, error) {
	root := a.State
	if at != "" {
		boundary, err := t.boundary(ctx, room, "at", at)
		if err != nil {
			return nil, err
		}
		if root, err = t.rootBefore(ctx, room, min(boundary, a.End), root); err != nil {
			return nil, err
		}
	}
	typ := "m.room.member"
	events, err := t.stateAt(ctx, room, root, &typ)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(events, func(e *store.Event) bool {
		m := e.Membership()
		return membership != "" && m != membership || notMembership != "" && m == notMembership
	}), nil
}

// rootBefore returns the state at a boundary.
func (t *Timeline) rootBefore(ctx context.Context, room *store.Room, boundary store.Order, otherwise blob.Hash) (blob.Hash, error) {
	for e, err := range t.store.Timeline(ctx, room.Num, store.MinOrder, boundary, true) {
		if err != nil {
			return blob.Hash{}, err
		}
		if e.Visible() {
			return e.After, nil
		}
	}
	return otherwise, nil
}
