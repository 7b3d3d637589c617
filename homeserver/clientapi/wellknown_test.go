package clientapi

import (
	"testing"

	"hearth/matrix"
)

func TestWellknown(t *testing.T) {
	ts := newServer(t)
	ts.want(ts.anonymous(), "GET", "/.well-known/matrix/client", "", 404, matrix.MNotFound)

	ts = newServer(t, func(s *Settings) { s.PublicURL = "https://matrix.here.example/" })
	got := ts.want(ts.anonymous(), "GET", "/.well-known/matrix/client", "", 200, "")
	if want := `{"m.homeserver":{"base_url":"https://matrix.here.example"}}`; got != want {
		t.Errorf("answered %s, want %s", got, want)
	}
}
