package clientapi

import (
	"fmt"
	"testing"

	"hearth/homeserver/account"
	"hearth/matrix"
)

// Threat 10: what wants the password is not to be had without it, nor with another's, nor by what was done before.
func TestConfirm(t *testing.T) {
	ts := newServer(t, withLoginTokens)
	alice, bob := ts.register("alice"), ts.register("bob")
	session, _ := matrix.StringField([]byte(ts.want(alice, "POST", getToken, `{}`, 401, "")), "session")
	auth := func(fields string) string { return fmt.Sprintf(`{"auth":{"session":%q,%s}}`, session, fields) }
	right := `"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"` + password + `"`
	for _, c := range []struct {
		auth   string
		status int
		code   string
	}{
		{`"type":"m.login.dummy"`, 401, matrix.MForbidden},
		{`"type":"m.login.password","user":"alice","password":"wrong"`, 401, matrix.MForbidden},
		{`"type":"m.login.password","user":"bob","password":"` + password + `"`, 401, matrix.MForbidden},
		{`"type":"m.login.password","identifier":{"type":"m.id.thirdparty","medium":"email","address":"a@b"},"password":"` + password + `"`, 401, matrix.MForbidden},
		{`"type":"m.login.password","user":"alice"`, 400, matrix.MMissingParam},
		{`"type":"m.login.password","password":"x"`, 400, matrix.MMissingParam},
		{`"type":"m.login.password","user":"alice","password":1`, 400, matrix.MBadJSON},
	} {
		ts.want(alice, "POST", getToken, auth(c.auth), c.status, c.code)
	}
	ts.want(bob, "POST", getToken, auth(right), 401, matrix.MForbidden) // the session is alice's
	ts.want(ts.login("alice", ""), "POST", getToken, auth(right), 401, matrix.MForbidden)
	ts.want(alice, "POST", getToken, auth(right), 200, "")
	ts.want(alice, "POST", getToken, auth(right), 401, matrix.MForbidden)
}

func TestConfirmWithoutPassword(t *testing.T) {
	ts := newServer(t, withLoginTokens)
	user, err := ts.api.Accounts.Create(t.Context(), "bot", "", account.NewUser{})
	must(t, err)
	s, err := ts.api.Accounts.NewSession(t.Context(), user, "", "")
	must(t, err)
	c := ts.anonymous()
	c.Token = s.Token
	ts.want(c, "POST", getToken, `{}`, 403, matrix.MForbidden)
}
