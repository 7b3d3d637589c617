package clientapi

import (
	"testing"

	"hearth/matrix"
)

func TestLogout(t *testing.T) {
	ts := newServer(t)
	one, two := ts.register("alice"), ts.login("alice", "")
	must(t, one.Logout(t.Context()))
	_, err := one.Whoami(t.Context())
	wantError(t, err, 401, matrix.MUnknownToken)
	wantError(t, one.Logout(t.Context()), 401, matrix.MUnknownToken)
	_, err = two.Whoami(t.Context())
	must(t, err)
	devices, err := ts.api.Accounts.Devices(t.Context(), one.User)
	must(t, err)
	if len(devices) != 1 || devices[0].ID != two.Device {
		t.Errorf("left: %+v", devices)
	}
}

func TestLogoutAll(t *testing.T) {
	ts := newServer(t)
	one, two, bob := ts.register("alice"), ts.login("alice", ""), ts.register("bob")
	must(t, two.LogoutAll(t.Context()))
	_, err := one.Whoami(t.Context())
	wantError(t, err, 401, matrix.MUnknownToken)
	_, err = two.Whoami(t.Context())
	wantError(t, err, 401, matrix.MUnknownToken)
	_, err = bob.Whoami(t.Context())
	must(t, err)
	ts.login("alice", "")
}

func TestLogoutWithoutBody(t *testing.T) {
	ts := newServer(t)
	ts.want(ts.register("alice"), "POST", v3+"/logout", "", 200, "")
	ts.want(ts.login("alice", ""), "POST", v3+"/logout/all", "{}", 200, "")
}

// What waits for a device goes with it, and is not for a later one of the same id.
func TestLogoutForgetsMessages(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	send := func(txn string) {
		must(t, bob.SendToDevice(t.Context(), "m.test", txn, map[matrix.UserID]map[string]any{alice.User: {"*": map[string]any{}}}))
	}
	send("1")
	must(t, alice.Logout(t.Context()))
	send("2")
	again := ts.login("alice", alice.Device)
	send("3")
	if got := ts.waiting(again); len(got) != 1 {
		t.Errorf("waiting: %v", got)
	}
}
