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
	// Nor is it remembered because of what others do.
	must(t, c.alice.Ban(t.Context(), c.room, c.bob.User, ""))
	c.want(c.bob, "GET", wire.RoomPath(c.room, "event", string(before)), "", 404, matrix.MNotFound)
	must(t, c.alice.Unban(t.Context(), c.room, c.bob.User))
	c.want(c.bob, "GET", wire.RoomPath(c.room, "event", string(before)), "", 404, matrix.MNotFound)
	must(t, c.alice.Invite(t.Context(), c.room, c.bob.User))
	c.post(c.bob, "forget", ``, 400, matrix.MUnknown)
	if _, err := c.bob.Join(t.Context(), string(c.room)); err != nil {
		t.Fatal(err)
	}
	c.want(c.bob, "GET", wire.RoomPath(c.room, "event", string(after)), "", 200, "")
	c.want(c.carol, "POST", wire.RoomPath("!unknown:here.example", "forget"), ``, 403, matrix.MForbidden)
}

// If the owner of the server wants it, who leaves a room or is removed forgets it; all their devices are told once.
// spec: client-server-api#mforget_forced_upon_leave-capability
func TestForgetOnLeave(t *testing.T) {
	for _, how := range []string{"leave", "kick", "ban", "reject"} {
		t.Run(how, func(t *testing.T) {
			ts := newServer(t, func(s *Settings) { s.ForgetOnLeave = true })
			alice, bob := ts.register("alice"), ts.register("bob")
			room := ts.createRoom(alice, `{"invite":["@bob:here.example"]}`)
			if how != "reject" {
				_, err := bob.Join(t.Context(), string(room))
				must(t, err)
			}
			said := say(t, alice, room, "before")
			before, err := bob.Sync(t.Context(), wire.SyncOptions{})
			must(t, err)
			switch how {
			case "leave", "reject":
				must(t, bob.Leave(t.Context(), room))
			case "kick":
				must(t, alice.Kick(t.Context(), room, bob.User, ""))
			case "ban":
				must(t, alice.Ban(t.Context(), room, bob.User, ""))
			}
			ts.want(bob, "GET", wire.RoomPath(room, "event", string(said)), "", 404, matrix.MNotFound)
			after, err := bob.Sync(t.Context(), wire.SyncOptions{Since: before.NextBatch})
			must(t, err)
			if left := after.Rooms.Leave[room]; left == nil || len(left.Timeline.Events) != 1 || left.Timeline.Events[0].Type != "m.room.member" {
				t.Errorf("bob's other device is told %+v", after.Rooms.Leave)
			}
			for _, o := range []wire.SyncOptions{{Since: after.NextBatch}, {Since: after.NextBatch, FullState: true}, {Filter: `{"room":{"include_leave":true}}`}} {
				again, err := bob.Sync(t.Context(), o)
				must(t, err)
				if has(again.Rooms.Leave, room) {
					t.Errorf("a forgotten room is told of again: %+v", o)
				}
			}
			ts.want(bob, "POST", wire.RoomPath(room, "forget"), "", 200, "")
			if how == "ban" {
				must(t, alice.Unban(t.Context(), room, bob.User))
			}
			must(t, alice.Invite(t.Context(), room, bob.User))
			_, err = bob.Join(t.Context(), string(room))
			must(t, err)
			ts.want(bob, "GET", wire.RoomPath(room, "event", string(said)), "", 200, "")
		})
	}
	for _, on := range []bool{true, false} {
		ts := newServer(t, func(s *Settings) { s.ForgetOnLeave = on })
		got := ts.want(ts.register("alice"), "GET", v3+"/capabilities", "", 200, "")
		if told, ok := matrix.BoolField([]byte(got), "capabilities", "m.forget_forced_upon_leave", "enabled"); !ok || told != on {
			t.Errorf("the capability is %t, %t", told, ok)
		}
	}
}
