package clientapi

import (
	"testing"

	"hearth/matrix"
)

func TestThirdPartyLookup(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	const path = v3 + "/thirdparty"
	if got := ts.want(alice, "GET", path+"/protocols", "", 200, ""); got != "{}" {
		t.Errorf("answered %s", got)
	}
	for _, p := range []string{"/protocol/irc", "/location/irc?channel=%23a", "/user/irc", "/location?alias=%23a:b.example", "/user?userid=@a:b.example"} {
		ts.want(alice, "GET", path+p, "", 404, matrix.MNotFound)
		ts.want(ts.anonymous(), "GET", path+p, "", 401, matrix.MMissingToken)
	}
	ts.want(alice, "GET", path+"/location", "", 400, matrix.MMissingParam)
	ts.want(alice, "GET", path+"/user", "", 400, matrix.MMissingParam)
}
