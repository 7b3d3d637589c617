package clientapi

import (
	"encoding/json"
	"strings"
	"testing"

	"hearth/matrix"
)

func TestFilter(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	const text = `{"event_fields":["type","content"],"event_format":"client","presence":{"not_senders":["@a:b.example"],"types":["m.presence"]},` +
		`"room":{"ephemeral":{"not_rooms":["!x:b.example"]},"include_leave":true,"timeline":{"limit":10,"lazy_load_members":true,"contains_url":false}}}`
	id, err := alice.CreateFilter(t.Context(), json.RawMessage(text))
	must(t, err)
	if strings.HasPrefix(id, "{") || id == "" {
		t.Errorf("the id is %q", id)
	}
	path := v3 + "/user/@alice:here.example/filter/"
	if got := ts.want(alice, "GET", path+id, "", 200, ""); got != text {
		t.Errorf("answered %s, want %s", got, text)
	}
	ts.want(alice, "GET", path+"nope", "", 404, matrix.MNotFound)
	ts.want(bob, "GET", path+id, "", 403, matrix.MForbidden)
	ts.want(bob, "POST", v3+"/user/@alice:here.example/filter", `{}`, 403, matrix.MForbidden)
	ts.want(bob, "GET", v3+"/user/@bob:here.example/filter/"+id, "", 404, matrix.MNotFound)
}

func TestBadFilters(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	for _, c := range []struct {
		body   string
		status int
		code   string
	}{
		{`{"presence":"no"}`, 400, matrix.MBadJSON},
		{`{"room":[]}`, 400, matrix.MBadJSON},
		{`{"room":{"timeline":"no"}}`, 400, matrix.MBadJSON},
		{`{"room":{"state":1}}`, 400, matrix.MBadJSON},
		{`{"room":{"rooms":"no"}}`, 400, matrix.MBadJSON},
		{`{"room":{"rooms":["no"]}}`, 400, matrix.MInvalidParam},
		{`{"room":{"timeline":{"rooms":["no"]}}}`, 400, matrix.MInvalidParam},
		{`{"room":{"timeline":{"not_rooms":["@a:b.example"]}}}`, 400, matrix.MInvalidParam},
		{`{"room":{"timeline":{"senders":["no"]}}}`, 400, matrix.MInvalidParam},
		{`{"presence":{"not_senders":["!a:b.example"]}}`, 400, matrix.MInvalidParam},
		{`{"account_data":{"types":[1]}}`, 400, matrix.MBadJSON},
		{`{"account_data":{"not_types":{}}}`, 400, matrix.MBadJSON},
		{`{"room":{"timeline":{"limit":"10"}}}`, 400, matrix.MBadJSON},
		{`{"room":{"timeline":{"limit":-1}}}`, 400, matrix.MInvalidParam},
		{`{"event_format":"xml"}`, 400, matrix.MInvalidParam},
		{`{"event_fields":"type"}`, 400, matrix.MBadJSON},
		{`[]`, 400, matrix.MBadJSON},
		{`{`, 400, matrix.MNotJSON},
		{`{"x":"` + strings.Repeat("x", maxFilter) + `"}`, 413, matrix.MTooLarge},
		{`{"account_data":{"types":[` + strings.Repeat(`"m.x",`, 2000) + `"m.x"]}}`, 400, matrix.MInvalidParam},
		{`{}`, 200, ""},
		{`{"unknown":{"part":1}}`, 200, ""},
		{`{"room":{"timeline":{"limit":0,"types":[]}}}`, 200, ""},
	} {
		ts.want(alice, "POST", v3+"/user/@alice:here.example/filter", c.body, c.status, c.code)
	}
}
