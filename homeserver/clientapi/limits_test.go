package clientapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/ratelimit"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// once is a limit of one request and another one a minute later.
func once() ratelimit.Rate { return ratelimit.Rate{Every: time.Minute, Burst: 1} }

// A user is limited as such, over all devices and rooms; others are not hindered, nor other kinds of requests.
func TestMessagesAreLimited(t *testing.T) {
	ts := newServer(t, func(s *Settings) { s.Limits.Messages = ratelimit.Rate{Every: time.Minute, Burst: 3} })
	alice, bob := ts.register("alice"), ts.register("bob")
	room := ts.createRoom(alice, `{"preset":"public_chat"}`)
	_, err := bob.Join(t.Context(), string(room))
	must(t, err)
	path := v3 + "/rooms/" + string(room)
	ts.want(alice, "PUT", path+"/send/m.test/1", "{}", 200, "")
	ts.want(ts.login("alice", ""), "PUT", path+"/state/m.room.topic", `{"topic":"x"}`, 200, "")
	ts.want(alice, "PUT", path+"/state/m.test/key", `{}`, 200, "")
	got := ts.want(alice, "PUT", path+"/redact/$x/2", `{}`, 429, matrix.MLimitExceeded)
	if wait, _ := matrix.IntField([]byte(got), "retry_after_ms"); wait <= 0 || wait > time.Minute.Milliseconds() {
		t.Errorf("told to wait %d ms", wait)
	}
	ts.want(bob, "PUT", path+"/send/m.test/1", "{}", 200, "")
	ts.want(alice, "GET", v3+"/account/whoami", "", 200, "")
	ts.clock.pass(time.Minute)
	ts.want(alice, "PUT", path+"/send/m.test/2", "{}", 200, "")
}

func TestRetryAfterIsAHeaderToo(t *testing.T) {
	ts := newServer(t, func(s *Settings) { s.Limits.Strangers = once() })
	get := func() *http.Response {
		w, err := ts.http.Get(ts.base + "/_matrix/client/versions")
		must(t, err)
		w.Body.Close()
		return w
	}
	if w := get(); w.StatusCode != 200 {
		t.Fatalf("answered %s", w.Status)
	}
	if w := get(); w.StatusCode != 429 || w.Header.Get("Retry-After") != "60" {
		t.Errorf("answered %s, Retry-After %q", w.Status, w.Header.Get("Retry-After"))
	}
}

func TestInvitesAreLimited(t *testing.T) {
	ts := newServer(t, func(s *Settings) { s.Limits.Invites = ratelimit.Rate{Every: time.Minute, Burst: 3} })
	alice, bob := ts.register("alice"), ts.register("bob")
	ts.register("carol")
	room := ts.createRoom(alice, `{"invite":["@bob:here.example","@carol:here.example"]}`)
	other := ts.createRoom(alice, `{}`)
	ts.want(alice, "PUT", v3+"/rooms/"+string(other)+"/state/m.room.member/@bob:here.example", `{"membership":"invite"}`, 200, "")
	ts.want(alice, "POST", v3+"/rooms/"+string(other)+"/invite", `{"user_id":"@carol:here.example"}`, 429, matrix.MLimitExceeded)
	ts.want(alice, "PUT", v3+"/rooms/"+string(other)+"/state/m.room.member/@carol:here.example", `{"membership":"invite"}`, 429, matrix.MLimitExceeded)
	ts.want(alice, "POST", v3+"/createRoom", `{"invite":["@bob:here.example"]}`, 429, matrix.MLimitExceeded)
	ts.want(alice, "POST", v3+"/createRoom", `{}`, 200, "")
	_, err := bob.Join(t.Context(), string(room))
	must(t, err)
}

func TestRoomsAndJoinsAreLimited(t *testing.T) {
	ts := newServer(t, func(s *Settings) { s.Limits.Rooms, s.Limits.Joins = once(), once() })
	alice, bob := ts.register("alice"), ts.register("bob")
	room := ts.createRoom(alice, `{"preset":"public_chat"}`)
	ts.want(alice, "POST", v3+"/createRoom", `{}`, 429, matrix.MLimitExceeded)
	ts.want(bob, "POST", v3+"/join/"+string(room), `{}`, 200, "")
	ts.want(bob, "POST", v3+"/rooms/"+string(room)+"/join", `{}`, 429, matrix.MLimitExceeded)
}

func TestRequestsAreLimitedByDevice(t *testing.T) {
	ts := newServer(t, func(s *Settings) { s.Limits.Requests = once() })
	alice := ts.register("alice")
	second := ts.login("alice", "")
	for _, c := range []*wire.Client{alice, second} {
		ts.want(c, "GET", v3+"/account/whoami", "", 200, "")
		ts.want(c, "GET", v3+"/joined_rooms", "", 429, matrix.MLimitExceeded)
	}
}

