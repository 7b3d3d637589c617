package clientapi

import (
	"testing"

	"hearth/matrix"
)

// spec: client-server-api#post_matrixclientv3roomsroomidban, client-server-api#post_matrixclientv3roomsroomidunban
func TestBan(t *testing.T) {
	c := newTrio(t, "")
	bob, carol := `{"user_id":"@bob:here.example","reason":"Telling unfunny jokes"}`, `{"user_id":"@carol:here.example"}`
	c.post(c.bob, "ban", carol, 403, matrix.MForbidden)
	c.post(c.carol, "ban", bob, 403, matrix.MForbidden)
	c.post(c.bob, "ban", `{"user_id":"@alice:here.example"}`, 403, matrix.MForbidden)
	c.post(c.alice, "unban", bob, 403, matrix.MBadState) // a member
	c.post(c.alice, "ban", bob, 200, "")
	c.wantMember(c.bob.User, `{"membership":"ban","reason":"Telling unfunny jokes"}`)
	c.post(c.alice, "ban", bob, 200, "")
	c.post(c.alice, "ban", carol, 200, "") // who never was in the room
	c.post(c.bob, "join", ``, 403, matrix.MForbidden)
	c.post(c.bob, "leave", ``, 403, matrix.MForbidden)
	c.post(c.bob, "unban", bob, 403, matrix.MForbidden)
	c.post(c.carol, "ban", bob, 403, matrix.MForbidden) // who is banned already, by who may not
	if _, err := c.bob.SendText(t.Context(), c.room, "t", "still here"); err == nil {
		t.Error("who was banned can send")
	}
	c.post(c.alice, "unban", `{"user_id":"@bob:here.example","reason":"They've been banned long enough"}`, 200, "")
	c.wantMember(c.bob.User, `{"membership":"leave","reason":"They've been banned long enough"}`)
	c.post(c.alice, "unban", bob, 403, matrix.MBadState)
	c.post(c.bob, "join", ``, 200, "")
	// Users of other servers can be banned before they come.
	c.post(c.alice, "ban", `{"user_id":"@mallory:there.example"}`, 200, "")
	c.wantMember("@mallory:there.example", `{"membership":"ban"}`)
}
