package wire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"hearth/matrix"
)

func echo(names ...string) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		out := r.Pattern
		for _, n := range names {
			out += fmt.Sprintf(" %s=%q", n, r.PathValue(n))
		}
		_, err := io.WriteString(w, out)
		return err
	}
}

func newTestMux() *Mux {
	m := &Mux{CORS: true, Aliases: map[string]string{"/old/": "/rooms/"}}
	m.Handle("GET /rooms/{room}/state/{type}", echo("room", "type"))
	m.Handle("GET /rooms/{room}/state/{type}/{key}", echo("room", "type", "key"))
	m.Handle("PUT /rooms/{room}/state/{type}/{key}", echo("room", "type", "key"))
	m.Handle("GET /rooms/{room}/state", echo("room"))
	m.Handle("GET /rooms/{room}/members", echo("room"))
	m.Handle("POST /rooms/{room}/{verb}", echo("room", "verb"))
	m.Handle("POST /rooms/special/read", echo())
	m.Handle("GET /static/{path...}", echo("path"))
	m.Handle("POST /panic", func(http.ResponseWriter, *http.Request) error { panic("oh") })
	m.Handle("POST /fail", func(http.ResponseWriter, *http.Request) error { return errors.New("secret") })
	return m
}

func TestMux(t *testing.T) {
	m := newTestMux()
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/rooms/!a:b/state", 200, `GET /rooms/{room}/state room="!a:b"`},
		{"HEAD", "/rooms/!a:b/state", 200, ``},
		{"GET", "/rooms/%21a%2Fb/state/t", 200, `GET /rooms/{room}/state/{type} room="!a/b" type="t"`},
		{"GET", "/rooms/a/state/t/", 200, `GET /rooms/{room}/state/{type}/{key} room="a" type="t" key=""`},
		{"PUT", "/rooms/a/state/t/..", 200, `PUT /rooms/{room}/state/{type}/{key} room="a" type="t" key=".."`},
		{"PUT", "/rooms/a/state//%2e", 200, `PUT /rooms/{room}/state/{type}/{key} room="a" type="" key="."`},
		{"PUT", "/rooms/a/state/t/%F0%9F%90%88+%2B", 200, `PUT /rooms/{room}/state/{type}/{key} room="a" type="t" key="🐈++"`},
		{"POST", "/rooms/a/members", 200, `POST /rooms/{room}/{verb} room="a" verb="members"`},
		{"POST", "/old/a%2Fb/members", 200, `POST /rooms/{room}/{verb} room="a/b" verb="members"`},
		{"POST", "/old/special/read", 200, `POST /rooms/special/read`},
		{"POST", "/older/special/read", 404, matrix.MUnrecognized},
		{"POST", "/rooms/special/read", 200, `POST /rooms/special/read`},
		{"POST", "/rooms/special/write", 200, `POST /rooms/{room}/{verb} room="special" verb="write"`},
		{"GET", "/static/a/b%2Fc/", 200, `GET /static/{path...} path="a/b/c/"`},
		{"GET", "/static/", 200, `GET /static/{path...} path=""`},
		{"PUT", "/rooms/a/state/t/%ff", 400, matrix.MInvalidParam},
		{"DELETE", "/rooms/a/state", 405, matrix.MUnrecognized},
		{"GET", "/rooms/special/read", 405, matrix.MUnrecognized},
		{"GET", "/static", 404, matrix.MUnrecognized},
		{"GET", "/", 404, matrix.MUnrecognized},
		{"GET", "/rooms", 404, matrix.MUnrecognized},
		{"GET", "/rooms/a/state/t/k/more", 404, matrix.MUnrecognized},
		{"GET", "//rooms/a/state", 404, matrix.MUnrecognized},
		{"GET", "/x/../rooms/a/state", 404, matrix.MUnrecognized},
		{"POST", "/panic", 500, matrix.MUnknown},
		{"POST", "/fail", 500, matrix.MUnknown},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(c.method, "/", nil)
		r.URL.Path, r.URL.RawPath = splitEscaped(t, c.path)
		m.ServeHTTP(w, r)
		got := w.Body.String()
		if w.Code != c.status || c.status == 200 && c.method != "HEAD" && got != c.body || !strings.Contains(got, c.body) {
			t.Errorf("%s %s: got %d %s, want %d %s", c.method, c.path, w.Code, got, c.status, c.body)
		}
		if strings.Contains(got, "secret") || strings.Contains(got, "oh") {
			t.Errorf("%s %s: an internal error went out: %s", c.method, c.path, got)
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s: no CORS headers", c.method, c.path)
		}
	}
}

func splitEscaped(t *testing.T, path string) (plain, raw string) {
	t.Helper()
	r, err := http.NewRequest("GET", "http://x"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.URL.Path, r.URL.RawPath
}

// spec: client-server-api#web-browser-clients
func TestPreflight(t *testing.T) {
	m := &Mux{CORS: true, Failed: func(_ *http.Request, err error) { t.Errorf("logic ran: %v", err) }}
	m.Handle("POST /fail", func(http.ResponseWriter, *http.Request) error { return errors.New("ran") })
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest("OPTIONS", "/fail", nil))
	if w.Code != 204 || w.Body.Len() > 0 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":  "*",
		"Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
		"Access-Control-Allow-Headers": "X-Requested-With, Content-Type, Authorization",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	w = httptest.NewRecorder()
	(&Mux{}).ServeHTTP(w, httptest.NewRequest("OPTIONS", "/fail", nil))
	if w.Code != 404 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without CORS: got %d, %v", w.Code, w.Header())
	}
}

func TestMuxReportsInternalErrors(t *testing.T) {
	var got []string
	m := newTestMux()
	m.Failed = func(r *http.Request, err error) { got = append(got, err.Error()) }
	for _, path := range []string{"/panic", "/fail", "/rooms/a/b"} {
		m.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", path, nil))
	}
	if len(got) != 2 || !strings.HasPrefix(got[0], "serving POST /panic: panic: oh") || got[1] != "secret" {
		t.Errorf("got %q", got)
	}
}

func TestMuxRefusesBadPatterns(t *testing.T) {
	for _, pattern := range []string{"/x", "GET x", "GET /twice"} {
		t.Run(pattern, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			m := new(Mux)
			m.Handle("GET /twice", nil)
			m.Handle(pattern, nil)
		})
	}
}

func FuzzMux(f *testing.F) {
	f.Add("PUT", "/rooms/a/state//%2F%")
	f.Add("GET", "/static/..//")
	m := newTestMux()
	f.Fuzz(func(t *testing.T, method, path string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Method, r.URL.Path, r.URL.RawPath = method, path, path
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		if w.Code/100 == 3 {
			t.Fatalf("redirected to %s", w.Header().Get("Location"))
		}
	})
}

func BenchmarkMux(b *testing.B) {
	m := new(Mux)
	m.Handle("PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}", func(http.ResponseWriter, *http.Request) error { return nil })
	m.Handle("PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", func(http.ResponseWriter, *http.Request) error { return nil })
	r := httptest.NewRequest("PUT", "/_matrix/client/v3/rooms/!abc:example.org/send/m.room.message/17", nil)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		m.ServeHTTP(w, r)
	}
}

func TestPatterns(t *testing.T) {
	m := newTestMux()
	got := m.Patterns()
	if len(got) != 10 || !slices.IsSorted(got) || !slices.Contains(got, "POST /rooms/{room}/{verb}") || !slices.Contains(got, "GET /static/{path...}") {
		t.Errorf("patterns %q", got)
	}
}
