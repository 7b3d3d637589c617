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

// Entries returns the entries of a state, of one event type only unless typ is nil, and without another type unless
// that is nil.
// spec: client-server-api#get_matrixclientv3roomsroomidstate
func (t *Timeline) Entries(ctx context.Context, root blob.Hash, typ, except *string) ([]store.StateEntry, error) {
	var entries []store.StateEntry
	for e, err := range t.store.ScanState(ctx, root, typ) {
		if err != nil {
			return nil, err
		}
		if except == nil || e.Key.Type != *except {
			entries = append(entries, e)
		}
	}
	return entries, nil
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

// At returns the state of a room at a token. The error is M_FORBIDDEN if the user could not see the room then.
// spec: client-server-api#get_matrixclientv3roomsroomidmembers (at)
func (t *Timeline) At(ctx context.Context, user matrix.UserID, room *store.Room, a Access, token string) (blob.Hash, error) {
	boundary, err := t.boundary(ctx, room, "at", token)
	if err != nil {
		return blob.Hash{}, err
	}
	if boundary >= a.End {
		return a.State, nil
	}
	e, err := t.lastVisible(ctx, room, boundary)
	if err != nil {
		return blob.Hash{}, err
	}
	if e == nil {
		return blob.Hash{}, matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "Nothing is known of the room as of that token")
	}
	eyes := t.Eyes(user, room.Num, a)
	c, err := eyes.at(ctx, e.After)
	if err != nil {
		return blob.Hash{}, err
	}
	if !eyes.allows(c, e) {
		return blob.Hash{}, matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You may not see the room as of that token")
	}
	return e.After, nil
}

// lastVisible returns the last event before a boundary that is not hidden from everybody, nil if there is none among
// those that are looked at.
func (t *Timeline) lastVisible(ctx context.Context, room *store.Room, boundary store.Order) (*store.Event, error) {
	read := 0
	for e, err := range t.store.Timeline(ctx, room.Num, store.MinOrder, boundary, true) {
		if err != nil {
			return nil, err
		}
		if e.Visible() {
			return e, nil
		}
		if read++; read == maxScanned {
			break
		}
	}
	return nil, nil
}
