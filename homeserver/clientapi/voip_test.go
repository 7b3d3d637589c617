package clientapi

import (
	"fmt"
	"testing"
	"time"

	"hearth/matrix"
)

func TestTurnServer(t *testing.T) {
	// Made by: printf '1767409445:@alice:here.example' | openssl dgst -sha1 -hmac 's3cret' -binary | base64
	const username, mac = "1767409445:@alice:here.example", "nxaa5RP1MwsTkx0FLftFilJhtAA="
	if u, p := turnCredentials("s3cret", "@alice:here.example", time.Unix(1767409445, 0)); u != username || p != mac {
		t.Errorf("made %s %s", u, p)
	}
	uris := []string{"turn:turn.example:3478?transport=udp", "turns:turn.example:5349"}
	ts := newServer(t, func(s *Settings) { s.Turn = Turn{URIs: uris, Secret: "s3cret", Lifetime: 24 * time.Hour} })
	got := []byte(ts.want(ts.register("alice"), "GET", v3+"/voip/turnServer", "", 200, ""))
	u, _ := matrix.StringField(got, "username")
	p, _ := matrix.StringField(got, "password")
	var until int64
	if _, err := fmt.Sscanf(u, "%d:@alice:here.example", &until); err != nil {
		t.Errorf("the user name is %q", u)
	}
	if wantUser, want := turnCredentials("s3cret", "@alice:here.example", time.Unix(until, 0)); u != wantUser || p != want {
		t.Errorf("got %s %s, want %s %s", u, p, wantUser, want)
	}
	if wantUntil := ts.clock.Now().Add(24 * time.Hour).Unix(); until != wantUntil {
		t.Errorf("good until %d, want %d", until, wantUntil)
	}
	if ttl, _ := matrix.IntField(got, "ttl"); ttl != 86400 {
		t.Errorf("answered %s", got)
	}
	ts.want(ts.anonymous(), "GET", v3+"/voip/turnServer", "", 401, matrix.MMissingToken)
}

func TestTurnServerWithAPassword(t *testing.T) {
	ts := newServer(t, func(s *Settings) {
		s.Turn = Turn{URIs: []string{"turn:turn.example"}, Username: "all", Password: "same", Lifetime: time.Hour}
	})
	if got := ts.want(ts.register("alice"), "GET", v3+"/voip/turnServer", "", 200, ""); got != `{"password":"same","ttl":3600,"uris":["turn:turn.example"],"username":"all"}` {
		t.Errorf("answered %s", got)
	}
}

func TestNoTurnServer(t *testing.T) {
	ts := newServer(t)
	ts.partial.Store(true) // the specification knows no server without one
	if got := ts.want(ts.register("alice"), "GET", v3+"/voip/turnServer", "", 200, ""); got != `{}` {
		t.Errorf("answered %s", got)
	}
}
