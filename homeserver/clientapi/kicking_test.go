package clientapi

import (
	"testing"

	"hearth/matrix"
)

// spec: client-server-api#post_matrixclientv3roomsroomidkick
func TestKick(t *testing.T) {
	c := newTrio(t, "")
	c.post(c.bob, "kick", `{"user_id":"@alice:here.example"}`, 403, matrix.MForbidden)   // without the power
	c.post(c.carol, "kick", `{"user_id":"@bob:here.example"}`, 403, matrix.MForbidden)   // not in the room
	c.post(c.alice, "kick", `{"user_id":"@carol:here.example"}`, 403, matrix.MForbidden) // never was in the room
	c.post(c.alice, "kick", `{"user_id":"@bob:here.example","reason":"Telling unfunny jokes"}`, 200, "")
	c.wantMember(c.bob.User, `{"membership":"leave","reason":"Telling unfunny jokes"}`)
	c.post(c.alice, "kick", `{"user_id":"@bob:here.example"}`, 403, matrix.MForbidden) // no longer in the room
	if _, err := c.bob.SendText(t.Context(), c.room, "t", "still here"); err == nil {
		t.Error("who was kicked can send")
	}
	if _, err := c.bob.Join(t.Context(), string(c.room)); err != nil {
		t.Errorf("who was kicked cannot come back: %v", err)
	}
	must(t, c.alice.Invite(t.Context(), c.room, c.carol.User))
	c.post(c.alice, "kick", `{"user_id":"@carol:here.example"}`, 200, "") // takes the invite back
	c.wantMember(c.carol.User, `{"membership":"leave"}`)
	must(t, c.alice.Ban(t.Context(), c.room, c.carol.User, ""))
	c.post(c.alice, "kick", `{"user_id":"@carol:here.example"}`, 403, matrix.MBadState)
	c.wantMember(c.carol.User, `{"membership":"ban"}`)
}

// Between moderators, only the more powerful kicks the less powerful.
func TestKickEquals(t *testing.T) {
	c := newTrio(t, `{"preset":"public_chat","power_level_content_override":{"users":{"@bob:here.example":60,"@carol:here.example":60}}}`)
	if _, err := c.carol.Join(t.Context(), string(c.room)); err != nil {
		t.Fatal(err)
	}
	c.post(c.bob, "kick", `{"user_id":"@carol:here.example"}`, 403, matrix.MForbidden)
	c.post(c.bob, "kick", `{"user_id":"@alice:here.example"}`, 403, matrix.MForbidden)
	c.post(c.alice, "kick", `{"user_id":"@carol:here.example"}`, 200, "")
}
