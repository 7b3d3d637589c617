package clientapi

import (
	"fmt"
	"testing"

	"hearth/homeserver/account"
	"hearth/matrix"
)

func onlyInvited(s *Settings) { s.Open, s.Invited = false, true }

func (ts *testServer) invitation(token string, uses int64) {
	ts.t.Helper()
	_, err := ts.api.Accounts.CreateRegistrationToken(ts.t.Context(), account.RegistrationToken{Token: token, Uses: uses})
	must(ts.t, err)
}

// sessionOf returns the session of interactive authentication that an answer names.
func sessionOf(answer string) string {
	s, _ := matrix.StringField([]byte(answer), "session")
	return s
}

func TestRegistrationToken(t *testing.T) {
	ts := newServer(t, onlyInvited)
	ts.invitation("two", 2)
	c := ts.anonymous()
	try := func(name, session, auth string, status int, code string) string {
		t.Helper()
		return ts.want(c, "POST", v3+"/register", fmt.Sprintf(`{"username":%q,"password":"x","auth":{"session":%q,%s}}`, name, session, auth), status, code)
	}
	first := ts.want(c, "POST", v3+"/register", `{}`, 401, "")
	if want := fmt.Sprintf(`{"flows":[{"stages":["m.login.registration_token"]}],"params":{},"session":%q}`, sessionOf(first)); first != want {
		t.Errorf("answered %s, want %s", first, want)
	}
	const token = `"type":"m.login.registration_token","token":`
	try("alice", sessionOf(first), `"type":"m.login.dummy"`, 401, matrix.MForbidden)
	try("alice", sessionOf(first), token+`"three"`, 401, matrix.MUnauthorized)
	try("alice", sessionOf(first), token+`7`, 400, matrix.MBadJSON)
	try("alice", sessionOf(first), `"type":"m.login.registration_token"`, 400, matrix.MMissingParam)
	try("alice", sessionOf(first), token+`"two"`, 200, "")
	try("bob", "", token+`"two"`, 200, "")
	try("carol", "", token+`"two"`, 401, matrix.MUnauthorized)
	got, err := ts.api.Accounts.RegistrationToken(t.Context(), "two")
	must(t, err)
	if got.Pending != 0 || got.Completed != 2 {
		t.Errorf("the token is %+v", got)
	}
}

// Who registers and fails gives the place back.
func TestRegistrationTokenIsGivenBack(t *testing.T) {
	ts := newServer(t, onlyInvited)
	ts.invitation("one", 1)
	const auth = `"auth":{"type":"m.login.registration_token","token":"one"}`
	ts.want(ts.anonymous(), "POST", v3+"/register", `{"username":"alice",`+auth+`}`, 400, matrix.MMissingParam)
	ts.want(ts.anonymous(), "POST", v3+"/register", `{"username":"alice","password":"x",`+auth+`}`, 200, "")
	ts.want(ts.anonymous(), "POST", v3+"/register", `{"username":"bob","password":"x",`+auth+`}`, 401, matrix.MUnauthorized)
}

func TestRegistrationTokenValidity(t *testing.T) {
	ts := newServer(t, onlyInvited)
	ts.invitation("one", 1)
	ts.invitation("none", 0)
	const path = "/_matrix/client/v1/register/m.login.registration_token/validity"
	for token, want := range map[string]string{"one": `{"valid":true}`, "none": `{"valid":false}`, "other": `{"valid":false}`, "%20": `{"valid":false}`} {
		if got := ts.want(ts.anonymous(), "GET", path+"?token="+token, "", 200, ""); got != want {
			t.Errorf("%q: answered %s", token, got)
		}
	}
	ts.want(ts.anonymous(), "GET", path, "", 400, matrix.MMissingParam)
	closed := newServer(t, func(s *Settings) { s.Open = false })
	closed.want(closed.anonymous(), "GET", path+"?token=one", "", 403, matrix.MForbidden)
}

// Threat 10: tokens are not to be guessed without end.
func TestRegistrationTokenGuessesAreLimited(t *testing.T) {
	ts := newServer(t, onlyInvited, func(s *Settings) { s.Limits = DefaultLimits() })
	path := "/_matrix/client/v1/register/m.login.registration_token/validity?token=x"
	for range DefaultLimits().Registrations.Burst {
		ts.want(ts.anonymous(), "GET", path, "", 200, "")
	}
	ts.want(ts.anonymous(), "GET", path, "", 429, matrix.MLimitExceeded)
	auth := `{"username":"a","auth":{"type":"m.login.registration_token","token":"x"}}`
	ts.want(ts.anonymous(), "POST", v3+"/register", auth, 429, matrix.MLimitExceeded)
}
