package administration

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *Administration) deletionRoutes(m *wire.Mux) {
	m.Handle("DELETE /admin/v1/rooms/{room}", a.deleteRoom)
	m.Handle("PUT /admin/v1/rooms/{room}/blocked", a.putBlocked)
	m.Handle("GET /admin/v1/deletions", a.getDeletions)
}

// RoomDeletion says how a room is to be deleted.
type RoomDeletion struct {
	Reason string `json:"reason,omitempty"` // what its members read
	Block  bool   `json:"block,omitempty"`  // nobody here may come back
}

// RoomDeleted says what was done at once; what the server keeps of the room is removed after that.
type RoomDeleted struct {
	ID   matrix.RoomID   `json:"id"`
	Left []matrix.UserID `json:"left"` // who was in the room from here, or invited to it
}

// Deletions are the rooms of which something is still to be removed.
type Deletions struct {
	Rooms []matrix.RoomID `json:"rooms"`
}

// maxReason bounds the reason for a deletion, in bytes: it is written once for every member.
const maxReason = 1000

func (a *Administration) deleteRoom(w http.ResponseWriter, r *http.Request) error {
	var q RoomDeletion
	if err := wire.ReadOptional(w, r, maxBody, &q); err != nil {
		return err
	}
	if len(q.Reason) > maxReason {
		return matrix.Errorf(http.StatusRequestEntityTooLarge, matrix.MTooLarge, "A reason has at most %d bytes", maxReason)
	}
	known, err := a.known(r)
	if err != nil {
		return err
	}
	left, err := a.Rooms.Delete(r.Context(), known, q.Reason, q.Block)
	if err != nil {
		return err
	}
	return wire.Answer(w, RoomDeleted{known.ID, append([]matrix.UserID{}, left...)})
}

func (a *Administration) putBlocked(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		On *bool `json:"on"`
	}
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	if q.On == nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "on is missing")
	}
	id, err := matrix.ParseRoomID(r.PathValue("room"))
	if err != nil {
		return err
	}
	known, err := a.Store.RoomByID(r.Context(), id)
	if err != nil {
		return err
	}
	if known == nil || !known.Deleted {
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "No room %s was deleted here", id)
	}
	if err := a.Rooms.SetBlocked(r.Context(), known, *q.On); err != nil {
		return err
	}
	return wire.Empty(w)
}

func (a *Administration) getDeletions(w http.ResponseWriter, r *http.Request) error {
	out := Deletions{Rooms: []matrix.RoomID{}}
	for d, err := range a.Rooms.Deletions(r.Context()) {
		if err != nil {
			return err
		}
		rooms, err := a.Store.RoomsByNum(r.Context(), d.Room)
		if err != nil {
			return err
		}
		if rooms[0] != nil {
			out.Rooms = append(out.Rooms, rooms[0].ID)
		}
	}
	return wire.Answer(w, out)
}

// FinishDeletions does what is left of the deletions of rooms. What fails, or is cut short, is done by the next call.
func (a *Administration) FinishDeletions(ctx context.Context) error {
	var pending []room.Deletion
	for d, err := range a.Rooms.Deletions(ctx) {
		if err != nil {
			return err
		}
		pending = append(pending, d)
	}
	var failed error
	for _, d := range pending {
		if err := a.finishDeletion(ctx, d); err != nil {
			failed = errors.Join(failed, fmt.Errorf("deleting room %d: %w", d.Room, err))
		}
	}
	return failed
}

func (a *Administration) finishDeletion(ctx context.Context, d room.Deletion) error {
	known, err := a.roomByNum(ctx, d.Room)
	if err != nil {
		return err
	}
	if known != nil && !known.Deleted {
		if _, err := a.Rooms.Empty(ctx, d); err != nil {
			return err
		}
		if known, err = a.roomByNum(ctx, d.Room); err != nil {
			return err
		}
	}
	if known == nil {
		return a.Rooms.Deleted(ctx, d.Room)
	}
	if err := a.Directory.ForgetRoom(ctx, known); err != nil {
		return err
	}
	if err := a.Push.ForgetRoom(ctx, d.Room, a.Rooms.Touched(ctx, known)); err != nil {
		return err
	}
	for user, err := range a.Rooms.Touched(ctx, known) {
		if err == nil {
			err = a.Accounts.ForgetRoom(ctx, user, d.Room)
		}
		if err != nil {
			return err
		}
	}
	if err := a.Rooms.Purge(ctx, d); err != nil {
		return err
	}
	return a.Rooms.Deleted(ctx, d.Room)
}

func (a *Administration) roomByNum(ctx context.Context, num store.RoomNum) (*store.Room, error) {
	rooms, err := a.Store.RoomsByNum(ctx, num)
	if err != nil {
		return nil, err
	}
	return rooms[0], nil
}
