package clientapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hearth/homeserver/ratelimit"
	"hearth/matrix"
)

func loginBody(identifier, password string) string {
	return fmt.Sprintf(`{"type":"m.login.password",%s,"password":%q}`, identifier, password)
}

func TestLoginFlows(t *testing.T) {
	ts := newServer(t)
	if got := ts.want(ts.anonymous(), "GET", v3+"/login", "", 200, ""); got != `{"flows":[{"type":"m.login.password"}]}` {
		t.Errorf("answered %s", got)
	}
}

func TestLogin(t *testing.T) {
	ts := newServer(t, func(s *Settings) { s.PublicURL = "https://here.example" })
	ts.register("alice")
	for _, identifier := range []string{
		`"identifier":{"type":"m.id.user","user":"alice"}`,
		`"identifier":{"type":"m.id.user","user":"ALICE"}`,
		`"identifier":{"type":"m.id.user","user":"@alice:here.example"}`,
		`"user":"alice"`,
		`"user":"@alice:here.example"`,
	} {
		got := []byte(ts.want(ts.anonymous(), "POST", v3+"/login", loginBody(identifier, password), 200, ""))
		user, _ := matrix.StringField(got, "user_id")
		url, _ := matrix.StringField(got, "well_known", "m.homeserver", "base_url")
		if user != "@alice:here.example" || url != "https://here.example" {
			t.Errorf("answered %s", got)
		}
		c := ts.anonymous()
		c.Token, _ = matrix.StringField(got, "access_token")
		me, err := c.Whoami(t.Context())
		must(t, err)
		if device, _ := matrix.StringField(got, "device_id"); me.DeviceID != device {
			t.Errorf("logged in as %q, the token is %q's", device, me.DeviceID)
		}
	}
}

func TestLoginRefuses(t *testing.T) {
	ts := newServer(t)
	ts.register("alice")
	const alice = `"identifier":{"type":"m.id.user","user":"alice"}`
	for _, c := range []struct {
		body   string
		status int
		code   string
	}{
		{loginBody(alice, "wrong"), 403, matrix.MForbidden},
		{loginBody(alice, ""), 403, matrix.MForbidden},
		{loginBody(`"identifier":{"type":"m.id.user","user":"nobody"}`, password), 403, matrix.MForbidden},
		{loginBody(`"identifier":{"type":"m.id.user","user":"@alice:there.example"}`, password), 403, matrix.MForbidden},
		{loginBody(`"identifier":{"type":"m.id.user","user":"@alice"}`, password), 403, matrix.MForbidden},
		{loginBody(`"identifier":{"type":"m.id.user","user":""}`, password), 403, matrix.MForbidden},
		{loginBody(`"identifier":{"type":"m.id.user","user":"`+strings.Repeat("x", 3000)+`"}`, password), 403, matrix.MForbidden},
		{loginBody(`"identifier":{"type":"m.id.user","user":"a\u0000b"}`, password), 403, matrix.MForbidden},
		{loginBody(`"identifier":{"type":"m.id.thirdparty","medium":"email","address":"a@b.example"}`, password), 403, matrix.MForbidden},
		{loginBody(`"identifier":{"medium":"email","address":"a@b.example"}`, password), 403, matrix.MForbidden},
		{loginBody(`"medium":"email","address":"a@b.example"`, password), 403, matrix.MForbidden},
		{loginBody(`"identifier":{"type":"m.id.phone","country":"GB","phone":"123"}`, password), 403, matrix.MForbidden},
		{loginBody(`"identifier":{"type":"m.id.user"}`, password), 400, matrix.MMissingParam},
		{loginBody(`"identifier":{"type":"m.id.thirdparty","medium":"email"}`, password), 400, matrix.MMissingParam},
		{loginBody(`"identifier":{"type":"m.id.phone","phone":"123"}`, password), 400, matrix.MMissingParam},
		{loginBody(`"identifier":{"type":"m.id.face"}`, password), 400, matrix.MUnknown},
		{loginBody(`"identifier":"alice"`, password), 400, matrix.MBadJSON},
		{loginBody(`"identifier":{"type":"m.id.user","user":1}`, password), 400, matrix.MBadJSON},
		{`{"type":"m.login.password",` + alice + `}`, 400, matrix.MMissingParam},
		{`{"type":"m.login.password",` + alice + `,"password":1}`, 400, matrix.MBadJSON},
		{`{"type":"m.login.token","token":"x"}`, 400, matrix.MUnknown},
		{`{"type":"m.login.dummy"}`, 400, matrix.MUnknown},
		{`{}`, 400, matrix.MUnknown},
		{`{"type":"m.login.password",` + alice + `,"password":"` + password + `","device_id":"\n"}`, 400, matrix.MInvalidParam},
		{`{"type"`, 400, matrix.MNotJSON},
		{``, 400, matrix.MNotJSON},
		{`[]`, 400, matrix.MBadJSON},
	} {
		ts.want(ts.anonymous(), "POST", v3+"/login", c.body, c.status, c.code)
	}
}

func TestLoginAsDevice(t *testing.T) {
	ts := newServer(t)
	first := ts.register("alice")
	second := ts.login("alice", first.Device)
	if second.Device != first.Device {
		t.Errorf("logged in as %q", second.Device)
	}
	_, err := first.Whoami(t.Context())
	wantError(t, err, 401, matrix.MUnknownToken)
	third := ts.login("alice", "")
	if third.Device == first.Device {
		t.Errorf("both devices are %q", third.Device)
	}
	_, err = second.Whoami(t.Context())
	must(t, err)
}

// Threat 10: guesses are limited, for those who exist and those who do not alike; who knows the password is let in
// and others are not hindered.
func TestGuessesAreLimited(t *testing.T) {
	const atOnce = 10
	ts := newServer(t, func(s *Settings) { s.Limits.Passwords = ratelimit.Rate{Every: time.Second, Burst: atOnce * loginCost} })
	ts.register("alice")
	ts.register("bob")
	for _, name := range []string{"alice", "nobody"} {
		body := loginBody(`"identifier":{"type":"m.id.user","user":"`+name+`"}`, "wrong")
		for range atOnce {
			ts.want(ts.anonymous(), "POST", v3+"/login", body, 403, matrix.MForbidden)
		}
		got := ts.want(ts.anonymous(), "POST", v3+"/login", body, 429, matrix.MLimitExceeded)
		wait, _ := matrix.IntField([]byte(got), "retry_after_ms")
		if wait <= 0 || wait > loginCost*1000 {
			t.Errorf("told to wait %d ms", wait)
		}
	}
	ts.login("bob", "")
	ts.clock.pass(atOnce * loginCost * time.Second)
	for range 3 * atOnce {
		ts.login("alice", "PHONE")
	}
}
