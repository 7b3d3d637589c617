package clientapi

import (
	"fmt"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// spec: client-server-api#post_matrixclientv3roomsroomidupgrade
func TestUpgrade(t *testing.T) {
	c := newTrio(t, `{"preset":"public_chat","visibility":"public","room_version":"10","room_alias_name":"pub","name":"The Pub","topic":"Beer"}`)
	must(t, c.alice.Ban(t.Context(), c.room, c.carol.User, "enough"))
	c.want(c.bob, "PUT", aliasPath("#second:here.example"), fmt.Sprintf(`{"room_id":%q}`, c.room), 200, "")
	c.put(c.alice, "m.room.canonical_alias", "", `{"alias":"#pub:here.example","alt_aliases":["#second:here.example"]}`, 200, "")
	c.put(c.alice, "m.room.server_acl", "", `{"allow":["*"],"deny":["evil.example"]}`, 200, "")
	c.put(c.alice, "m.room.encryption", "", `{"algorithm":"m.megolm.v1.aes-sha2"}`, 200, "")
	before, err := c.bob.Sync(t.Context(), wire.SyncOptions{})
	must(t, err)

	next, err := c.alice.Upgrade(t.Context(), c.room, "12", c.bob.User)
	must(t, err)
	if again, err := c.alice.Upgrade(t.Context(), c.room, "12", c.bob.User); err != nil || again != next {
		t.Errorf("asked again: %s, %v; first %s", again, err, next)
	}
	for _, s := range []struct {
		room      matrix.RoomID
		typ, want string
	}{
		{next, "m.room.create", fmt.Sprintf(`{"additional_creators":["@bob:here.example"],"predecessor":{"room_id":%q},"room_version":"12"}`, c.room)},
		{next, "m.room.canonical_alias", `{"alias":"#pub:here.example","alt_aliases":["#second:here.example"]}`},
		{next, "m.room.name", `{"name":"The Pub"}`},
		{next, "m.room.server_acl", `{"allow":["*"],"deny":["evil.example"]}`},
		{next, "m.room.encryption", `{"algorithm":"m.megolm.v1.aes-sha2"}`},
		{next, "m.room.join_rules", `{"join_rule":"public"}`},
		{c.room, "m.room.canonical_alias", `{}`},
		{c.room, "m.room.tombstone", fmt.Sprintf(`{"body":"This room has been replaced","replacement_room":%q}`, next)},
	} {
		if got := c.state(c.alice, s.room, s.typ, ""); got != s.want {
			t.Errorf("%s of %s is %s, want %s", s.typ, s.room, got, s.want)
		}
	}
	if got := c.state(c.alice, next, "m.room.member", string(c.carol.User)); got != `{"membership":"ban","reason":"enough"}` {
		t.Errorf("carol is %s", got)
	}
	c.visible(c.room, "private")
	c.visible(next, "public")
	for _, alias := range []string{"#pub:here.example", "#second:here.example"} {
		if got := stringField(t, c.want(c.carol, "GET", aliasPath(alias), "", 200, ""), "room_id"); got != string(next) {
			t.Errorf("%s points to %s", alias, got)
		}
	}
	if got := c.want(c.alice, "GET", wire.RoomPath(next, "aliases"), "", 200, ""); !strings.Contains(got, "#pub") || !strings.Contains(got, "#second") {
		t.Errorf("aliases %s", got)
	}
	if got := c.want(c.alice, "GET", wire.RoomPath(c.room, "aliases"), "", 200, ""); got != `{"aliases":[]}` {
		t.Errorf("the old room's aliases are %s", got)
	}
	// Members are told, and may say no more in the old room; who made an alias may still remove it.
	after, err := c.bob.Sync(t.Context(), wire.SyncOptions{Since: before.NextBatch})
	must(t, err)
	told := false
	for _, e := range after.Rooms.Join[c.room].Timeline.Events {
		told = told || e.Type == "m.room.tombstone"
	}
	if !told {
		t.Error("bob is not told of the tombstone")
	}
	_, err = c.bob.SendText(t.Context(), c.room, "t", "hello?")
	wantError(t, err, 403, matrix.MForbidden)
	_, err = c.bob.Join(t.Context(), "#pub:here.example", "here.example")
	must(t, err)
	_, err = c.bob.SendState(t.Context(), next, "m.room.name", "", map[string]string{"name": "a creator's"})
	must(t, err)
	_, err = c.carol.Join(t.Context(), string(next))
	wantError(t, err, 403, matrix.MForbidden)
	c.want(c.bob, "DELETE", aliasPath("#second:here.example"), "", 200, "")
}

func TestUpgradeRefuses(t *testing.T) {
	c := newTrio(t, "")
	for _, r := range []struct {
		who    *wire.Client
		body   string
		status int
		code   string
	}{
		{c.alice, ``, 400, matrix.MNotJSON},
		{c.alice, `[]`, 400, matrix.MBadJSON},
		{c.alice, `{}`, 400, matrix.MMissingParam},
		{c.alice, `{"new_version":12}`, 400, matrix.MBadJSON},
		{c.alice, `{"new_version":"99"}`, 400, matrix.MUnsupportedRoomVersion},
		{c.alice, `{"new_version":"` + strings.Repeat("9", 10_000) + `"}`, 400, matrix.MUnsupportedRoomVersion},
		{c.alice, `{"new_version":"12","additional_creators":"@bob:here.example"}`, 400, matrix.MBadJSON},
		{c.alice, `{"new_version":"12","additional_creators":["bob"]}`, 400, matrix.MInvalidParam},
		{c.alice, `{"new_version":"12","additional_creators":[` + strings.Repeat(`"@a:b",`, 1000) + `"@a:b"]}`, 400, matrix.MTooLarge},
		{c.bob, `{"new_version":"12"}`, 403, matrix.MForbidden},
		{c.bob, `{"new_version":"11"}`, 403, matrix.MForbidden},
		{c.carol, `{"new_version":"12"}`, 403, matrix.MForbidden},
		{c.carol, `{"new_version":"99"}`, 403, matrix.MForbidden},
		{c.anonymous(), `{"new_version":"12"}`, 401, matrix.MMissingToken},
	} {
		answer := c.post(r.who, "upgrade", r.body, r.status, r.code)
		if len(answer) > 1000 {
			t.Errorf("an answer of %d bytes", len(answer))
		}
	}
	c.want(c.alice, "POST", wire.RoomPath("!unknown:here.example", "upgrade"), `{"new_version":"12"}`, 404, matrix.MNotFound)
	c.want(c.alice, "POST", v3+"/rooms/nonsense/upgrade", `{"new_version":"12"}`, 400, matrix.MInvalidParam)
	if got := c.state(c.alice, c.room, "m.room.tombstone", ""); got != "" {
		t.Errorf("tombstone %s", got)
	}
	// Creators are ignored where there are none, whatever they are.
	c.post(c.alice, "upgrade", `{"new_version":"11","additional_creators":["bob"]}`, 200, "")
}

// What members had set for the old room holds for the new one once they join it.
// spec: client-server-api#room-upgrades
func TestUpgradeCarriesOver(t *testing.T) {
	for _, how := range []string{"join", "state"} {
		c := newTrio(t, "")
		for _, who := range []*wire.Client{c.alice, c.bob} {
			must(t, who.SetAccountData(t.Context(), c.room, "m.tag", map[string]any{"tags": map[string]any{"m.favourite": map[string]any{"order": 0.5}}}))
			must(t, who.SetAccountData(t.Context(), "", "m.direct", map[string]any{"@x:y": []string{"!other:y", string(c.room)}, "@z:y": []string{"!other:y"}, "odd": 7}))
			c.want(who, "PUT", wire.Path(v3+"/pushrules/global/room", string(c.room)), `{"actions":["dont_notify"]}`, 200, "")
		}
		next, err := c.alice.Upgrade(t.Context(), c.room, "12")
		must(t, err)
		check := func(who *wire.Client, inside bool) {
			t.Helper()
			if inside {
				if got := c.want(who, "GET", wire.Path(v3+"/user", string(who.User), "rooms", string(next), "account_data", "m.tag"), "", 200, ""); got != `{"tags":{"m.favourite":{"order":0.5}}}` {
					t.Errorf("%s: tags %s", how, got)
				}
			}
			want := fmt.Sprintf(`{"@x:y":["!other:y",%q,%q],"@z:y":["!other:y"],"odd":7}`, c.room, next)
			if got := c.want(who, "GET", wire.Path(v3+"/user", string(who.User), "account_data", "m.direct"), "", 200, ""); got != want {
				t.Errorf("%s: direct chats %s, want %s", how, got, want)
			}
			c.want(who, "GET", wire.Path(v3+"/pushrules/global/room", string(next)), "", 200, "")
		}
		check(c.alice, true)
		check(c.bob, false) // from the first moment on
		// If that was lost, it is made up for by the join.
		c.want(c.bob, "DELETE", wire.Path(v3+"/pushrules/global/room", string(next)), "", 200, "")
		if how == "join" {
			_, err = c.bob.Join(t.Context(), string(next))
		} else {
			_, err = c.bob.SendState(t.Context(), next, "m.room.member", string(c.bob.User), map[string]string{"membership": "join"})
		}
		must(t, err)
		check(c.bob, true)
		// What is set for the new room stays.
		must(t, c.bob.SetAccountData(t.Context(), next, "m.tag", map[string]any{"tags": map[string]any{}}))
		_, err = c.bob.Join(t.Context(), string(next))
		must(t, err)
		if got := c.want(c.bob, "GET", wire.Path(v3+"/user", string(c.bob.User), "rooms", string(next), "account_data", "m.tag"), "", 200, ""); got != `{"tags":{}}` {
			t.Errorf("%s: tags %s", how, got)
		}
		// Who was not in the old room has nothing to carry over, and a room that only says that it replaces another gets nothing.
		_, err = c.carol.Join(t.Context(), string(next))
		must(t, err)
		fake := c.createRoom(c.carol, fmt.Sprintf(`{"preset":"public_chat","creation_content":{"predecessor":{"room_id":%q}}}`, c.room))
		_, err = c.bob.Join(t.Context(), string(fake))
		must(t, err)
		c.want(c.bob, "GET", wire.Path(v3+"/pushrules/global/room", string(fake)), "", 404, matrix.MNotFound)
	}
}
