package clientapi

import (
	"testing"

	"hearth/matrix"
)

func TestChangePassword(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	other := ts.login("alice", "")
	wantError(t, alice.ChangePassword(t.Context(), "wrong", "new"), 401, matrix.MForbidden)
	body := map[string]any{"new_password": "new", "logout_devices": false}
	must(t, alice.WithPassword(t.Context(), "POST", v3+"/account/password", password, body, nil))
	ts.want(other, "GET", v3+"/account/whoami", "", 200, "")
	must(t, alice.ChangePassword(t.Context(), "new", "newer"))
	ts.want(other, "GET", v3+"/account/whoami", "", 401, matrix.MUnknownToken)
	ts.want(alice, "GET", v3+"/account/whoami", "", 200, "")
	c := ts.anonymous()
	wantError(t, c.Login(t.Context(), "alice", password, ""), 403, matrix.MForbidden)
	must(t, c.Login(t.Context(), "alice", "newer", ""))
}

// Without an access token the password says who asks.
func TestChangePasswordWithoutToken(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	stranger := ts.anonymous()
	stranger.User = alice.User
	wantError(t, stranger.ChangePassword(t.Context(), "wrong", "new"), 401, matrix.MForbidden)
	must(t, stranger.ChangePassword(t.Context(), password, "new"))
	ts.want(alice, "GET", v3+"/account/whoami", "", 401, matrix.MUnknownToken)
	ts.want(bob, "GET", v3+"/account/whoami", "", 200, "")
	must(t, stranger.Login(t.Context(), "alice", "new", ""))
	ts.login("bob", "")
}

func TestChangePasswordRefuses(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	path := v3 + "/account/password"
	stranger := ts.anonymous()
	stranger.Token = "x"
	ts.want(stranger, "POST", path, `{"new_password":"x"}`, 401, matrix.MUnknownToken)
	ts.want(alice, "POST", path, `{}`, 400, matrix.MMissingParam)
	ts.want(alice, "POST", path, `{"new_password":""}`, 400, matrix.MWeakPassword)
	ts.want(alice, "POST", path, `{"new_password":7}`, 400, matrix.MBadJSON)
	ts.want(alice, "POST", path, `{"new_password":"x"}`, 401, "")
	// Threat 10: the password that was confirmed is the one that is set.
	session := sessionOf(ts.want(alice, "POST", path, `{"new_password":"x"}`, 401, ""))
	ts.want(alice, "POST", v3+"/account/deactivate", `{"auth":{"type":"m.login.password","user":"alice","password":"`+password+`","session":"`+session+`"}}`, 401, matrix.MForbidden)
	for _, kind := range []string{"email", "msisdn"} {
		ts.want(alice, "POST", path+"/"+kind+"/requestToken", `{}`, 400, matrix.MThreepidNotFound)
	}
	if on, _ := matrix.BoolField([]byte(ts.want(alice, "GET", v3+"/capabilities", "", 200, "")), "capabilities", "m.change_password", "enabled"); !on {
		t.Error("it is no capability")
	}
}
