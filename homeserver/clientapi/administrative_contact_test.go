package clientapi

import (
	"testing"

	"hearth/matrix"
)

func TestAdministrativeContacts(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	const path = v3 + "/account/3pid"
	if got := ts.want(alice, "GET", path, "", 200, ""); got != `{"threepids":[]}` {
		t.Errorf("answered %s", got)
	}
	for _, p := range []string{"", "/add", "/bind"} {
		ts.want(alice, "POST", path+p, `{}`, 403, matrix.MThreepidDenied)
	}
	for _, p := range []string{"/delete", "/unbind"} {
		if got := ts.want(alice, "POST", path+p, `{"medium":"email","address":"a@b.example"}`, 200, ""); got != `{"id_server_unbind_result":"no-support"}` {
			t.Errorf("answered %s", got)
		}
		ts.want(alice, "POST", path+p, `{"medium":"email"}`, 400, matrix.MMissingParam)
	}
	for _, medium := range []string{"email", "msisdn"} {
		ts.want(alice, "POST", path+"/"+medium+"/requestToken", `{}`, 400, matrix.MThreepidMediumNotSupported)
	}
	ts.want(ts.anonymous(), "GET", path, "", 401, matrix.MMissingToken)
}
