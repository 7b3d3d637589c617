package clientapi

import (
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// spec: client-server-api#post_matrixclientv3roomsroomidleave
func TestLeave(t *testing.T) {
	c := newTrio(t, `{}`)
	c.post(c.bob, "leave", `{"reason":"Saying farewell"}`, 200, "")
	c.wantMember(c.bob.User, `{"membership":"leave","reason":"Saying farewell"}`)
	c.post(c.bob, "leave", ``, 200, "") // as a client repeats that did not get the answer
	c.post(c.bob, "join", ``, 403, matrix.MForbidden)
	must(t, c.alice.Invite(t.Context(), c.room, c.bob.User))
	c.post(c.bob, "leave", ``, 200, "") // rejects the invite
	c.wantMember(c.bob.User, `{"membership":"leave"}`)
	c.post(c.carol, "leave", `{}`, 403, matrix.MForbidden)
	c.want(c.carol, "POST", wire.RoomPath("!unknown:here.example", "leave"), `{}`, 403, matrix.MForbidden)
}

// Who has left reads what was there until then, and nothing later; who has forgotten, nothing.
// spec: client-server-api#post_matrixclientv3roomsroomidforget
func TestForget(t *testing.T) {
	c := newTrio(t, `{}`)
	c.post(c.bob, "forget", ``, 400, matrix.MUnknown)
	before, err := c.alice.SendText(t.Context(), c.room, "1", "before")
	must(t, err)
	must(t, c.bob.Leave(t.Context(), c.room))
	after, err := c.alice.SendText(t.Context(), c.room, "2", "after")
	must(t, err)
	c.want(c.bob, "GET", wire.RoomPath(c.room, "event", string(before)), "", 200, "")
	c.want(c.bob, "GET", wire.RoomPath(c.room, "event", string(after)), "", 404, matrix.MNotFound)
	for range 2 {
		c.post(c.bob, "forget", ``, 200, "")
	}
	if status, _ := c.do(c.bob, "GET", wire.RoomPath(c.room, "event", string(before)), ""); status == 200 {
		t.Error("a forgotten room can be read")
	}
	if status, _ := c.do(c.bob, "GET", wire.RoomPath(c.room, "messages")+"?dir=b", ""); status == 200 {
		t.Error("a forgotten room can be paged")
	}
	must(t, c.alice.Invite(t.Context(), c.room, c.bob.User))
	c.post(c.bob, "forget", ``, 400, matrix.MUnknown)
	if _, err := c.bob.Join(t.Context(), string(c.room)); err != nil {
		t.Fatal(err)
	}
	c.want(c.bob, "GET", wire.RoomPath(c.room, "event", string(after)), "", 200, "")
	c.want(c.carol, "POST", wire.RoomPath("!unknown:here.example", "forget"), ``, 403, matrix.MForbidden)
}
