package clientapi

import (
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// spec: client-server-api#post_matrixclientv3roomsroomidinvite
func TestInvite(t *testing.T) {
	c := newTrio(t, `{}`)
	c.post(c.bob, "invite", `{"user_id":"@carol:here.example","reason":"Welcome to the team!"}`, 200, "")
	c.wantMember(c.carol.User, `{"membership":"invite","reason":"Welcome to the team!"}`)
	c.post(c.bob, "invite", `{"user_id":"@carol:here.example","reason":"Welcome to the team!"}`, 200, "") // already invited
	sync, err := c.carol.Sync(t.Context(), wire.SyncOptions{})
	must(t, err)
	if _, ok := sync.Rooms.Invite[c.room]; !ok {
		t.Errorf("carol's invites are %v", sync.Rooms.Invite)
	}
	if _, err := c.carol.Join(t.Context(), string(c.room)); err != nil {
		t.Fatal(err)
	}
	c.post(c.bob, "invite", `{"user_id":"@carol:here.example"}`, 403, matrix.MForbidden) // a member
	must(t, c.alice.Ban(t.Context(), c.room, c.carol.User, ""))
	c.post(c.alice, "invite", `{"user_id":"@carol:here.example"}`, 403, matrix.MForbidden) // banned
	c.post(c.alice, "invite", `{"user_id":"@nobody:here.example"}`, 404, matrix.MNotFound)
	c.post(c.alice, "invite", `{"user_id":"@a:there.example"}`, 403, matrix.MForbidden)
	c.post(c.alice, "invite", `{"medium":"email","address":"a@b","id_server":"x","id_access_token":"y"}`, 403, matrix.MThreepidDenied)
}

func TestInviteNeedsPower(t *testing.T) {
	c := newTrio(t, `{"preset":"public_chat","power_level_content_override":{"invite":10}}`)
	c.post(c.bob, "invite", `{"user_id":"@carol:here.example"}`, 403, matrix.MForbidden)
	c.post(c.carol, "invite", `{"user_id":"@carol:here.example"}`, 403, matrix.MForbidden)
	c.wantMember(c.carol.User, "")
}

// spec: client-server-api#invite-permission
func TestInviteBlocked(t *testing.T) {
	c := newTrio(t, `{}`)
	must(t, c.carol.SetAccountData(t.Context(), "", "m.invite_permission_config", map[string]string{"default_action": "block"}))
	c.post(c.alice, "invite", `{"user_id":"@carol:here.example"}`, 403, matrix.MInviteBlocked)
	c.want(c.alice, "PUT", wire.RoomPath(c.room, "state", "m.room.member", string(c.carol.User)), `{"membership":"invite"}`, 403, matrix.MInviteBlocked)
	c.want(c.alice, "POST", v3+"/createRoom", `{"invite":["@carol:here.example"]}`, 403, matrix.MInviteBlocked)
	must(t, c.carol.SetAccountData(t.Context(), "", "m.invite_permission_config", map[string]string{}))
	c.post(c.alice, "invite", `{"user_id":"@carol:here.example"}`, 200, "")

	// An invite that is there already is told to nobody who has come to want none, and told again later.
	before, err := c.carol.Sync(t.Context(), wire.SyncOptions{})
	must(t, err)
	must(t, c.carol.SetAccountData(t.Context(), "", "m.invite_permission_config", map[string]string{"default_action": "block"}))
	if got := c.sections(c.carol); got != "" {
		t.Errorf("the room is in %q", got)
	}
	for _, o := range []wire.SyncOptions{{Since: before.NextBatch}, {Since: before.NextBatch, FullState: true}} {
		after, err := c.carol.Sync(t.Context(), o)
		must(t, err)
		if has(after.Rooms.Invite, c.room) {
			t.Error("an unwanted invite is told")
		}
	}
	c.wantMember(c.carol.User, `{"membership":"invite"}`)
	for _, content := range []any{map[string]any{"default_action": 7}, map[string]any{"default_action": "allow"}, map[string]any{"default_action": []string{"block"}}} {
		must(t, c.carol.SetAccountData(t.Context(), "", "m.invite_permission_config", content))
		if got := c.sections(c.carol); got != "invite" {
			t.Errorf("%v: the room is in %q", content, got)
		}
	}
	c.post(c.carol, "join", `{}`, 200, "")
}
