package clientapi

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/clientsync"
	"hearth/homeserver/contract"
	"hearth/homeserver/directory"
	"hearth/homeserver/e2ee"
	"hearth/homeserver/notice"
	"hearth/homeserver/presence"
	"hearth/homeserver/push"
	"hearth/homeserver/report"
	"hearth/homeserver/room"
	"hearth/homeserver/search"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/matrix/wire"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

const (
	v3       = "/_matrix/client/v3"
	here     = matrix.ServerName("here.example")
	password = "correct horse"
	notices  = matrix.UserID("@server:here.example") // the server's own
)

// testServer is a whole server over a store in memory, reached over HTTP.
type testServer struct {
	t     testing.TB
	api   *API
	store *store.Store
	base  string
	http  *http.Client
	clock *clock
	log   *bytes.Buffer // of what went wrong inside; read it only when the server has stopped

	// partial says that the test asks for parts of events, so that answers need not be what the specification says.
	partial atomic.Bool
}

// clock is a time that moves on by a millisecond whenever somebody looks.
type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

// pass lets time pass.
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newServer starts a server with open registration, without rate limits; change, if given, changes its settings. An
// internal error of the server fails the test.
func newServer(t testing.TB, change ...func(*Settings)) *testServer {
	t.Helper()
	return newServerOver(t, blobtest.NewMemory(), change...)
}

