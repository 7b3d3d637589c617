package clientapi

import (
	"strings"
	"testing"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

const v1 = "/_matrix/client/v1"

// registerAdmin makes an administrator.
func (ts *testServer) registerAdmin(name string) *wire.Client {
	ts.t.Helper()
	_, err := ts.api.Accounts.Create(ts.t.Context(), name, password, account.NewUser{Admin: true})
	must(ts.t, err)
	return ts.login(name, "")
}

func TestModeration(t *testing.T) {
	ts := newServer(t)
	root, alice := ts.registerAdmin("root"), ts.register("alice")
	for _, c := range []struct {
		path, member string
		is           func(*account.User) bool
	}{
		{v1 + "/admin/lock/", "locked", func(u *account.User) bool { return u.Locked }},
		{v1 + "/admin/suspend/", "suspended", func(u *account.User) bool { return u.Suspended }},
	} {
		for _, to := range []string{"true", "true", "false"} {
			body := `{"` + c.member + `":` + to + `}`
			if got := ts.want(root, "PUT", c.path+string(alice.User), body, 200, ""); got != body {
				t.Errorf("answered %s", got)
			}
			if got := ts.want(root, "GET", c.path+string(alice.User), "", 200, ""); got != body {
				t.Errorf("answered %s", got)
			}
			u, err := ts.api.Accounts.User(t.Context(), alice.User)
			must(t, err)
			if c.is(u) != (to == "true") {
				t.Errorf("set to %s, the user is %+v", to, u)
			}
		}
	}
}

// A locked user can do nothing, until unlocked.
func TestLocked(t *testing.T) {
	ts := newServer(t)
	root, alice := ts.registerAdmin("root"), ts.register("alice")
	ts.want(root, "PUT", v1+"/admin/lock/"+string(alice.User), `{"locked":true}`, 200, "")
	ts.want(alice, "GET", v3+"/account/whoami", "", 401, matrix.MUserLocked)
	ts.want(root, "PUT", v1+"/admin/lock/"+string(alice.User), `{"locked":false}`, 200, "")
	ts.want(alice, "GET", v3+"/account/whoami", "", 200, "")
}

func TestModerationRefuses(t *testing.T) {
	ts := newServer(t)
	root, alice := ts.registerAdmin("root"), ts.register("alice")
	ts.registerAdmin("other")
	ts.register("gone")
	must(t, ts.api.Accounts.Deactivate(t.Context(), "@gone:here.example", false))
	for member, path := range map[string]string{"locked": v1 + "/admin/lock/", "suspended": v1 + "/admin/suspend/"} {
		body := `{"` + member + `":true}`
		for user, want := range map[string]struct {
			status int
			code   string
		}{
			"@other:here.example":  {403, matrix.MForbidden},
			"@nobody:here.example": {404, matrix.MNotFound},
			"@gone:here.example":   {404, matrix.MNotFound},
			"@alice:there.example": {400, matrix.MInvalidParam},
			"alice":                {400, matrix.MInvalidParam},
		} {
			ts.want(root, "PUT", path+user, body, want.status, want.code)
			ts.want(root, "GET", path+user, "", want.status, want.code)
			// Others do not find out who exists.
			ts.want(alice, "PUT", path+user, body, 403, matrix.MForbidden)
			ts.want(alice, "GET", path+user, "", 403, matrix.MForbidden)
			ts.want(ts.anonymous(), "GET", path+user, "", 401, matrix.MMissingToken)
		}
		ts.want(root, "PUT", path+"@root:here.example", body, 403, matrix.MForbidden)
		ts.want(root, "GET", path+"@root:here.example", "", 200, "")
		for _, bad := range []string{`{}`, `{"` + member + `":"true"}`, `{"` + member + `":null}`, `{"` + member + `":1}`} {
			ts.want(root, "PUT", path+"@alice:here.example", bad, 400, matrix.MBadJSON)
		}
		ts.want(root, "PUT", path+"@alice:here.example", `{`, 400, matrix.MNotJSON)
	}
}

func TestModerationIsACapability(t *testing.T) {
	ts := newServer(t)
	got := ts.want(ts.registerAdmin("root"), "GET", v3+"/capabilities", "", 200, "")
	if !strings.Contains(got, `"m.account_moderation":{"lock":true,"suspend":true}`) {
		t.Errorf("answered %s", got)
	}
	if got := ts.want(ts.register("alice"), "GET", v3+"/capabilities", "", 200, ""); strings.Contains(got, "moderation") {
		t.Errorf("answered %s", got)
	}
}

func TestWhois(t *testing.T) {
	ts := newServer(t)
	root, alice, bob := ts.registerAdmin("root"), ts.register("alice"), ts.register("bob")
	second := ts.login("alice", "")
	for _, c := range []*wire.Client{root, alice} {
		got := []byte(ts.want(c, "GET", v3+"/admin/whois/@alice:here.example", "", 200, ""))
		for _, device := range []string{alice.Device, second.Device} {
			sessions, _ := matrix.Field(got, "devices", device, "sessions")
			if !strings.Contains(string(sessions), `"last_seen":17`) {
				t.Errorf("device %s: %s of %s", device, sessions, got)
			}
		}
	}
	ts.want(bob, "GET", v3+"/admin/whois/@alice:here.example", "", 403, matrix.MForbidden)
	ts.want(bob, "GET", v3+"/admin/whois/@nobody:here.example", "", 403, matrix.MForbidden)
	ts.want(root, "GET", v3+"/admin/whois/@nobody:here.example", "", 404, matrix.MNotFound)
	ts.want(root, "GET", v3+"/admin/whois/@alice:there.example", "", 400, matrix.MInvalidParam)
	ts.want(ts.anonymous(), "GET", v3+"/admin/whois/@alice:here.example", "", 401, matrix.MMissingToken)
}
