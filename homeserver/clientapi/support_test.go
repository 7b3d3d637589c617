package clientapi

import (
	"testing"

	"hearth/matrix"
)

func TestSupport(t *testing.T) {
	const path = "/.well-known/matrix/support"
	ts := newServer(t)
	ts.want(ts.anonymous(), "GET", path, "", 404, matrix.MNotFound)
	for _, c := range []struct {
		support Support
		want    string
	}{
		{Support{Page: "https://here.example/help"}, `{"support_page":"https://here.example/help"}`},
		{Support{Email: "me@here.example"}, `{"contacts":[{"role":"m.role.admin","email_address":"me@here.example"}]}`},
		{Support{MatrixID: "@me:here.example"}, `{"contacts":[{"role":"m.role.admin","matrix_id":"@me:here.example"}]}`},
	} {
		must(t, c.support.Check())
		ts := newServer(t, func(s *Settings) { s.Support = c.support })
		if got := ts.want(ts.anonymous(), "GET", path, "", 200, ""); got != c.want {
			t.Errorf("answered %s, want %s", got, c.want)
		}
	}
	if (Support{MatrixID: "me"}).Check() == nil {
		t.Error("me is no Matrix id")
	}
}