// newServerOver is newServer with a backend of the test's own, which may hold an earlier server's data.
func newServerOver(t testing.TB, backend blob.Store, change ...func(*Settings)) *testServer {
	t.Helper()
	ts := &testServer{t: t, clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, log: new(bytes.Buffer)}
	log := slog.New(slog.NewTextHandler(ts.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	if ts.store, err = store.Open(t.Context(), backend, store.Options{Log: log}); err != nil {
		t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	accounts := account.New(ts.store, account.Options{
		Reserved: notices,
		Server:   here, Now: ts.clock.Now, Cost: account.Cost{Memory: 8, Time: 1, Threads: 1},
	})
	settings := Settings{Server: here, Open: true}
	for _, c := range change {
		c(&settings)
	}
	ts.api = &API{
		Settings: settings,
		Store:    ts.store,
		Accounts: accounts,
		Rooms: room.New(ts.store, accounts, room.Options{
			Signer: event.Signer{Server: here, KeyID: "ed25519:test", Key: key}, Now: ts.clock.Now, Rand: rand.Reader,
			ForgetOnLeave: settings.ForgetOnLeave,
		}),
		Timeline:  timeline.New(ts.store, accounts),
		Directory: directory.New(ts.store),
		People:    directory.NewPeople(ts.store, accounts, log),
		E2EE:      e2ee.New(ts.store, accounts, e2ee.Options{Now: ts.clock.Now}),
		Push:      push.New(ts.store, accounts, log),
		Reports:   report.New(ts.store, ts.clock.Now),
		Log:       log,
		Now:       ts.clock.Now,
	}
	ts.api.Presence = presence.New(ts.store, presence.Options{Now: ts.clock.Now, Log: log})
	ts.api.Notices = notice.New(ts.store, accounts, ts.api.Rooms, notice.Options{User: notices, Name: "Server Notices"})
	ts.api.Search = search.New(ts.store, accounts, ts.api.Timeline, search.Options{Log: log})
	ts.api.Sync = clientsync.New(ts.store, accounts, ts.api.Timeline, ts.api.E2EE, ts.api.Push, clientsync.Options{
		Now: ts.clock.Now, Log: log, Presence: ts.api.Presence,
	})
	listener := httptest.NewServer(ts.checked(ts.api.Handler()))
	ts.base, ts.http = listener.URL, listener.Client()
	t.Cleanup(func() {
		ts.api.Sync.Close()
		ts.api.Search.Close()
		ts.api.People.Close()
		ts.api.Presence.Close()
		listener.Close()
		ts.store.Close()
		if text := ts.log.String(); strings.Contains(text, "request failed") {
			t.Errorf("the server logged:\n%s", text)
		}
	})
	return ts
}

// specification reads the API definitions; nil if there are none.
var specification = sync.OnceValues(func() (*contract.Contract, error) {
	folder := contract.Folder()
	if folder == "" {
		return nil, nil
	}
	return contract.Open(folder)
})

// checked fails the test at every answer that breaks the specification, if that is there.
func (ts *testServer) checked(h http.Handler) http.Handler {
	c, err := specification()
	if err != nil {
		ts.t.Fatal(err)
	}
	if _, isTest := ts.t.(*testing.T); c == nil || !isTest {
		return h
	}
	return c.Watch(h, func(err error) {
		if !ts.partial.Load() {
			ts.t.Error(err)
		}
	})
}

// anonymous returns a client without an account.
func (ts *testServer) anonymous() *wire.Client {
	return &wire.Client{Base: ts.base, HTTP: ts.http}
}

// register makes a user and returns the client of its first device.
func (ts *testServer) register(name string) *wire.Client {
	ts.t.Helper()
	c := ts.anonymous()
	if err := c.Register(ts.t.Context(), name, password); err != nil {
		ts.t.Fatalf("registering %s: %v", name, err)
	}
	return c
}

// login returns the client of another device of a user, a new one if the device is "".
func (ts *testServer) login(name, device string) *wire.Client {
	ts.t.Helper()
	c := ts.anonymous()
	if err := c.Login(ts.t.Context(), name, password, device); err != nil {
		ts.t.Fatalf("logging %s in: %v", name, err)
	}
	return c
}

// do sends a body as it is, "" for none, and returns the answer's status and body.
func (ts *testServer) do(c *wire.Client, method, path, body string) (status int, answer string) {
	ts.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ts.t.Context(), method, ts.base+path, in)
	if err != nil {
		ts.t.Fatal(err)
	}
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	w, err := ts.http.Do(r)
	if err != nil {
		ts.t.Fatal(err)
	}
	defer w.Body.Close()
	all, err := io.ReadAll(w.Body)
	if err != nil {
		ts.t.Fatal(err)
	}
	return w.StatusCode, string(all)
}

// want sends a body as it is and fails the test unless the answer has the status and, if code is not "", that
// errcode. It returns the answer's body.
func (ts *testServer) want(c *wire.Client, method, path, body string, status int, code string) string {
	ts.t.Helper()
	got, answer := ts.do(c, method, path, body)
	errcode, _ := matrix.StringField([]byte(answer), "errcode")
	if got != status || errcode != code {
		ts.t.Errorf("%s %s %.200s\nanswered %d %.300s\nwant %d %s", method, path, body, got, answer, status, code)
	}
	return answer
}

// wantError fails the test unless err is a Matrix error with the status and code.
func wantError(t testing.TB, err error, status int, code string) {
	t.Helper()
	var m *matrix.Error
	if !errors.As(err, &m) || m.Status != status || m.Code != code {
		t.Errorf("error %v, want %d %s", err, status, code)
	}
}

// must fails the test at once if there is an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnknownEndpoints(t *testing.T) {
	ts := newServer(t)
	c := ts.anonymous()
	ts.want(c, "GET", "/_matrix/client/v3/nothing", "", 404, matrix.MUnrecognized)
	ts.want(c, "GET", "/", "", 404, matrix.MUnrecognized)
	ts.want(c, "DELETE", v3+"/login", "", 405, matrix.MUnrecognized)
}

func TestEveryEndpointWantsAToken(t *testing.T) {
	ts := newServer(t)
	c := ts.anonymous()
	for _, e := range []string{
		"GET /account/whoami", "GET /account/3pid", "GET /devices", "PUT /devices/A", "DELETE /devices/A", "POST /delete_devices",
		"POST /user/@a:here.example/openid/request_token", "GET /capabilities", "POST /logout", "POST /logout/all", "GET /sync",
		"PUT /profile/@a:here.example/displayname", "DELETE /profile/@a:here.example/displayname",
		"POST /user/@a:here.example/filter", "GET /user/@a:here.example/filter/1",
		"PUT /user/@a:here.example/account_data/m.x", "GET /user/@a:here.example/account_data/m.x",
		"PUT /user/@a:here.example/rooms/!r:here.example/account_data/m.x",
		"PUT /sendToDevice/m.x/1", "POST /createRoom", "GET /joined_rooms", "PUT /rooms/!r:here.example/send/m.x/1",
	} {
		method, path, _ := strings.Cut(e, " ")
		c.Token = ""
		ts.want(c, method, v3+path, "{}", 401, matrix.MMissingToken)
		c.Token = "syt_unknown"
		ts.want(c, method, v3+path, "{}", 401, matrix.MUnknownToken)
	}
	// A token in the URL is none: URLs end up in logs.
	ts.want(ts.anonymous(), "GET", v3+"/account/whoami?access_token="+ts.register("alice").Token, "", 401, matrix.MMissingToken)
}

func TestCORS(t *testing.T) {
	ts := newServer(t)
	r, err := http.NewRequestWithContext(context.Background(), http.MethodOptions, ts.base+v3+"/login", nil)
	must(t, err)
	w, err := ts.http.Do(r)
	must(t, err)
	defer w.Body.Close()
	if w.StatusCode/100 != 2 || w.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(w.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("answered %d %v", w.StatusCode, w.Header)
	}
}
