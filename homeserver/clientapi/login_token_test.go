package clientapi

import (
	"testing"

	"hearth/homeserver/account"
	"hearth/matrix"
)

const getToken = "/_matrix/client/v1/login/get_token"

func withLoginTokens(s *Settings) { s.LoginTokens = true }

func TestLoginToken(t *testing.T) {
	ts := newServer(t, withLoginTokens)
	alice := ts.register("alice")
	if got := ts.want(alice, "GET", v3+"/login", "", 200, ""); got != `{"flows":[{"type":"m.login.password"},{"type":"m.login.token","get_login_token":true}]}` {
		t.Errorf("answered %s", got)
	}
	if on, _ := matrix.BoolField([]byte(ts.want(alice, "GET", v3+"/capabilities", "", 200, "")), "capabilities", "m.get_login_token", "enabled"); !on {
		t.Error("it is no capability")
	}
	token, err := alice.LoginToken(t.Context(), password)
	must(t, err)
	other := ts.anonymous()
	login := map[string]any{"type": loginToken, "token": token}
	must(t, other.LoginWith(t.Context(), login))
	if other.User != alice.User || other.Device == alice.Device {
		t.Errorf("logged in as %+v", other)
	}
	wantError(t, other.LoginWith(t.Context(), login), 403, matrix.MForbidden)

	token, err = alice.LoginToken(t.Context(), password)
	must(t, err)
	ts.clock.pass(account.LoginTokenLifetime)
	wantError(t, other.LoginWith(t.Context(), map[string]any{"type": loginToken, "token": token}), 403, matrix.MForbidden)
	ts.want(other, "POST", v3+"/login", `{"type":"m.login.token"}`, 400, matrix.MMissingParam)
}

func TestLoginTokensAreOffUnlessWanted(t *testing.T) {
	ts := newServer(t)
	ts.want(ts.register("alice"), "POST", getToken, `{}`, 404, matrix.MUnrecognized)
}

func TestOtherWaysToLogIn(t *testing.T) {
	ts := newServer(t)
	c := ts.anonymous()
	ts.want(c, "POST", v3+"/login", `{"type":"m.login.application_service","identifier":{"type":"m.id.user","user":"x"}}`, 403, matrix.MForbidden)
	ts.want(c, "GET", v3+"/login/sso/redirect?redirectUrl=http://x", "", 404, matrix.MUnrecognized)
	ts.want(c, "GET", v3+"/login/sso/redirect/idp?redirectUrl=http://x", "", 404, matrix.MUnrecognized)
	ts.want(c, "GET", v3+"/login/cas/redirect", "", 404, matrix.MUnrecognized)
	ts.want(c, "GET", "/_matrix/client/v1/auth_metadata", "", 404, matrix.MUnrecognized)
}
