package clientapi

import (
	"encoding/json"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

func TestSuspension(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := ts.createRoom(bob, `{"preset":"public_chat","invite":["@alice:here.example"]}`)
	other := ts.createRoom(bob, `{"preset":"public_chat"}`)
	_, err := alice.Join(t.Context(), string(room))
	must(t, err)
	own, bobs := say(t, alice, room, "mine"), say(t, bob, room, "his")
	must(t, ts.api.Accounts.SetSuspended(t.Context(), alice.User, true))
	again := ts.login("alice", "")
	for _, c := range []struct{ method, path, body string }{
		{"PUT", wire.RoomPath(room, "send", "m.room.message", "1"), `{"body":"x"}`},
		{"PUT", wire.RoomPath(room, "state", "m.room.topic", ""), `{"topic":"x"}`},
		{"PUT", wire.RoomPath(room, "redact", string(bobs), "1"), `{}`},
		{"PUT", wire.RoomPath(room, "typing", string(alice.User)), `{"typing":true}`},
		{"POST", wire.RoomPath(room, "invite"), `{"user_id":"@carol:here.example"}`},
		{"POST", wire.RoomPath(room, "kick"), `{"user_id":"@bob:here.example"}`},
		{"POST", wire.RoomPath(other, "join"), `{}`},
		{"POST", v3 + "/join/" + string(other), `{}`},
		{"POST", v3 + "/knock/" + string(other), `{}`},
		{"POST", v3 + "/createRoom", `{}`},
		{"PUT", v3 + "/profile/@alice:here.example/displayname", `{"displayname":"x"}`},
		{"DELETE", v3 + "/profile/@alice:here.example/displayname", ``},
		{"PUT", v3 + "/directory/room/%23x:here.example", `{"room_id":"!x:here.example"}`},
	} {
		ts.want(alice, c.method, c.path, c.body, 403, matrix.MUserSuspended)
		ts.want(again, c.method, c.path, c.body, 403, matrix.MUserSuspended)
	}
	ts.want(alice, "GET", v3+"/sync", "", 200, "")
	ts.want(alice, "GET", wire.RoomPath(room, "messages")+"?dir=b", "", 200, "")
	ts.want(alice, "PUT", v3+"/user/@alice:here.example/account_data/m.x", `{}`, 200, "")
	ts.want(alice, "PUT", v3+"/sendToDevice/m.x/1", `{"messages":{}}`, 200, "")
	ts.want(alice, "POST", wire.RoomPath(room, "receipt", "m.read", string(bobs)), `{}`, 200, "")
	ts.want(alice, "PUT", wire.RoomPath(room, "redact", string(own), "2"), `{}`, 200, "")
	ts.want(alice, "POST", wire.RoomPath(room, "leave"), `{}`, 200, "")
	must(t, alice.WithPassword(t.Context(), "DELETE", v3+"/devices/"+again.Device, password, nil, nil))
	must(t, ts.api.Accounts.SetSuspended(t.Context(), alice.User, false))
	ts.want(alice, "POST", v3+"/createRoom", `{}`, 200, "")
	must(t, ts.api.Accounts.SetSuspended(t.Context(), alice.User, true))
	deactivate(t, alice, false)
}

// Threat 10: a locked account may do nothing but log out, whatever it had before.
func TestLocking(t *testing.T) {
	ts := newServer(t)
	alice, other := ts.loginAfter("alice"), ts.login("alice", "")
	must(t, ts.api.Accounts.SetLocked(t.Context(), alice.User, true))
	for _, e := range [][2]string{{"GET", "/sync"}, {"GET", "/account/whoami"}, {"PUT", "/profile/@alice:here.example/displayname"}, {"GET", "/devices"}} {
		var got struct {
			Soft *bool `json:"soft_logout"`
		}
		must(t, json.Unmarshal([]byte(ts.want(alice, e[0], v3+e[1], `{}`, 401, matrix.MUserLocked)), &got))
		if got.Soft == nil || !*got.Soft {
			t.Errorf("%s: no soft logout", e[1])
		}
	}
	wantError(t, alice.Refresh(t.Context()), 401, matrix.MUserLocked)
	wantError(t, ts.anonymous().Login(t.Context(), "alice", password, ""), 401, matrix.MUserLocked)
	wantError(t, ts.anonymous().Login(t.Context(), "alice", "wrong", ""), 403, matrix.MForbidden)
	must(t, other.Logout(t.Context()))
	must(t, ts.api.Accounts.SetLocked(t.Context(), alice.User, false))
	ts.want(alice, "GET", v3+"/account/whoami", "", 200, "")
	ts.want(other, "GET", v3+"/account/whoami", "", 401, matrix.MUnknownToken)
}

// loginAfter registers somebody and returns the client of a session that can be refreshed.
func (ts *testServer) loginAfter(name string) *wire.Client {
	ts.t.Helper()
	ts.register(name)
	return ts.loginRefreshing(name)
}
