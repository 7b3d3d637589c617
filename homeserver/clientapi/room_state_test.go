package clientapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

func (c *trio) put(who *wire.Client, typ, key, body string, status int, code string) string {
	c.t.Helper()
	return c.want(who, "PUT", wire.RoomPath(c.room, "state", typ, key), body, status, code)
}

// spec: client-server-api#put_matrixclientv3roomsroomidstateeventtypestatekey
func TestState(t *testing.T) {
	c := newTrio(t, "")
	for _, s := range []struct{ typ, key, content string }{
		{"m.room.name", "", `{"name":"one"}`}, {"x.test", "a/b ü%", `{"a":1}`}, {"x.test", ".", `{"a":2}`}, {"x.test", "", `{}`}, {"", "k", `{"a":3}`},
	} {
		id := stringField(t, c.put(c.alice, s.typ, s.key, s.content, 200, ""), "event_id")
		if again := stringField(t, c.put(c.alice, s.typ, s.key, s.content, 200, ""), "event_id"); again != id {
			t.Errorf("state that is so already made another event")
		}
		if got := c.state(c.bob, c.room, s.typ, s.key); got != s.content {
			t.Errorf("%s %q is %s, want %s", s.typ, s.key, got, s.content)
		}
		event := c.want(c.bob, "GET", wire.RoomPath(c.room, "state", s.typ, s.key)+"?format=event", "", 200, "")
		if stringField(t, event, "event_id") != id || stringField(t, event, "state_key") != s.key || stringField(t, event, "type") != s.typ {
			t.Errorf("event %s", event)
		}
	}
	// With an empty state key the trailing slash is optional.
	c.want(c.alice, "PUT", wire.RoomPath(c.room, "state", "m.room.name"), `{"name":"two"}`, 200, "")
	if got := c.want(c.bob, "GET", wire.RoomPath(c.room, "state", "m.room.name"), "", 200, ""); got != `{"name":"two"}` {
		t.Errorf("the name is %s", got)
	}
	var all []wire.Event
	if err := json.Unmarshal([]byte(c.want(c.bob, "GET", wire.RoomPath(c.room, "state"), "", 200, "")), &all); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, e := range all {
		k := e.Type + "/" + *e.StateKey
		if seen[k] || e.ID == "" || e.RoomID != c.room {
			t.Errorf("event %+v", e)
		}
		seen[k] = true
	}
	if len(all) != 6+1+5 {
		t.Errorf("%d state events: %v", len(all), seen)
	}
}

func TestStateRefuses(t *testing.T) {
	c := newTrio(t, "")
	for _, r := range []struct {
		who            *wire.Client
		typ, key, body string
		status         int
		code           string
	}{
		{c.alice, "x.test", "", ``, 400, matrix.MNotJSON},
		{c.alice, "x.test", "", `[]`, 400, matrix.MBadJSON},
		{c.alice, "x.test", "", `{"a":0.5}`, 400, matrix.MBadJSON},
		{c.alice, "x.test", strings.Repeat("k", 256), `{}`, 413, matrix.MTooLarge},
		{c.alice, "x.test", "", `{"a":"` + strings.Repeat("x", 65_500) + `"}`, 413, matrix.MTooLarge},
		{c.alice, "m.room.create", "", `{}`, 400, matrix.MInvalidParam},
		{c.alice, "m.room.create", "again", `{}`, 400, matrix.MInvalidParam},
		{c.alice, "m.room.redaction", "", `{"redacts":"$x"}`, 400, matrix.MInvalidParam},
		{c.alice, "m.room.server_acl", "", `{}`, 400, matrix.MInvalidParam},
		{c.alice, "m.room.server_acl", "", `{"allow":["there.example"]}`, 400, matrix.MInvalidParam},
		{c.alice, "m.room.server_acl", "", `{"allow":["*"],"deny":["h?re.*"]}`, 400, matrix.MInvalidParam},
		{c.alice, "m.room.server_acl", "", `{"allow":"*"}`, 400, matrix.MInvalidParam},
		{c.alice, "m.room.server_acl", "", `{"allow":["` + strings.Repeat("*e", 20_000) + `x"]}`, 400, matrix.MInvalidParam},
		{c.alice, "m.room.tombstone", "", fmt.Sprintf(`{"replacement_room":%q}`, c.room), 400, matrix.MInvalidParam},
		{c.alice, "x.test", string(c.bob.User), `{}`, 403, matrix.MForbidden},
		{c.alice, "m.room.power_levels", "", `{"users":{"@alice:here.example":100}}`, 403, matrix.MForbidden},
		{c.alice, "m.room.power_levels", "", `{"ban":"50"}`, 400, matrix.MBadJSON},
		{c.bob, "m.room.power_levels", "", `{"users":{"nobody":50}}`, 400, matrix.MBadJSON},
		{c.alice, "m.room.power_levels", "", `{"events":[]}`, 400, matrix.MBadJSON},
		{c.alice, "m.room.power_levels", "not the levels", `{"ban":"50"}`, 403, matrix.MForbidden},
		{c.bob, "m.room.name", "", `{"name":"x"}`, 403, matrix.MForbidden},
		{c.carol, "x.test", "", `{}`, 403, matrix.MForbidden},
	} {
		c.put(r.who, r.typ, r.key, r.body, r.status, r.code)
	}
	c.want(c.alice, "POST", wire.RoomPath(c.room, "state", "x.test", ""), `{}`, 405, matrix.MUnrecognized)
	c.want(c.alice, "GET", wire.RoomPath(c.room, "state", "x.none", ""), "", 404, matrix.MNotFound)
	c.want(c.alice, "GET", wire.RoomPath(c.room, "state", "m.room.create", "")+"?format=yaml", "", 400, matrix.MInvalidParam)
	for _, path := range []string{wire.RoomPath(c.room, "state"), wire.RoomPath(c.room, "state", "m.room.create", ""), wire.RoomPath(c.room, "state", "x.none", "")} {
		c.want(c.carol, "GET", path, "", 403, matrix.MForbidden)
	}
	c.want(c.alice, "GET", wire.RoomPath("!unknown:here.example", "state"), "", 403, matrix.MForbidden)
	c.want(c.alice, "GET", wire.RoomPath("nonsense", "state"), "", 400, matrix.MInvalidParam)
}

