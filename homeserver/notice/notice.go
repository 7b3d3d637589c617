// Package notice sends the server's own messages to its users, each in a room of that user with the server's user.
//
// The server's user is made when the first notice is sent. Its name is reserved: nobody can register it. A user is
// invited to the room, and the room is tagged m.server_notice for the user. A user who has left it is invited again by
// the next notice, so there is never more than one room of a user.
//
// # Table
//
//	notice   user     the room's id
package notice

import (
	"context"
	"fmt"
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

const tableNotices = "notice"

// MsgType is that of a notice, and Tag marks the room in the user's account data.
// spec: client-server-api#server-notices
const MsgType, Tag = "m.server_notice", "m.server_notice"

// plainType is the server_notice_type of what an administrator says in words; the specification demands one, and
// knows none for it.
const plainType = "hearth.message"

// MaxBody bounds the text of a notice, in bytes.
const MaxBody = 32 << 10

// Options say who sends notices.
type Options struct {
	User matrix.UserID // the server's user; "" turns notices off
	Name string        // its display name, and the rooms'
}

// Notices sends notices to the users of one server.
type Notices struct {
	o        Options
	store    *store.Store
	accounts *account.Accounts
	rooms    *room.Rooms
	turn     chan struct{} // capacity 1; full while a notice is sent, so that no user gets two rooms
}

// New returns the notices of the server whose rooms these are.
func New(s *store.Store, accounts *account.Accounts, rooms *room.Rooms, o Options) *Notices {
	return &Notices{o: o, store: s, accounts: accounts, rooms: rooms, turn: make(chan struct{}, 1)}
}

// Sent is where a notice was sent.
type Sent struct {
	Room  matrix.RoomID
	Event matrix.EventID
}

// Send sends a text to a user and returns once it is durable.
//
// Errors: M_UNRECOGNIZED (404) if notices are turned off; M_NOT_FOUND (404) without such a user; M_USER_DEACTIVATED
// (403); M_TOO_LARGE (413); M_USER_IN_USE (400) if the server's user is somebody's; those of inviting.
func (n *Notices) Send(ctx context.Context, user matrix.UserID, body string) (Sent, error) {
	switch {
	case n.o.User == "":
		return Sent{}, matrix.Errorf(http.StatusNotFound, matrix.MUnrecognized, "Notices are turned off by the setting server_notices.user")
	case body == "":
		return Sent{}, matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "A notice needs a text")
	case len(body) > MaxBody:
		return Sent{}, matrix.Errorf(http.StatusRequestEntityTooLarge, matrix.MTooLarge, "A notice has at most %d bytes", MaxBody)
	}
	if err := n.mayReceive(ctx, user); err != nil {
		return Sent{}, err
	}
	select {
	case n.turn <- struct{}{}:
		defer func() { <-n.turn }()
	case <-ctx.Done():
		return Sent{}, ctx.Err()
	}
	if err := n.appear(ctx); err != nil {
		return Sent{}, err
	}
	with, err := n.room(ctx, user)
	if err != nil {
		return Sent{}, err
	}
	if err := n.tag(ctx, user, with.Num); err != nil {
		return Sent{}, err
	}
	content := matrix.AppendString([]byte(`{"msgtype":"`+MsgType+`","server_notice_type":"`+plainType+`","body":`), body)
	id, err := n.rooms.Send(ctx, with, room.Message{Sender: n.o.User, Type: "m.room.message", Content: append(content, '}')})
	return Sent{with.ID, id}, err
}

func (n *Notices) mayReceive(ctx context.Context, user matrix.UserID) error {
	u, err := n.accounts.User(ctx, user)
	switch {
	case err != nil:
		return err
	case u == nil || user == n.o.User:
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no user %s to whom a notice could be sent", user)
	case u.Deactivated:
		return matrix.Errorf(http.StatusForbidden, matrix.MUserDeactivated, "%s is deactivated", user)
	}
	return nil
}

