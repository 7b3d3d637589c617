package clientapi

import (
	"strings"
	"testing"

	"hearth/homeserver/notice"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// notify sends a notice to a client's user.
func (ts *testServer) notify(c *wire.Client, text string) notice.Sent {
	ts.t.Helper()
	sent, err := ts.api.Notices.Send(ts.t.Context(), c.User, text)
	must(ts.t, err)
	return sent
}

// spec: client-server-api#server-notices
func TestServerNotice(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	sent := ts.notify(alice, "The disk is full")
	first, err := alice.Sync(t.Context(), wire.SyncOptions{})
	must(t, err)
	if _, ok := first.Rooms.Invite[sent.Room]; !ok {
		t.Fatalf("alice is not invited: %+v", first.Rooms)
	}
	room := v3 + "/rooms/" + string(sent.Room)
	tags := ts.want(alice, "GET", v3+"/user/@alice:here.example/rooms/"+string(sent.Room)+"/tags", "", 200, "")
	if tags != `{"tags":{"m.server_notice":{}}}` {
		t.Errorf("the tags are %s", tags)
	}
	// The invite cannot be rejected, in any way.
	ts.want(alice, "POST", room+"/leave", "", 403, matrix.MCannotLeaveServerNoticeRoom)
	ts.want(alice, "PUT", room+"/state/m.room.member/@alice:here.example", `{"membership":"leave"}`, 403, matrix.MCannotLeaveServerNoticeRoom)
	_, err = alice.Join(t.Context(), string(sent.Room))
	must(t, err)
	got := ts.want(alice, "GET", room+"/event/"+string(sent.Event), "", 200, "")
	content, _ := matrix.Field([]byte(got), "content")
	sender, _ := matrix.StringField([]byte(got), "sender")
	if string(content) != `{"body":"The disk is full","msgtype":"m.server_notice","server_notice_type":"hearth.message"}` || sender != string(notices) {
		t.Errorf("the notice is %s", got)
	}
	// There is nothing to say in that room.
	ts.want(alice, "PUT", room+"/send/m.room.message/1", `{"msgtype":"m.text","body":"Why?"}`, 403, matrix.MForbidden)
	ts.want(alice, "POST", room+"/invite", `{"user_id":"@alice:here.example"}`, 403, matrix.MForbidden)
}

// Who has joined may leave, and gets the next notice in the same room.
func TestServerNoticeAfterLeaving(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	first := ts.notify(alice, "one")
	_, err := alice.Join(t.Context(), string(first.Room))
	must(t, err)
	ts.want(alice, "POST", v3+"/rooms/"+string(first.Room)+"/leave", "", 200, "")
	second := ts.notify(alice, "two")
	if second.Room != first.Room {
		t.Errorf("the second room is %s, the first %s", second.Room, first.Room)
	}
	ts.want(alice, "POST", v3+"/rooms/"+string(first.Room)+"/leave", "", 403, matrix.MCannotLeaveServerNoticeRoom)
	if other := ts.notify(bob, "three"); other.Room == first.Room {
		t.Error("bob is told in alice's room")
	}
	// Rooms of others are no notices.
	room := ts.createRoom(alice, `{"invite":["@bob:here.example"]}`)
	ts.want(bob, "POST", v3+"/rooms/"+string(room)+"/leave", "", 200, "")
}

func TestServerNoticesRefuse(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	for _, c := range []struct {
		user   matrix.UserID
		body   string
		status int
		code   string
	}{
		{alice.User, "", 400, matrix.MMissingParam},
		{alice.User, strings.Repeat("x", notice.MaxBody+1), 413, matrix.MTooLarge},
		{"@nobody:here.example", "x", 404, matrix.MNotFound},
		{"@alice:there.example", "x", 404, matrix.MNotFound},
		{notices, "x", 404, matrix.MNotFound},
	} {
		_, err := ts.api.Notices.Send(t.Context(), c.user, c.body)
		wantError(t, err, c.status, c.code)
	}
	must(t, ts.api.Accounts.Deactivate(t.Context(), alice.User, false))
	_, err := ts.api.Notices.Send(t.Context(), alice.User, "x")
	wantError(t, err, 403, matrix.MUserDeactivated)
	off := notice.New(ts.store, ts.api.Accounts, ts.api.Rooms, notice.Options{})
	_, err = off.Send(t.Context(), alice.User, "x")
	wantError(t, err, 404, matrix.MUnrecognized)
	// The server does not speak as a person.
	person := notice.New(ts.store, ts.api.Accounts, ts.api.Rooms, notice.Options{User: ts.register("bob").User, Name: "x"})
	_, err = person.Send(t.Context(), ts.register("carol").User, "x")
	wantError(t, err, 400, matrix.MUserInUse)
}

// Nobody becomes the server by registering its name first.
func TestServerNameIsReserved(t *testing.T) {
	ts := newServer(t)
	ts.want(ts.anonymous(), "GET", v3+"/register/available?username=Server", "", 400, matrix.MUserInUse)
	ts.want(ts.anonymous(), "POST", v3+"/register", `{"username":"server","password":"correct horse","auth":{"type":"m.login.dummy"}}`, 400, matrix.MUserInUse)
	ts.notify(ts.register("alice"), "one")
	ts.want(ts.anonymous(), "POST", v3+"/login", loginBody(`"identifier":{"type":"m.id.user","user":"server"}`, ""), 403, matrix.MForbidden)
}
