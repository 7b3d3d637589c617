package clientapi

import (
	"fmt"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// newKnocking returns a room of alice's that bob is in and carol may knock at.
func newKnocking(t testing.TB) *trio {
	return newTrio(t, `{"name":"Club","room_alias_name":"club","initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock"}}]}`)
}

// sections syncs a client anew and says in which section of the answer the room is.
func (c *trio) sections(who *wire.Client) string {
	c.t.Helper()
	a, err := who.Sync(c.t.Context(), wire.SyncOptions{})
	must(c.t, err)
	var in []string
	for name, has := range map[string]bool{"join": has(a.Rooms.Join, c.room), "invite": has(a.Rooms.Invite, c.room), "knock": has(a.Rooms.Knock, c.room), "leave": has(a.Rooms.Leave, c.room)} {
		if has {
			in = append(in, name)
		}
	}
	return strings.Join(in, " ")
}

func has[V any](m map[matrix.RoomID]V, room matrix.RoomID) bool {
	_, ok := m[room]
	return ok
}

// spec: client-server-api#post_matrixclientv3knockroomidoralias
func TestKnock(t *testing.T) {
	c := newKnocking(t)
	c.want(c.carol, "PUT", wire.Path(v3+"/profile", string(c.carol.User), "displayname"), `{"displayname":"Carol"}`, 200, "")
	for _, knock := range []struct{ name, reason, member string }{
		{string(c.room), "", `{"displayname":"Carol","membership":"knock"}`},
		{string(c.room), "Looking for support", `{"displayname":"Carol","membership":"knock","reason":"Looking for support"}`},
		{"#club:here.example", "", `{"displayname":"Carol","membership":"knock"}`},
	} {
		for range 2 { // who has knocked may ask again
			if room, err := c.carol.Knock(t.Context(), knock.name, knock.reason, "here.example", "there.example"); err != nil || room != c.room {
				t.Errorf("knocked at %s: %v", room, err)
			}
			c.wantMember(c.carol.User, knock.member)
		}
		if got := c.sections(c.carol); got != "knock" {
			t.Errorf("the room is in %q", got)
		}
		c.post(c.carol, "join", `{}`, 403, matrix.MForbidden)
	}
	// What who knocks gets to know of the room, and what they do not.
	a, err := c.carol.Sync(t.Context(), wire.SyncOptions{})
	must(t, err)
	known := make(map[string]bool)
	for _, e := range a.Rooms.Knock[c.room].State.Events {
		known[e.Type] = true
	}
	for typ, want := range map[string]bool{"m.room.create": true, "m.room.name": true, "m.room.join_rules": true, "m.room.member": true, "m.room.power_levels": false} {
		if known[typ] != want {
			t.Errorf("%s is among the stripped state: %t", typ, known[typ])
		}
	}
	c.want(c.carol, "GET", wire.RoomPath(c.room, "messages")+"?dir=b", "", 403, matrix.MForbidden)
	c.want(c.carol, "GET", wire.RoomPath(c.room, "state"), "", 403, matrix.MForbidden)
}

// A knock is taken back, accepted and denied.
// spec: client-server-api#knocking-on-rooms
func TestKnocksEnd(t *testing.T) {
	for _, end := range []struct {
		what, by, verb, body string
		status               int
		member, section      string
	}{
		{"taken back", "carol", "leave", `{"reason":"Never mind"}`, 200, `{"membership":"leave","reason":"Never mind"}`, ""},
		{"accepted", "alice", "invite", `{"user_id":"@carol:here.example","reason":"Come in"}`, 200, `{"membership":"invite","reason":"Come in"}`, "invite"},
		{"accepted by who may invite", "bob", "invite", `{"user_id":"@carol:here.example"}`, 200, `{"membership":"invite"}`, "invite"},
		{"denied", "alice", "kick", `{"user_id":"@carol:here.example","reason":"Full"}`, 200, `{"membership":"leave","reason":"Full"}`, ""},
		{"denied by who may not kick", "bob", "kick", `{"user_id":"@carol:here.example"}`, 403, `{"membership":"knock"}`, "knock"},
		{"denied for ever", "alice", "ban", `{"user_id":"@carol:here.example"}`, 200, `{"membership":"ban"}`, ""},
		{"unbanned", "alice", "unban", `{"user_id":"@carol:here.example"}`, 403, `{"membership":"knock"}`, "knock"},
	} {
		t.Run(end.what, func(t *testing.T) {
			c := newKnocking(t)
			_, err := c.carol.Knock(t.Context(), string(c.room), "")
			must(t, err)
			before, err := c.carol.Sync(t.Context(), wire.SyncOptions{})
			must(t, err)
			code := ""
			if end.status != 200 {
				code = matrix.MForbidden
			}
			if end.verb == "unban" { // of one who is not banned
				code = matrix.MBadState
			}
			c.post(map[string]*wire.Client{"alice": c.alice, "bob": c.bob, "carol": c.carol}[end.by], end.verb, end.body, end.status, code)
			c.wantMember(c.carol.User, end.member)
			if got := c.sections(c.carol); got != end.section {
				t.Errorf("the room is in %q, want %q", got, end.section)
			}
			after, err := c.carol.Sync(t.Context(), wire.SyncOptions{Since: before.NextBatch})
			must(t, err)
			if left := has(after.Rooms.Leave, c.room); left != (end.section == "") {
				t.Errorf("a client that knew of the knock learns of its end: %t", left)
			}
			if end.section == "invite" {
				c.post(c.carol, "join", `{}`, 200, "")
			}
		})
	}
}

func TestKnockRefuses(t *testing.T) {
	c := newKnocking(t)
	path := func(name string) string { return wire.Path(v3+"/knock", name) }
	for name, want := range map[string]struct {
		status int
		code   string
	}{
		"!unknown:here.example": {404, matrix.MNotFound}, "#unknown:here.example": {404, matrix.MNotFound},
		"#elsewhere:there.example": {404, matrix.MNotFound}, "nonsense": {400, matrix.MInvalidParam}, "#nonsense": {400, matrix.MInvalidParam},
	} {
		c.want(c.carol, "POST", path(name), `{}`, want.status, want.code)
	}
	c.want(c.carol, "POST", path(string(c.room)), `[]`, 400, matrix.MBadJSON)
	c.want(c.carol, "POST", path(string(c.room)), `{"reason":7}`, 400, matrix.MBadJSON)
	c.want(c.anonymous(), "POST", path(string(c.room)), `{}`, 401, matrix.MMissingToken)
	c.want(c.bob, "POST", path(string(c.room)), `{}`, 403, matrix.MForbidden) // is in the room
	must(t, c.alice.Invite(t.Context(), c.room, c.carol.User))
	c.want(c.carol, "POST", path(string(c.room)), `{}`, 403, matrix.MForbidden) // is invited
	must(t, c.alice.Ban(t.Context(), c.room, c.carol.User, ""))
	c.want(c.carol, "POST", path(string(c.room)), `{}`, 403, matrix.MForbidden)
	must(t, c.alice.Unban(t.Context(), c.room, c.carol.User))
	c.want(c.bob, "PUT", wire.RoomPath(c.room, "state", "m.room.member", string(c.carol.User)), `{"membership":"knock"}`, 403, matrix.MForbidden)
	c.wantMember(c.carol.User, `{"membership":"leave"}`)
}

// Which rooms may be knocked at, by their version and join rule.
// spec: client-server-api#knocking-on-rooms, rooms/v7#authorization-rules, rooms/v10#authorization-rules
func TestKnockByVersion(t *testing.T) {
	ts := newServer(t)
	alice, carol := ts.register("alice"), ts.register("carol")
	for _, v := range matrix.Versions() {
		for _, rule := range []string{"public", "invite", "knock", "restricted", "knock_restricted", "strange"} {
			room := ts.createRoom(alice, fmt.Sprintf(`{"room_version":%q,"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":%q,"allow":[]}}]}`, v.Version, rule))
			_, err := carol.Knock(t.Context(), string(room), "")
			if may := rule == "knock" && v.Knocking || rule == "knock_restricted" && v.KnockRestricted; may && err != nil {
				t.Errorf("version %s, %s: %v", v.Version, rule, err)
			} else if !may {
				wantError(t, err, 403, matrix.MForbidden)
			}
		}
	}
}

// A room that lets in the members of another may be knocked at by the rest.
// spec: client-server-api#restricted-rooms
func TestKnockRestricted(t *testing.T) {
	c := newTrio(t, "")
	inner := c.createRoom(c.alice, fmt.Sprintf(`{"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock_restricted","allow":[{"type":"m.room_membership","room_id":%q}]}}]}`, c.room))
	_, err := c.carol.Join(t.Context(), string(inner))
	wantError(t, err, 403, matrix.MForbidden)
	_, err = c.carol.Knock(t.Context(), string(inner), "")
	must(t, err)
	_, err = c.bob.Knock(t.Context(), string(inner), "")
	must(t, err)
	_, err = c.bob.Join(t.Context(), string(inner)) // as a member of the other
	must(t, err)
	_, err = c.carol.Join(t.Context(), string(inner))
	wantError(t, err, 403, matrix.MForbidden)
	_, err = c.carol.Join(t.Context(), string(c.room))
	must(t, err)
	_, err = c.carol.Join(t.Context(), string(inner))
	must(t, err)
}
