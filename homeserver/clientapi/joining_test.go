package clientapi

import (
	"fmt"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// spec: client-server-api#joining-rooms
func TestJoin(t *testing.T) {
	c := newTrio(t, `{"preset":"public_chat","room_alias_name":"pub"}`)
	c.want(c.carol, "PUT", wire.Path(v3+"/profile", string(c.carol.User), "displayname"), `{"displayname":"Carol"}`, 200, "")
	want := fmt.Sprintf(`{"room_id":%q}`, c.room)
	byAlias := wire.Path(v3+"/join", "#pub:here.example")
	for _, join := range []struct{ path, body, member string }{
		{wire.RoomPath(c.room, "join"), ``, `{"displayname":"Carol","membership":"join"}`},
		{wire.RoomPath(c.room, "join"), `{"reason":"Looking for support","third_party_signed":null}`, `{"displayname":"Carol","membership":"join","reason":"Looking for support"}`},
		{wire.RoomPath(c.room, "join"), `{"x.own":{"a":[1]},"membership":"ban","user_id":"@bob:here.example"}`, `{"displayname":"Carol","membership":"join","x.own":{"a":[1]}}`},
		{wire.Path(v3+"/join", string(c.room)), `{}`, `{"displayname":"Carol","membership":"join"}`},
		{byAlias, `{}`, `{"displayname":"Carol","membership":"join"}`},
		{byAlias + "?via=here.example&server_name=there.example", ``, `{"displayname":"Carol","membership":"join"}`},
	} {
		for range 2 { // who has joined may ask again
			if got := c.want(c.carol, "POST", join.path, join.body, 200, ""); got != want {
				t.Errorf("answer %s, want %s", got, want)
			}
			c.wantMember(c.carol.User, join.member)
		}
		must(t, c.carol.Leave(t.Context(), c.room))
	}
}

func TestJoinRefuses(t *testing.T) {
	c := newTrio(t, `{"room_alias_name":"club"}`)
	for _, path := range []string{wire.RoomPath(c.room, "join"), wire.Path(v3+"/join", string(c.room)), wire.Path(v3+"/join", "#club:here.example")} {
		c.want(c.carol, "POST", path, `{}`, 403, matrix.MForbidden)
	}
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"!unknown:here.example":    {404, matrix.MNotFound},
		"!unknown":                 {404, matrix.MNotFound},
		"#unknown:here.example":    {404, matrix.MNotFound},
		"#elsewhere:there.example": {404, matrix.MNotFound},
		"nonsense":                 {400, matrix.MInvalidParam},
		"#nonsense":                {400, matrix.MInvalidParam},
		"@carol:here.example":      {400, matrix.MInvalidParam},
		"":                         {400, matrix.MInvalidParam},
	} {
		c.want(c.carol, "POST", wire.Path(v3+"/join", path), `{}`, want.status, want.code)
	}
	c.want(c.carol, "POST", wire.RoomPath("!unknown:here.example", "join"), `{}`, 404, matrix.MNotFound)
	must(t, c.alice.Ban(t.Context(), c.room, c.bob.User, ""))
	c.post(c.bob, "join", `{}`, 403, matrix.MForbidden)
	// What the server cannot verify it does not take, not even from who may join without it.
	must(t, c.alice.Invite(t.Context(), c.room, c.carol.User))
	c.post(c.carol, "join", `{"third_party_signed":{"sender":"@alice:here.example","mxid":"@carol:here.example","token":"x","signatures":{}}}`, 403, matrix.MThreepidDenied)
	must(t, c.carol.Leave(t.Context(), c.room))
	c.wantMember(c.carol.User, `{"membership":"leave"}`)
}

// Members of one room may join another that says so; nobody else can say that they may.
// spec: client-server-api#restricted-rooms
func TestJoinRestricted(t *testing.T) {
	c := newTrio(t, "")
	body := fmt.Sprintf(`{"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"restricted","allow":[{"type":"m.room_membership","room_id":%q}]}}]}`, c.room)
	inner := c.createRoom(c.alice, body)
	if _, err := c.bob.Join(t.Context(), string(inner)); err != nil {
		t.Error(err)
	}
	if got := c.state(c.alice, inner, "m.room.member", string(c.bob.User)); got != `{"join_authorised_via_users_server":"@alice:here.example","membership":"join"}` {
		t.Errorf("bob is %s", got)
	}
	c.want(c.carol, "POST", wire.RoomPath(inner, "join"), `{}`, 403, matrix.MForbidden)
	forged := `{"membership":"join","join_authorised_via_users_server":"@alice:here.example"}`
	c.want(c.carol, "PUT", wire.RoomPath(inner, "state", "m.room.member", string(c.carol.User)), forged, 403, matrix.MForbidden)
	c.want(c.carol, "POST", wire.RoomPath(inner, "join"), forged, 403, matrix.MForbidden)
}
