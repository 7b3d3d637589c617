package clientapi

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"hearth/matrix"
)

const adminRegisterPath = "/_synapse/admin/v1/register"

func withSecret(s *Settings) { s.Open, s.RegistrationSecret = false, "shared" }

func (ts *testServer) nonce() string {
	ts.t.Helper()
	n, _ := matrix.StringField([]byte(ts.want(ts.anonymous(), "GET", adminRegisterPath, "", 200, "")), "nonce")
	return n
}

// What generate_mac of Synapse's documentation gives for these arguments in Python.
func TestMAC(t *testing.T) {
	nonce, user, pass := "thisisanonce", "pepper_roni", "pizza"
	in := adminRegistration{Nonce: &nonce, Username: &user, Password: &pass, Admin: []byte("true")}
	if got, want := in.mac("shared_secret"), "48715842ad67d5dc9a9ee938a3bda4fcfae8d7c7"; got != want {
		t.Errorf("the MAC is %s, want %s", got, want)
	}
}

func hmacSHA1(secret, text string) string {
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

func TestAdminRegister(t *testing.T) {
	ts := newServer(t, withSecret)
	for _, c := range []struct {
		name, rights, extra string
		admin               bool
	}{
		{"plain", "notadmin", ``, false},
		{"Named", "notadmin", `,"displayname":"A Name","admin":false`, false},
		{"root", "admin", `,"admin":true`, true},
		{"robot", "notadmin\x00bot", `,"user_type":"bot"`, false},
	} {
		nonce := ts.nonce()
		mac := hmacSHA1("shared", nonce+"\x00"+c.name+"\x00pass\x00"+c.rights)
		body := fmt.Sprintf(`{"nonce":%q,"username":%q,"password":"pass","mac":%q%s}`, nonce, c.name, mac, c.extra)
		got := []byte(ts.want(ts.anonymous(), "POST", adminRegisterPath, body, 200, ""))
		client := ts.anonymous()
		client.Token, _ = matrix.StringField(got, "access_token")
		me, err := client.Whoami(t.Context())
		must(t, err)
		if want := matrix.UserID("@" + strings.ToLower(c.name) + ":here.example"); me.UserID != want {
			t.Errorf("made %s, want %s", me.UserID, want)
		}
		if admin, err := ts.api.Accounts.IsAdmin(t.Context(), me.UserID); admin != c.admin || err != nil {
			t.Errorf("%s is an administrator: %v, %v", c.name, admin, err)
		}
		must(t, ts.anonymous().Login(t.Context(), c.name, "pass", ""))
		ts.want(ts.anonymous(), "POST", adminRegisterPath, body, 400, matrix.MUnknown) // the nonce is used up
	}
	got := ts.want(ts.anonymous(), "GET", v3+"/profile/@named:here.example", "", 200, "")
	if got != `{"displayname":"A Name"}` {
		t.Errorf("the profile is %s", got)
	}
}

func TestAdminRegisterRefuses(t *testing.T) {
	ts := newServer(t, withSecret)
	for _, c := range []struct {
		body   string // $ is a fresh nonce
		status int
		code   string
	}{
		{`{}`, 400, matrix.MBadJSON},
		{`{"nonce":"guess","username":"a","password":"b","mac":"c"}`, 400, matrix.MUnknown},
		{`{"nonce":"$"}`, 400, matrix.MBadJSON},
		{`{"nonce":"$","username":"a"}`, 400, matrix.MBadJSON},
		{`{"nonce":"$","username":"a","password":"b"}`, 400, matrix.MBadJSON},
		{`{"nonce":"$","username":"a","password":"b","mac":"` + strings.Repeat("0", 40) + `"}`, 403, matrix.MUnknown},
		{`{"nonce":"$","username":"a","password":"b","mac":"","admin":true}`, 403, matrix.MUnknown},
		{`{"nonce":"$","username":"a\u0000b","password":"b","mac":"c"}`, 400, matrix.MUnknown},
		{`{"nonce":"$","username":"a","password":"b\u0000notadmin","mac":"c"}`, 400, matrix.MUnknown},
		{`{"nonce":"$","username":"` + strings.Repeat("x", 513) + `","password":"b","mac":"c"}`, 400, matrix.MUnknown},
		{`{"nonce":"$","username":"a","password":"b","mac":"c","user_type":"king"}`, 400, matrix.MUnknown},
		{`{"nonce":"$","username":1,"password":"b","mac":"c"}`, 400, matrix.MBadJSON},
		{`nonce`, 400, matrix.MNotJSON},
	} {
		ts.want(ts.anonymous(), "POST", adminRegisterPath, strings.ReplaceAll(c.body, "$", ts.nonce()), c.status, c.code)
	}
	if _, err := ts.api.Accounts.Available(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

// The HMAC is checked before the name, so that nobody learns which names are taken.
func TestAdminRegisterNames(t *testing.T) {
	ts := newServer(t, withSecret)
	register := func(name string, status int, code string) {
		nonce := ts.nonce()
		mac := hmacSHA1("shared", nonce+"\x00"+name+"\x00pass\x00notadmin")
		ts.want(ts.anonymous(), "POST", adminRegisterPath, fmt.Sprintf(`{"nonce":%q,"username":%q,"password":"pass","mac":%q,"inhibit_login":true}`, nonce, name, mac), status, code)
	}
	register("alice", 200, "")
	register("alice", 400, matrix.MUserInUse)
	register("al ice", 400, matrix.MInvalidUsername)
}

func TestAdminRegisterNonceExpires(t *testing.T) {
	ts := newServer(t, withSecret)
	nonce := ts.nonce()
	ts.clock.pass(nonceLifetime + time.Second)
	ts.want(ts.anonymous(), "POST", adminRegisterPath, `{"nonce":"`+nonce+`"}`, 400, matrix.MUnknown)
	var n nonces
	first := n.issue(time.Unix(0, 0))
	for range maxNonces {
		n.issue(time.Unix(0, 0))
	}
	if n.redeem(first, time.Unix(0, 0)) || len(n.issued) != maxNonces {
		t.Errorf("%d nonces are kept", len(n.issued))
	}
}

func TestAdminRegisterIsOff(t *testing.T) {
	ts := newServer(t)
	ts.want(ts.anonymous(), "GET", adminRegisterPath, "", 400, matrix.MUnknown)
	ts.want(ts.anonymous(), "POST", adminRegisterPath, `{}`, 400, matrix.MUnknown)
}
