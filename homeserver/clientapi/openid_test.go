package clientapi

import (
	"testing"

	"hearth/matrix"
)

func TestOpenID(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	path := v3 + "/user/@alice:here.example/openid/request_token"
	got := []byte(ts.want(alice, "POST", path, `{}`, 200, ""))
	token, _ := matrix.StringField(got, "access_token")
	kind, _ := matrix.StringField(got, "token_type")
	server, _ := matrix.StringField(got, "matrix_server_name")
	seconds, _ := matrix.IntField(got, "expires_in")
	if kind != "Bearer" || server != string(here) || seconds != 3600 {
		t.Errorf("answered %s", got)
	}
	if user, err := ts.api.Accounts.OpenIDUser(t.Context(), token); user != alice.User || err != nil {
		t.Errorf("it is %q's, %v", user, err)
	}
	ts.want(alice, "POST", path, ``, 400, matrix.MNotJSON)
	// Threat 10: it says who somebody is and opens nothing.
	c := ts.anonymous()
	c.Token = token
	ts.want(c, "GET", v3+"/account/whoami", "", 401, matrix.MUnknownToken)
	ts.want(ts.register("bob"), "POST", path, `{}`, 403, matrix.MForbidden)
}
