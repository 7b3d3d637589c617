package room

import (
	"context"
	"errors"
	"net/http"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// ProfileChanged writes the name and picture of a user's profile, as they are at that moment, into the rooms that
// the user has joined, and returns once all of that is durable. A room that refuses is left as it is.
// spec: client-server-api#events-on-change-of-profile-information
func (rs *Rooms) ProfileChanged(ctx context.Context, user matrix.UserID) error {
	var rooms []store.RoomNum
	for m, err := range rs.store.Memberships(ctx, user) {
		if err != nil {
			return err
		}
		if m.Membership == event.Join {
			rooms = append(rooms, m.Room)
		}
	}
	var tickets []*store.Ticket
	for _, num := range rooms {
		t, err := rs.turn(ctx, num, func(st *stage) error { return st.showProfile(ctx, user) })
		if errors.Is(err, errUnchanged) || isRefusal(err) {
			continue
		}
		if err != nil {
			return err
		}
		tickets = append(tickets, t)
	}
	for _, t := range tickets {
		if err := t.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// showProfile stages the member event that shows a joined user's profile. Who asks for the newest one gets it: the
// profile is read while the room's turn is held.
func (st *stage) showProfile(ctx context.Context, user matrix.UserID) error {
	old, err := st.current(ctx, memberType, string(user))
	if err != nil {
		return err
	}
	if membershipOf(old) != event.Join {
		return errUnchanged
	}
	content := matrix.Without(nil, old.Content, "displayname", "avatar_url", "reason", "third_party_invite", "join_authorised_via_users_server")
	set := func(name, value string) {
		content = matrix.With(nil, content, name, matrix.AppendString(nil, value))
	}
	if err := st.addProfile(ctx, user, content, set); err != nil {
		return err
	}
	target := string(user)
	_, err = st.add(ctx, draftEvent{sender: user, typ: memberType, stateKey: &target, content: content})
	if err == nil && len(st.events) == 0 {
		return errUnchanged
	}
	return err
}

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