// Memberships that are sent as state obey what the endpoints made for them do.
// spec: client-server-api#room-membership
func TestMembersAsState(t *testing.T) {
	c := newTrio(t, `{}`)
	member := func(who *wire.Client, key matrix.UserID, body string, status int, code string) {
		t.Helper()
		c.put(who, "m.room.member", string(key), body, status, code)
	}
	carol := c.carol.User
	member(c.carol, carol, `{"membership":"join"}`, 403, matrix.MForbidden)
	member(c.alice, carol, `{}`, 400, matrix.MBadJSON)
	member(c.alice, carol, `{"membership":7}`, 400, matrix.MBadJSON)
	member(c.alice, carol, `{"membership":"visit"}`, 403, matrix.MForbidden)
	member(c.alice, "carol", `{"membership":"invite"}`, 400, matrix.MInvalidParam)
	member(c.alice, "", `{"membership":"leave"}`, 400, matrix.MInvalidParam)
	member(c.alice, "@nobody:here.example", `{"membership":"invite"}`, 404, matrix.MNotFound)
	member(c.alice, carol, `{"membership":"invite","x.more":true}`, 200, "")
	c.wantMember(carol, `{"membership":"invite","x.more":true}`)
	member(c.carol, carol, `{"membership":"join","displayname":"Only here"}`, 200, "")
	c.wantMember(carol, `{"displayname":"Only here","membership":"join"}`)
	if rooms, err := c.carol.JoinedRooms(t.Context()); err != nil || len(rooms) != 1 {
		t.Errorf("joined %v, %v", rooms, err)
	}
	member(c.bob, carol, `{"membership":"leave"}`, 403, matrix.MForbidden)
	member(c.bob, carol, `{"membership":"join","displayname":"Changed by bob"}`, 403, matrix.MForbidden)
	member(c.alice, carol, `{"membership":"ban","reason":"x"}`, 200, "")
	member(c.carol, carol, `{"membership":"leave"}`, 403, matrix.MForbidden)
	member(c.alice, carol, `{"membership":"leave"}`, 200, "")
	c.wantMember(carol, `{"membership":"leave"}`)
}

// spec: client-server-api#mroomcanonical_alias
func TestCanonicalAlias(t *testing.T) {
	c := newTrio(t, "")
	other := c.createRoom(c.alice, `{"room_alias_name":"other"}`)
	for alias, who := range map[string]*wire.Client{"#one:here.example": c.alice, "#two:here.example": c.bob} {
		c.want(who, "PUT", wire.Path(v3+"/directory/room", alias), fmt.Sprintf(`{"room_id":%q}`, c.room), 200, "")
	}
	put := func(body string, status int, code string) {
		t.Helper()
		c.put(c.alice, "m.room.canonical_alias", "", body, status, code)
	}
	put(`{"alias":"#one:here.example","alt_aliases":["#two:here.example"]}`, 200, "")
	put(`{"alias":"#other:here.example"}`, 400, matrix.MBadAlias)
	put(`{"alias":"#none:here.example"}`, 400, matrix.MBadAlias)
	put(`{"alias":"#one:there.example"}`, 400, matrix.MBadAlias)
	put(`{"alt_aliases":["#one:here.example","#other:here.example"]}`, 400, matrix.MBadAlias)
	put(`{"alias":"one"}`, 400, matrix.MInvalidParam)
	put(`{"alt_aliases":["#one"]}`, 400, matrix.MInvalidParam)
	put(`{"alias":7}`, 400, matrix.MBadJSON)
	put(`{"alt_aliases":"#one:here.example"}`, 400, matrix.MBadJSON)
	put(`{"alt_aliases":[7]}`, 400, matrix.MBadJSON)
	many := strings.Repeat(`"#other:here.example",`, 2000)
	put(`{"alt_aliases":[`+many+`"#other:here.example"]}`, 400, matrix.MBadAlias)
	// What is there already, or goes, is not looked at.
	c.want(c.bob, "DELETE", wire.Path(v3+"/directory/room", "#two:here.example"), "", 200, "") // who may not change what the room says
	put(`{"alias":"#two:here.example","alt_aliases":["#one:here.example","#two:here.example"]}`, 200, "")
	put(`{"alias":null}`, 200, "")
	put(`{"alias":"#two:here.example"}`, 400, matrix.MBadAlias)
	put(`{"alias":""}`, 200, "")
	put(`{}`, 200, "")
	c.want(c.alice, "PUT", wire.RoomPath(other, "state", "m.room.canonical_alias", ""), `{"alias":"#one:here.example"}`, 400, matrix.MBadAlias)
	c.put(c.bob, "m.room.canonical_alias", "", `{"alias":"#one:here.example"}`, 403, matrix.MForbidden)
}
