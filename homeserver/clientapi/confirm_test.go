package clientapi

import (
	"errors"
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
	ts.want(alice, "POST", getToken, auth(right), 200, "")
	ts.want(alice, "POST", getToken, auth(right), 401, matrix.MForbidden)
}

// Threat 10: also where a password confirms something it cannot be guessed without end, however many sessions are begun
// and whoever asks.
func TestConfirmingIsLimited(t *testing.T) {
	ts := newServer(t, func(s *Settings) { s.Limits = DefaultLimits() })
	alice, stranger := ts.register("alice"), ts.anonymous()
	stranger.User = alice.User
	limited := 0
	for i := range 30 {
		c := alice
		if i%2 == 1 {
			c = stranger
		}
		var refused *matrix.Error
		if err := c.ChangePassword(t.Context(), "wrong", "x"); !errors.As(err, &refused) {
			t.Fatal(err)
		}
		switch refused.Code {
		case matrix.MForbidden:
			if limited > 0 {
				t.Errorf("attempt %d is let through again", i)
			}
		case matrix.MLimitExceeded:
			limited++
		default:
			t.Fatal(refused)
		}
	}
	if limited < 15 {
		t.Errorf("%d of 30 attempts were limited", limited)
	}
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