func TestRegistrationsAreLimitedByAddress(t *testing.T) {
	ts := newServer(t, func(s *Settings) { s.Limits.Registrations = ratelimit.Rate{Every: time.Minute, Burst: 2} })
	ts.register("alice")
	ts.want(ts.anonymous(), "POST", v3+"/register", `{"username":"bob","password":"correct horse","auth":{"type":"m.login.dummy"}}`, 429, matrix.MLimitExceeded)
	ts.want(ts.anonymous(), "GET", v3+"/register/available?username=bob", "", 429, matrix.MLimitExceeded)
	ts.want(ts.anonymous(), "GET", v1+"/register/m.login.registration_token/validity?token=x", "", 429, matrix.MLimitExceeded)
	ts.clock.pass(2 * time.Minute)
	ts.register("bob")
}

// loginFrom sends a login by a client who says that it is elsewhere.
func (ts *testServer) loginFrom(address, name, password string) int {
	ts.t.Helper()
	body := loginBody(`"identifier":{"type":"m.id.user","user":"`+name+`"}`, password)
	r, err := http.NewRequestWithContext(ts.t.Context(), "POST", ts.base+v3+"/login", strings.NewReader(body))
	must(ts.t, err)
	r.Header.Set("X-Forwarded-For", address)
	w, err := ts.http.Do(r)
	must(ts.t, err)
	w.Body.Close()
	return w.StatusCode
}

// Threat 10: who tries one password with many accounts is stopped by the address, and does not get another one by
// claiming it. Only a proxy that the owner named is believed.
func TestLoginsAreLimitedByAddress(t *testing.T) {
	for _, proxied := range []bool{false, true} {
		ts := newServer(t, func(s *Settings) {
			s.Limits.Logins = ratelimit.Rate{Every: time.Minute, Burst: 3 * loginCost}
			if proxied {
				s.Proxies, _ = ratelimit.ParseProxies([]string{"127.0.0.0/8", "::1"})
			}
		})
		ts.register("alice")
		for i := range 3 {
			if got := ts.loginFrom("192.0.2.1", fmt.Sprint("user", i), "wrong"); got != 403 {
				t.Fatalf("attempt %d is answered %d", i, got)
			}
		}
		if got := ts.loginFrom("192.0.2.1", "alice", password); got != 429 {
			t.Errorf("after too many attempts: %d", got)
		}
		want := map[bool]int{false: 429, true: 200}[proxied]
		if got := ts.loginFrom("192.0.2.2", "alice", password); got != want {
			t.Errorf("proxied %v: another address is answered %d, want %d", proxied, got, want)
		}
	}
}

// Logins that succeed cost little.
func TestSuccessIsGivenBack(t *testing.T) {
	ts := newServer(t, func(s *Settings) {
		s.Limits.Logins = ratelimit.Rate{Every: time.Hour, Burst: 2 * loginCost}
		s.Limits.Passwords = s.Limits.Logins
	})
	ts.register("alice")
	for i := range loginCost + 1 {
		if got := ts.loginFrom("", "alice", password); got != 200 {
			t.Fatalf("login %d is answered %d", i, got)
		}
	}
	if got := ts.loginFrom("", "alice", password); got != 429 {
		t.Errorf("even so many are answered %d", got)
	}
}

// rate_limits=false means none at all.
func TestNoLimits(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	for range 400 {
		ts.want(alice, "GET", v3+"/account/whoami", "", 200, "")
		ts.want(ts.anonymous(), "GET", "/_matrix/client/versions", "", 200, "")
	}
}

// Every endpoint that a limit names exists.
func TestLimitedEndpointsExist(t *testing.T) {
	ts := newServer(t)
	for _, of := range []map[string]charge{ts.api.limits.byUser, ts.api.limits.byAddress} {
		for pattern := range of {
			method, path, _ := strings.Cut(pattern, " ")
			if _, answer := ts.do(ts.anonymous(), method, path, ""); strings.Contains(answer, matrix.MUnrecognized) {
				t.Errorf("there is no %s", pattern)
			}
		}
	}
}

// The defaults let a household live.
func TestDefaultLimits(t *testing.T) {
	ts := newServer(t, func(s *Settings) { s.Limits = DefaultLimits() })
	alice := ts.register("alice")
	for i := range 10 {
		room := ts.createRoom(alice, `{}`)
		for j := range 10 {
			ts.want(alice, "PUT", v3+"/rooms/"+string(room)+"/send/m.test/"+fmt.Sprint(i, "-", j), "{}", 200, "")
		}
		ts.login("alice", "")
	}
}

func BenchmarkLimits(b *testing.B) {
	plenty := ratelimit.Rate{Every: 1, Burst: 1}
	l := newLimits(Limits{Messages: plenty, Requests: plenty}, nil, time.Now)
	s := account.Session{User: "@alice:here.example", Device: "PHONE"}
	for _, pattern := range []string{"PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}", "GET /_matrix/client/v3/sync"} {
		b.Run(strings.Fields(pattern)[0], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = l.session(pattern, s)
			}
		})
	}
}
