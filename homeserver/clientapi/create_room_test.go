package clientapi

import (
	"fmt"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// createRoom makes a room from a body as it is.
func (ts *testServer) createRoom(c *wire.Client, body string) matrix.RoomID {
	ts.t.Helper()
	id, ok := matrix.StringField([]byte(ts.want(c, "POST", v3+"/createRoom", body, 200, "")), "room_id")
	if !ok {
		ts.t.Fatal("no room was made")
	}
	return matrix.RoomID(id)
}

// state returns the content of a state event as a client reads it, "" if there is none.
func (ts *testServer) state(c *wire.Client, room matrix.RoomID, typ, key string) string {
	ts.t.Helper()
	status, body := ts.do(c, "GET", wire.RoomPath(room, "state", typ, key), "")
	if status == 404 {
		return ""
	}
	if status != 200 {
		ts.t.Errorf("reading %s: %d %s", typ, status, body)
	}
	return body
}

func stringField(t testing.TB, obj string, path ...string) string {
	t.Helper()
	s, ok := matrix.StringField([]byte(obj), path...)
	if !ok {
		t.Errorf("%s has no %v", obj, path)
	}
	return s
}

// The example of the specification.
// spec: client-server-api#post_matrixclientv3createroom
func TestCreateRoom(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := ts.createRoom(alice, `{
		"preset": "public_chat", "room_alias_name": "thepub", "name": "The Grand Duke Pub", "topic": "All about happy hour",
		"creation_content": {"m.federate": false}, "invite": ["@bob:here.example"], "is_direct": true,
		"initial_state": [{"type": "x.test", "content": {"a": 1}}, {"type": "x.test", "state_key": "k", "content": {"a": 2}}]}`)
	for _, c := range []struct{ typ, key, want string }{
		{"m.room.create", "", `{"m.federate":false,"room_version":"12"}`},
		{"m.room.member", string(alice.User), `{"membership":"join"}`},
		{"m.room.canonical_alias", "", `{"alias":"#thepub:here.example"}`},
		{"m.room.join_rules", "", `{"join_rule":"public"}`},
		{"m.room.history_visibility", "", `{"history_visibility":"shared"}`},
		{"m.room.guest_access", "", `{"guest_access":"forbidden"}`},
		{"x.test", "", `{"a":1}`},
		{"x.test", "k", `{"a":2}`},
		{"m.room.name", "", `{"name":"The Grand Duke Pub"}`},
		{"m.room.topic", "", `{"m.topic":{"m.text":[{"body":"All about happy hour"}]},"topic":"All about happy hour"}`},
		{"m.room.member", string(bob.User), `{"is_direct":true,"membership":"invite"}`},
	} {
		if got := ts.state(alice, room, c.typ, c.key); got != c.want {
			t.Errorf("%s %s is %s, want %s", c.typ, c.key, got, c.want)
		}
	}
	if joined, err := bob.Join(t.Context(), "#thepub:here.example"); err != nil || joined != room {
		t.Errorf("joined %s, %v", joined, err)
	}
}

func TestCreateRoomOfEveryVersion(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	for _, v := range matrix.Versions() {
		room := ts.createRoom(alice, fmt.Sprintf(`{"room_version":%q,"creation_content":{"room_version":"99","creator":"@x:y"}}`, v.Version))
		create := ts.state(alice, room, "m.room.create", "")
		if got := stringField(t, create, "room_version"); got != string(v.Version) {
			t.Errorf("version %s, want %s", got, v.Version)
		}
		if _, err := alice.SendText(t.Context(), room, "t", "hello"); err != nil {
			t.Errorf("version %s: %v", v.Version, err)
		}
	}
}

func TestCreateRoomRefuses(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	ts.register("bob")
	ts.createRoom(alice, `{"room_alias_name":"taken"}`)
	for _, c := range []struct {
		body   string
		status int
		code   string
	}{
		{``, 400, matrix.MNotJSON},
		{`{`, 400, matrix.MNotJSON},
		{`[]`, 400, matrix.MBadJSON},
		{`{"name":7}`, 400, matrix.MBadJSON},
		{`{"name":"a","name":"b"}`, 400, matrix.MBadJSON},
		{`{"visibility":"secret"}`, 400, matrix.MBadJSON},
		{`{"preset":"party"}`, 400, matrix.MBadJSON},
		{`{"room_version":"99"}`, 400, matrix.MUnsupportedRoomVersion},
		{`{"room_version":12}`, 400, matrix.MBadJSON},
		{`{"creation_content":[]}`, 400, matrix.MBadJSON},
		{`{"power_level_content_override":"x"}`, 400, matrix.MBadJSON},
		{`{"power_level_content_override":{"users":{"@alice:here.example":100}}}`, 400, matrix.MInvalidRoomState},
		{`{"room_version":"11","power_level_content_override":{"users":{}},"name":"x"}`, 400, matrix.MInvalidRoomState},
		{`{"room_version":"11","power_level_content_override":{"users":{"@alice:here.example":10}},"name":"x"}`, 400, matrix.MInvalidRoomState},
		{`{"creation_content":{"additional_creators":"@bob:here.example"}}`, 400, matrix.MInvalidRoomState},
		{`{"initial_state":{}}`, 400, matrix.MBadJSON},
		{`{"initial_state":[{"content":{}}]}`, 400, matrix.MBadJSON},
		{`{"initial_state":[{"type":"x"}]}`, 400, matrix.MBadJSON},
		{`{"initial_state":[{"type":"x","content":[]}]}`, 400, matrix.MBadJSON},
		{`{"initial_state":[{"type":"m.room.create","content":{}}]}`, 400, matrix.MInvalidRoomState},
		{`{"initial_state":[{"type":"m.room.member","state_key":"@bob:here.example","content":{"membership":"invite"}}]}`, 400, matrix.MInvalidRoomState},
		{`{"initial_state":[{"type":"m.room.canonical_alias","content":{"alias":"#taken:here.example"}}]}`, 400, matrix.MBadAlias},
		{`{"initial_state":[{"type":"m.room.server_acl","content":{"allow":["there.example"]}}]}`, 400, matrix.MInvalidParam},
		{`{"initial_state":[{"type":"m.room.redaction","content":{"redacts":"$x"}}]}`, 400, matrix.MInvalidParam},
		{`{"creation_content":{"additional_creators":["nobody"]}}`, 400, matrix.MInvalidRoomState},
		{`{"creation_content":{"additional_creators":["@bob:here.example"]},"power_level_content_override":{"users":{"@bob:here.example":100}}}`, 400, matrix.MInvalidRoomState},
		{`{"power_level_content_override":{"state_default":"50"}}`, 400, matrix.MInvalidRoomState},
		{`{"power_level_content_override":{"events":[]}}`, 400, matrix.MInvalidRoomState},
		{`{"initial_state":[` + strings.Repeat(`{"type":"x","content":{}},`, 100) + `{"type":"x","content":{}}]}`, 400, matrix.MTooLarge},
		{`{"room_alias_name":"taken"}`, 400, matrix.MRoomInUse},
		{`{"room_alias_name":""}`, 400, matrix.MInvalidParam},
		{`{"room_alias_name":"a:b"}`, 400, matrix.MInvalidParam},
		{`{"room_alias_name":"#full:here.example"}`, 400, matrix.MInvalidParam},
		{`{"room_alias_name":"` + strings.Repeat("x", 255) + `"}`, 400, matrix.MInvalidParam},
		{`{"room_alias_name":"a\u0000b"}`, 400, matrix.MInvalidParam},
		{`{"invite":["bob"]}`, 400, matrix.MInvalidParam},
		{`{"invite":"@bob:here.example"}`, 400, matrix.MBadJSON},
		{`{"invite":["@bob:there.example"]}`, 403, matrix.MForbidden},
		{`{"invite":["@nobody:here.example"]}`, 404, matrix.MNotFound},
		{`{"invite":[` + strings.Repeat(`"@bob:here.example",`, 100) + `"@bob:here.example"]}`, 400, matrix.MTooLarge},
		{`{"invite_3pid":[{"medium":"email","address":"a@b","id_server":"x","id_access_token":"y"}]}`, 403, matrix.MThreepidDenied},
		{`{"topic":"` + strings.Repeat("x", 40_000) + `"}`, 413, matrix.MTooLarge},
		{`{"topic":"` + strings.Repeat("x", maxBody) + `"}`, 413, matrix.MTooLarge},
	} {
		ts.want(alice, "POST", v3+"/createRoom", c.body, c.status, c.code)
	}
	if rooms, err := alice.JoinedRooms(t.Context()); err != nil || len(rooms) != 1 {
		t.Errorf("joined %v, %v", rooms, err)
	}
	// What was refused holds no alias.
	ts.want(alice, "POST", v3+"/createRoom", `{"room_alias_name":"later","preset":"party"}`, 400, matrix.MBadJSON)
	ts.createRoom(alice, `{"room_alias_name":"later"}`)
}

// Users who are invited into a trusted room are the creator's equals.
func TestTrustedPrivateChat(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	for _, v := range []string{"11", "12"} {
		room := ts.createRoom(alice, `{"room_version":"`+v+`","preset":"trusted_private_chat","invite":["@bob:here.example"],"creation_content":{"additional_creators":["@bob:here.example","@carol:there.example"]}}`)
		if _, err := bob.Join(t.Context(), string(room)); err != nil {
			t.Fatal(err)
		}
		if v == "12" {
			if got := ts.state(bob, room, "m.room.create", ""); got != `{"additional_creators":["@bob:here.example","@carol:there.example"],"room_version":"12"}` {
				t.Errorf("create event %s", got)
			}
		}
		if _, err := bob.SendState(t.Context(), room, "m.room.name", "", map[string]string{"name": "by bob"}); err != nil {
			t.Errorf("version %s: %v", v, err)
		}
		if err := bob.Kick(t.Context(), room, alice.User, ""); err == nil {
			t.Errorf("version %s: one creator kicked the other", v)
		}
	}
}

// New rooms that are not public are encrypted if the owner of the server wants it.
func TestEncryptedRooms(t *testing.T) {
	const encrypted, none = `{"algorithm":"m.megolm.v1.aes-sha2"}`, ""
	with := func(content string) string {
		return `{"initial_state":[{"type":"m.room.encryption","content":` + content + `}]}`
	}
	for _, c := range []struct {
		on         bool
		body, want string
	}{
		{false, `{}`, none},
		{true, `{}`, encrypted},
		{true, `{"preset":"trusted_private_chat"}`, encrypted},
		{true, `{"preset":"public_chat"}`, none},
		{true, `{"visibility":"public"}`, none},
		{true, `{"visibility":"public","preset":"private_chat"}`, encrypted},
		{true, with(`{"algorithm":"x.own"}`), `{"algorithm":"x.own"}`},
		{true, with(`{}`), encrypted},
		{true, with(`{"algorithm":7}`), encrypted},
		{false, with(`{"algorithm":7}`), `{"algorithm":7}`},
	} {
		ts := newServer(t, func(s *Settings) { s.EncryptRooms = c.on })
		alice := ts.register("alice")
		if got := ts.state(alice, ts.createRoom(alice, c.body), "m.room.encryption", ""); got != c.want {
			t.Errorf("%t, %s: %q, want %q", c.on, c.body, got, c.want)
		}
	}
}

// In a room whose creators are above all levels only they replace it, unless they say otherwise.
// spec: client-server-api#post_matrixclientv3createroom 3
func TestTombstoneLevel(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	for _, c := range []struct {
		version, override string
		want              int64 // -1 for none
	}{
		{"11", `{}`, 100},
		{"11", `{"events":{}}`, -1},
		{"12", `{}`, 150},
		{"12", `{"events":{"m.x":7}}`, 150},
		{"12", `{"events":{"m.room.tombstone":60}}`, 60},
		{"12", `{"state_default":160}`, 161},
		{"12", `{"state_default":9007199254740991}`, 9007199254740991},
		{"12", `{"state_default":200,"events":{}}`, 201},
	} {
		room := ts.createRoom(alice, fmt.Sprintf(`{"room_version":%q,"power_level_content_override":%s}`, c.version, c.override))
		got, ok := matrix.IntField([]byte(ts.state(alice, room, "m.room.power_levels", "")), "events", "m.room.tombstone")
		if ok != (c.want >= 0) || ok && got != c.want {
			t.Errorf("version %s, %s: %d, %t", c.version, c.override, got, ok)
		}
	}
}
