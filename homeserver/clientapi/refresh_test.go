package clientapi

import (
	"testing"
	"time"

	"hearth/matrix"
	"hearth/matrix/wire"
)

func (ts *testServer) loginRefreshing(name string) *wire.Client {
	ts.t.Helper()
	c := ts.anonymous()
	must(ts.t, c.LoginWith(ts.t.Context(), map[string]any{
		"type": loginPassword, "user": name, "password": password, "refresh_token": true,
	}))
	return c
}

func TestRefresh(t *testing.T) {
	ts := newServer(t)
	ts.register("alice")
	c := ts.loginRefreshing("alice")
	if c.RefreshToken == "" {
		t.Fatal("there is no refresh token")
	}
	ts.clock.pass(5 * time.Minute)
	answer := ts.want(c, "GET", v3+"/account/whoami", "", 401, matrix.MUnknownToken)
	if soft, _ := matrix.BoolField([]byte(answer), "soft_logout"); !soft {
		t.Errorf("answered %s", answer)
	}
	lost := c.RefreshToken
	must(t, c.Refresh(t.Context()))
	c.RefreshToken = lost
	must(t, c.Refresh(t.Context()))
	me, err := c.Whoami(t.Context())
	must(t, err)
	if me.DeviceID != c.Device || me.UserID != c.User {
		t.Errorf("it is %+v", me)
	}
	ts.want(ts.anonymous(), "POST", v3+"/refresh", `{"refresh_token":"`+lost+`"}`, 401, matrix.MUnknownToken)
	answer = ts.want(ts.anonymous(), "POST", v3+"/refresh", `{"refresh_token":"`+c.RefreshToken+`"}`, 200, "")
	if ms, _ := matrix.IntField([]byte(answer), "expires_in_ms"); ms != 300_000 {
		t.Errorf("answered %s", answer)
	}
}

func TestRefreshAtRegistration(t *testing.T) {
	ts := newServer(t)
	answer := []byte(ts.want(ts.anonymous(), "POST", v3+"/register", `{"username":"alice","password":"x","refresh_token":true,`+dummyAuth+`}`, 200, ""))
	token, _ := matrix.StringField(answer, "refresh_token")
	if ms, _ := matrix.IntField(answer, "expires_in_ms"); ms != 300_000 || token == "" {
		t.Errorf("answered %s", answer)
	}
	ts.want(ts.anonymous(), "POST", v3+"/refresh", `{"refresh_token":"`+token+`"}`, 200, "")
}

func TestRefreshRefuses(t *testing.T) {
	ts := newServer(t)
	c := ts.anonymous()
	ts.want(c, "POST", v3+"/refresh", `{}`, 400, matrix.MMissingParam)
	ts.want(c, "POST", v3+"/refresh", `{"refresh_token":1}`, 400, matrix.MBadJSON)
	ts.want(c, "POST", v3+"/refresh", `{"refresh_token":"x"}`, 401, matrix.MUnknownToken)
	ts.want(c, "POST", v3+"/login", `{"type":"m.login.password","user":"x","password":"x","refresh_token":"yes"}`, 400, matrix.MBadJSON)
}
