package clientapi

import (
	"context"
	"strings"
	"testing"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/matrix"
	"hearth/matrix/wire"
	"hearth/storage/blobtest"
)

func deactivate(t testing.TB, c *wire.Client, erase bool) {
	t.Helper()
	var out struct {
		Unbound string `json:"id_server_unbind_result"`
	}
	must(t, c.WithPassword(t.Context(), "POST", v3+"/account/deactivate", password, map[string]any{"erase": erase}, &out))
	if out.Unbound != "success" {
		t.Errorf("unbound: %q", out.Unbound)
	}
}

func TestDeactivate(t *testing.T) {
	backend := blobtest.NewMemory()
	ts := newServerOver(t, backend)
	alice, bob := ts.register("alice"), ts.register("bob")
	other := ts.loginRefreshing("alice")
	must(t, alice.SetProfileField(t.Context(), "displayname", "Alice"))
	must(t, alice.SetAccountData(t.Context(), "", "m.x", map[string]any{"a": 1}))
	ts.want(alice, "PUT", v3+"/pushrules/global/content/mine", `{"pattern":"x","actions":[]}`, 200, "")
	joined := ts.createRoom(alice, `{"preset":"public_chat"}`)
	_, err := bob.Join(t.Context(), string(joined))
	must(t, err)
	invited := ts.createRoom(bob, `{"invite":["@alice:here.example"]}`)
	ts.want(alice, "POST", v3+"/account/deactivate", `{}`, 401, "")
	deactivate(t, alice, false)

	for _, c := range []*wire.Client{alice, other} {
		ts.want(c, "GET", v3+"/account/whoami", "", 401, matrix.MUnknownToken)
	}
	wantError(t, other.Refresh(t.Context()), 401, matrix.MUnknownToken)
	wantError(t, ts.anonymous().Login(t.Context(), "alice", password, ""), 403, matrix.MForbidden)
	wantError(t, ts.anonymous().Register(t.Context(), "alice", password), 400, matrix.MUserInUse)
	ts.want(bob, "GET", v3+"/profile/@alice:here.example", "", 404, matrix.MNotFound)

	// Killed here, another program leaves the rooms.
	again := newServerOver(t, backend)
	must(t, again.api.depart(t.Context()))
	bob = again.login("bob", "")
	for _, room := range []matrix.RoomID{joined, invited} {
		var member struct {
			Membership string `json:"membership"`
		}
		must(t, bob.State(t.Context(), room, "m.room.member", string(alice.User), &member))
		if member.Membership != "leave" {
			t.Errorf("alice is %q in %s", member.Membership, room)
		}
	}
	data, err := again.api.Accounts.Data(t.Context(), alice.User, 0, "m.x")
	must(t, err)
	rules, _, err := again.api.Push.RulesContent(t.Context(), alice.User)
	must(t, err)
	if data != nil || strings.Contains(string(rules), `"mine"`) {
		t.Errorf("left: %s, %s", data, rules)
	}
	for d := range again.api.Accounts.Departing(t.Context()) {
		t.Errorf("still departing: %+v", d)
	}
}

// Who lost all devices can still end the account.
func TestDeactivateWithoutToken(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	stranger := ts.anonymous()
	stranger.User = alice.User
	deactivate(t, stranger, false)
	ts.want(alice, "GET", v3+"/account/whoami", "", 401, matrix.MUnknownToken)
}

func TestDepartures(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	known, err := ts.store.RoomByID(t.Context(), ts.createRoom(alice, `{}`))
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); ts.api.FollowDepartures(ctx) }()
	must(t, ts.api.Accounts.Deactivate(t.Context(), alice.User, false))
	for left := false; !left; {
		_, more := ts.store.Announced()
		m, err := ts.store.Membership(t.Context(), alice.User, known.Num)
		must(t, err)
		if left = m.Membership == "leave"; !left {
			<-more
		}
	}
	stop()
	<-ended
}

// A device that was removed just before the program was killed leaves nothing to a later one of its name.
func TestRemovedDeviceIsForgottenLater(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	phone := ts.login("alice", "PHONE")
	const pusher = `{"kind":"http","app_id":"a","pushkey":"k","app_display_name":"A","device_display_name":"D","lang":"en","data":{"url":"https://push.example/_matrix/push/v1/notify"}}`
	ts.want(phone, "POST", v3+"/pushers/set", pusher, 200, "")
	must(t, bob.SendToDevice(t.Context(), "m.x", "1", map[matrix.UserID]map[string]any{alice.User: {"PHONE": map[string]any{}}}))
	count := func() int {
		t.Helper()
		pushers, err := ts.api.Push.Pushers(t.Context(), alice.User)
		must(t, err)
		return len(pushers)
	}
	must(t, ts.api.Accounts.RemoveDevices(t.Context(), alice.User, "PHONE"))
	if count() != 1 {
		t.Fatal("the pusher went with the device already")
	}
	ts.login("alice", "PHONE")
	if n := count(); n != 0 {
		t.Errorf("the new device has %d pushers", n)
	}
	must(t, ts.api.Accounts.RemoveDevices(t.Context(), alice.User, "PHONE"))
	must(t, ts.api.depart(t.Context()))
	if waits, err := ts.api.Accounts.IsDeparting(t.Context(), account.Departure{User: alice.User, Device: "PHONE"}); waits || err != nil {
		t.Errorf("still departing: %v, %v", waits, err)
	}
}

// A request that was let through just before the account ended brings the user into no room.
func TestDeactivatedUsersEnterNoRoom(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	known, err := ts.store.RoomByID(t.Context(), ts.createRoom(bob, `{"preset":"public_chat"}`))
	must(t, err)
	deactivate(t, alice, false)
	_, err = ts.api.Rooms.SetMembership(t.Context(), known, room.Change{Sender: alice.User, Target: alice.User, Membership: "join"})
	wantError(t, err, 403, matrix.MUserDeactivated)
}

func TestErase(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := ts.createRoom(alice, `{"preset":"public_chat"}`)
	_, err := bob.Join(t.Context(), string(room))
	must(t, err)
	secret := say(t, alice, room, "my secret")
	deactivate(t, alice, true)
	must(t, ts.api.depart(t.Context()))
	_, err = carol.Join(t.Context(), string(room))
	must(t, err)
	for c, want := range map[*wire.Client]string{bob: "my secret", carol: ""} {
		got, _ := matrix.StringField([]byte(ts.want(c, "GET", wire.RoomPath(room, "event", string(secret)), "", 200, "")), "content", "body")
		if got != want {
			t.Errorf("%s sees %q, want %q", c.User, got, want)
		}
	}
}
