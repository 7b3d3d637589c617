package room

import (
	"context"
	"net/http"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// Forget hides a room that the user has left, and returns once that is durable. The error is M_UNKNOWN (400) if
// the user has not left it.
// spec: client-server-api#leaving-rooms
func (rs *Rooms) Forget(ctx context.Context, room *store.Room, user matrix.UserID) error {
	t, err := rs.turn(ctx, room.Num, func(st *stage) error { return st.forget(ctx, user) })
	if err != nil {
		return err
	}
	return t.Wait(ctx)
}

func (st *stage) forget(ctx context.Context, user matrix.UserID) error {
	m, err := st.membership(ctx, user)
	if err != nil || m == nil || m.Forgotten {
		return err
	}
	if m.Membership != event.Leave && m.Membership != event.Ban {
		return matrix.Errorf(http.StatusBadRequest, matrix.MUnknown, "Leave the room before you forget it")
	}
	changed := *m
	changed.Forgotten = true
	st.putMember(user, &changed)
	st.writes = append(st.writes, func(tx *store.Tx) {
		changed.Pos = tx.Note(store.Note{Kind: store.KindForgotten, Room: changed.Room, User: user})
		tx.PutMembership(user, &changed)
	})
	return nil
}
