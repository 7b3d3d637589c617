package search

import (
	"context"
	"slices"

	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/event"
)

// maxPredecessors bounds the older rooms that a filter brings with it.
const maxPredecessors = 100

// predecessors returns the rooms of which those that a filter names are upgrades, and of which these are, and so on.
// spec: client-server-api#room-upgrades
func (x *Index) predecessors(ctx context.Context, f *timeline.EventFilter) ([]matrix.RoomID, error) {
	if f == nil || f.Rooms == nil {
		return nil, nil
	}
	var older []matrix.RoomID
	for _, id := range *f.Rooms {
		for len(older) < maxPredecessors {
			room, err := x.store.RoomByID(ctx, id)
			if err != nil {
				return nil, err
			}
			if room == nil || room.Deleted {
				break
			}
			if id, err = x.predecessor(ctx, room); err != nil {
				return nil, err
			}
			if id == "" || slices.Contains(older, id) {
				break
			}
			older = append(older, id)
		}
	}
	return older, nil
}

// predecessor returns the room that a room says it replaces, "" if none.
func (x *Index) predecessor(ctx context.Context, room *store.Room) (matrix.RoomID, error) {
	created, err := x.store.StateEvents(ctx, room.Num, room.State, event.Key{Type: event.TypeCreate})
	if err != nil || created[0] == nil {
		return "", err
	}
	id, _ := matrix.StringField(created[0].Content, "predecessor", "room_id")
	return matrix.RoomID(id), nil
}
