package clientapi

import (
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

func TestAccountData(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	room, err := alice.CreateRoom(t.Context(), wire.CreateRoom{})
	must(t, err)
	global := v3 + "/user/@alice:here.example/account_data/"
	inRoom := wire.Path(v3+"/user", "@alice:here.example", "rooms", string(room), "account_data") + "/"
	for _, base := range []string{global, inRoom} {
		ts.want(alice, "GET", base+"org.example.x", "", 404, matrix.MNotFound)
		for _, content := range []string{`{"a": [1, 2.5]}`, `{}`, `{"b":"` + strings.Repeat("x", 60_000) + `"}`} {
			if got := ts.want(alice, "PUT", base+"org.example.x", content, 200, ""); got != "{}" {
				t.Errorf("answered %s", got)
			}
			if got := ts.want(alice, "GET", base+"org.example.x", "", 200, ""); got != content {
				t.Errorf("read %.100s, want %.100s", got, content)
			}
		}
		ts.want(alice, "GET", base+"org.example.y", "", 404, matrix.MNotFound)
		for _, typ := range []string{"m.fully_read", "m.push_rules"} {
			ts.want(alice, "PUT", base+typ, `{}`, 405, matrix.MBadJSON)
		}
		ts.want(alice, "PUT", base+"org.example.x", `[]`, 400, matrix.MBadJSON)
		ts.want(alice, "PUT", base+"org.example.x", `{`, 400, matrix.MNotJSON)
		ts.want(alice, "PUT", base+"org.example.x", `{"x":"`+strings.Repeat("x", 200<<10)+`"}`, 413, matrix.MTooLarge)
		ts.want(alice, "PUT", base+"org.example.x", `{"x":"`+strings.Repeat("x", maxBody)+`"}`, 413, matrix.MTooLarge)
		ts.want(alice, "PUT", base, `{}`, 400, matrix.MInvalidParam)
		ts.want(alice, "PUT", base+strings.Repeat("x", 256), `{}`, 400, matrix.MInvalidParam)
		ts.want(alice, "GET", base+strings.Repeat("x", 2000), ``, 404, matrix.MNotFound)
	}
}

func TestPushRulesAreAccountData(t *testing.T) {
	ts := newServer(t)
	got := ts.want(ts.register("alice"), "GET", v3+"/user/@alice:here.example/account_data/m.push_rules", "", 200, "")
	if _, ok := matrix.Field([]byte(got), "global", "override"); !ok {
		t.Errorf("answered %.200s", got)
	}
}

func TestAccountDataIsPrivate(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room, err := alice.CreateRoom(t.Context(), wire.CreateRoom{Preset: "private_chat"})
	must(t, err)
	global := v3 + "/user/@alice:here.example/account_data/m.x"
	inRoom := wire.Path(v3+"/user", "@alice:here.example", "rooms", string(room), "account_data", "m.x")
	must(t, alice.SetAccountData(t.Context(), "", "m.x", struct{}{}))
	must(t, alice.SetAccountData(t.Context(), room, "m.x", struct{}{}))
	for _, path := range []string{global, inRoom} {
		ts.want(bob, "GET", path, "", 403, matrix.MForbidden)
		ts.want(bob, "PUT", path, `{}`, 403, matrix.MForbidden)
	}
	// A room in which bob never was looks like one that does not exist.
	for _, id := range []string{string(room), "!unknown:here.example"} {
		ts.want(bob, "GET", wire.Path(v3+"/user", "@bob:here.example", "rooms", id, "account_data", "m.x"), "", 404, matrix.MNotFound)
		ts.want(bob, "PUT", wire.Path(v3+"/user", "@bob:here.example", "rooms", id, "account_data", "m.x"), `{}`, 403, matrix.MForbidden)
	}
	ts.want(bob, "PUT", wire.Path(v3+"/user", "@bob:here.example", "rooms", "not-a-room", "account_data", "m.x"), `{}`, 400, matrix.MInvalidParam)
}