// appear makes the server's user if it does not exist.
func (n *Notices) appear(ctx context.Context) error {
	u, err := n.accounts.User(ctx, n.o.User)
	if err != nil {
		return err
	}
	if u == nil {
		_, err = n.accounts.Create(ctx, n.o.User.Localpart(), "", account.NewUser{Kind: account.KindServer, DisplayName: n.o.Name})
		return err
	}
	if u.Kind != account.KindServer || u.Deactivated {
		return matrix.Errorf(http.StatusBadRequest, matrix.MUserInUse, "%s is somebody's account: name another one by the setting server_notices.user", n.o.User)
	}
	return nil
}

// RoomOf returns the room in which a user gets notices, "" if there is none yet.
func (n *Notices) RoomOf(ctx context.Context, user matrix.UserID) (matrix.RoomID, error) {
	row, err := n.store.Row(ctx, tableNotices, []byte(user))
	if err != nil {
		return "", fmt.Errorf("finding the notices of %s: %w", user, err)
	}
	return matrix.RoomID(row), nil
}

// MayReject refuses to let a user reject the invitation to the room with the server's notices. Who has joined it may
// leave.
//
// Error: M_CANNOT_LEAVE_SERVER_NOTICE_ROOM (403).
// spec: client-server-api#server-notices
func (n *Notices) MayReject(ctx context.Context, user matrix.UserID, room *store.Room) error {
	if n == nil || n.o.User == "" {
		return nil
	}
	m, err := n.store.Membership(ctx, user, room.Num)
	if err != nil || m == nil || m.Membership != event.Invite {
		return err
	}
	own, err := n.RoomOf(ctx, user)
	if err != nil || own != room.ID {
		return err
	}
	return matrix.Errorf(http.StatusForbidden, matrix.MCannotLeaveServerNoticeRoom, "You cannot reject this invite: it is how this server speaks to you")
}

// room returns the room with a user, who is in it or invited: it is made if there is none.
func (n *Notices) room(ctx context.Context, user matrix.UserID) (*store.Room, error) {
	id, err := n.RoomOf(ctx, user)
	if err != nil {
		return nil, err
	}
	var with *store.Room
	if id != "" {
		if with, err = n.store.RoomByID(ctx, id); err != nil {
			return nil, err
		}
	}
	if with == nil || with.Deleted {
		return n.newRoom(ctx, user)
	}
	m, err := n.store.Membership(ctx, user, with.Num)
	if err != nil || m != nil && (m.Membership == event.Join || m.Membership == event.Invite) {
		return with, err
	}
	_, err = n.rooms.SetMembership(ctx, with, room.Change{Sender: n.o.User, Target: user, Membership: event.Invite})
	return with, err
}

func (n *Notices) newRoom(ctx context.Context, user matrix.UserID) (*store.Room, error) {
	name := n.o.Name
	id, err := n.rooms.Create(ctx, room.Creation{
		Creator: n.o.User, Unlimited: true, Preset: "private_chat", Name: &name, Invite: []matrix.UserID{user},
		// The user reads: who has less than nothing cannot write.
		PowerOverride: []byte(`{"users_default":-10}`),
		Also: func(tx *store.Tx, _ store.RoomNum, id matrix.RoomID) {
			tx.Set(tableNotices, []byte(user), []byte(id))
		},
	})
	if err != nil {
		return nil, err
	}
	return n.store.RoomByID(ctx, id)
}

// tag marks the room for the user's clients, unless it is marked.
func (n *Notices) tag(ctx context.Context, user matrix.UserID, room store.RoomNum) error {
	_, err := n.accounts.EditData(ctx, user, room, "m.tag", func(content []byte) ([]byte, error) {
		tags, ok := matrix.Field(content, "tags")
		if !ok || !matrix.IsObject(tags) {
			tags = []byte("{}")
		}
		if _, tagged := matrix.Field(tags, Tag); tagged {
			return nil, nil
		}
		if content == nil {
			content = []byte("{}")
		}
		return matrix.With(nil, content, "tags", matrix.With(nil, tags, Tag, []byte("{}"))), nil
	})
	return err
}
