package wire

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"hearth/matrix"
)

// newTestServer answers as handlers say and returns a client for it.
func newTestServer(t *testing.T, handlers map[string]Handler) *Client {
	t.Helper()
	m := new(Mux)
	for pattern, h := range handlers {
		m.Handle(pattern, h)
	}
	s := httptest.NewServer(m)
	c := NewClient(s.URL)
	t.Cleanup(func() { c.Close(); s.Close() })
	return c
}

func TestClientRegistersThroughInteractiveAuth(t *testing.T) {
	ctx := context.Background()
	c := newTestServer(t, map[string]Handler{
		"POST /_matrix/client/v3/register": func(w http.ResponseWriter, r *http.Request) error {
			var body struct {
				Username string            `json:"username"`
				Auth     map[string]string `json:"auth"`
			}
			if err := Read(w, r, 1000, &body); err != nil {
				return err
			}
			if body.Username == "taken" {
				return matrix.Errorf(400, matrix.MUserInUse, "Taken")
			}
			if body.Auth["session"] != "s1" || body.Auth["type"] != "m.login.dummy" {
				return AnswerStatus(w, 401, json.RawMessage(`{"flows":[{"stages":["m.login.dummy"]}],"params":{},"session":"s1"}`))
			}
			return Answer(w, Session{UserID: "@a:b", AccessToken: "tok", DeviceID: "D"})
		},
		"GET /_matrix/client/v3/account/whoami": func(w http.ResponseWriter, r *http.Request) error {
			if token, err := Token(r); err != nil || token != "tok" {
				return matrix.Errorf(401, matrix.MUnknownToken, "Unknown")
			}
			return Answer(w, Session{UserID: "@a:b", DeviceID: "D"})
		},
	})
	wantError(t, "taken", c.Register(ctx, "taken", "pw"), 400, matrix.MUserInUse)
	if err := c.Register(ctx, "a", "pw"); err != nil || c.User != "@a:b" || c.Token != "tok" || c.Device != "D" {
		t.Fatalf("got %+v, %v", c, err)
	}
	if who, err := c.Whoami(ctx); err != nil || who.UserID != "@a:b" {
		t.Errorf("whoami: %+v, %v", who, err)
	}
	_, err := c.Other().Whoami(ctx)
	wantError(t, "without a token", err, 401, matrix.MUnknownToken)
	_, err = c.JoinedRooms(ctx)
	wantError(t, "unknown endpoint", err, 404, matrix.MUnrecognized)
}

// What the typed calls put into the path, the query and the body arrives.
func TestClientCalls(t *testing.T) {
	var got string
	record := func(w http.ResponseWriter, r *http.Request) error {
		body, err := io.ReadAll(r.Body)
		got = strings.TrimSpace(r.Method + " " + r.RequestURI + " " + string(body))
		_, _ = io.WriteString(w, `{"event_id":"$e","room_id":"!r"}`)
		return err
	}
	c := newTestServer(t, map[string]Handler{
		"GET /{p...}": record, "PUT /{p...}": record, "POST /{p...}": record, "DELETE /{p...}": record,
	})
	c.User = "@me:b"
	ctx := context.Background()
	for _, call := range []struct {
		do   func() error
		want string
	}{
		{func() error { _, err := c.SendText(ctx, "!r/x:b", "t?1", "<hi>"); return err },
			`PUT /_matrix/client/v3/rooms/%21r%2Fx:b/send/m.room.message/t%3F1 {"body":"\u003chi\u003e","msgtype":"m.text"}`},
		{func() error { _, err := c.SendState(ctx, "!r", "m.x", "", json.RawMessage(`{"a":1}`)); return err },
			`PUT /_matrix/client/v3/rooms/%21r/state/m.x/ {"a":1}`},
		{func() error { _, err := c.Redact(ctx, "!r", "$e", "t", ""); return err },
			`PUT /_matrix/client/v3/rooms/%21r/redact/$e/t {}`},
		{func() error { _, err := c.Join(ctx, "#a:b", "s1", "s2"); return err },
			`POST /_matrix/client/v3/join/%23a:b?via=s1&via=s2 {}`},
		{func() error { return c.Kick(ctx, "!r", "@u:b", "why") },
			`POST /_matrix/client/v3/rooms/%21r/kick {"user_id":"@u:b","reason":"why"}`},
		{func() error { return c.Leave(ctx, "!r") }, `POST /_matrix/client/v3/rooms/%21r/leave {}`},
		{func() error { return c.Typing(ctx, "!r", true, 3000) },
			`PUT /_matrix/client/v3/rooms/%21r/typing/@me:b {"timeout":3000,"typing":true}`},
		{func() error { return c.SetAccountData(ctx, "!r", "t", []byte(`{}`)) },
			`PUT /_matrix/client/v3/user/@me:b/rooms/%21r/account_data/t {}`},
		{func() error { return c.SetPresence(ctx, "online", "here") },
			`PUT /_matrix/client/v3/presence/@me:b/status {"presence":"online","status_msg":"here"}`},
		{func() error { _, err := c.Presence(ctx, "@u:b"); return err },
			`GET /_matrix/client/v3/presence/@u:b/status`},
		{func() error { return c.Ignore(ctx, "@u:b") },
			`PUT /_matrix/client/v3/user/@me:b/account_data/m.ignored_user_list {"ignored_users":{"@u:b":{}}}`},
		{func() error { return c.SetTag(ctx, "!r", "u.a/b", Tag{Order: new(float64)}) },
			`PUT /_matrix/client/v3/user/@me:b/rooms/%21r/tags/u.a%2Fb {"order":0}`},
		{func() error { return c.DeleteTag(ctx, "!r", "u.x") },
			`DELETE /_matrix/client/v3/user/@me:b/rooms/%21r/tags/u.x`},
		{func() error { _, err := c.Tags(ctx, "!r"); return err },
			`GET /_matrix/client/v3/user/@me:b/rooms/%21r/tags`},
		{func() error { return c.ReadMarkers(ctx, "!r", ReadMarkers{FullyRead: "$e", ReadPrivate: "$f"}) },
			`POST /_matrix/client/v3/rooms/%21r/read_markers {"m.fully_read":"$e","m.read.private":"$f"}`},
		{func() error { _, err := c.Messages(ctx, "!r", "b", "t1", 5); return err },
			`GET /_matrix/client/v3/rooms/%21r/messages?dir=b&from=t1&limit=5`},
		{func() error { _, err := c.Relations(ctx, "!r", "$e", "m.thread", "", nil); return err },
			`GET /_matrix/client/v1/rooms/%21r/relations/$e/m.thread`},
		{func() error {
			_, err := c.Sync(ctx, SyncOptions{Since: "s", Timeout: 1500 * time.Millisecond, Filter: "f", FullState: true})
			return err
		}, `GET /_matrix/client/v3/sync?filter=f&full_state=true&since=s&timeout=1500`},
	} {
		if err := call.do(); err != nil || got != call.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, call.want)
		}
	}
}

func TestClientReportsWhatIsNotMatrix(t *testing.T) {
	c := newTestServer(t, map[string]Handler{
		"GET /html": func(w http.ResponseWriter, r *http.Request) error {
			w.WriteHeader(502)
			_, err := io.WriteString(w, "<html>")
			return err
		},
		"GET /notjson": func(w http.ResponseWriter, r *http.Request) error {
			_, err := io.WriteString(w, "hello")
			return err
		},
		"GET /cut": func(w http.ResponseWriter, r *http.Request) error {
			s := NewStream(w)
			s.Open('[')
			s.String(strings.Repeat("x", 2*streamBuffer))
			return s.Fail(errors.New("the disk is gone"))
		},
	})
	ctx := context.Background()
	wantError(t, "html", c.Do(ctx, "GET", "/html", nil, nil, nil), 502, matrix.MUnknown)
	var out map[string]any
	var e *matrix.Error
	for _, path := range []string{"/notjson", "/cut"} {
		if err := c.Do(ctx, "GET", path, nil, nil, &out); err == nil || errors.As(err, &e) {
			t.Errorf("%s: got %v", path, err)
		}
	}
	var raw []byte
	if err := c.Do(ctx, "GET", "/notjson", nil, nil, &raw); err != nil || string(raw) != "hello" {
		t.Errorf("raw: %q, %v", raw, err)
	}
	if err := c.Do(ctx, "GET", "/", nil, func() {}, nil); err == nil {
		t.Error("a function was encoded")
	}
	nowhere := &Client{Base: "http://127.0.0.1:1", Token: "secret"}
	if err := nowhere.Do(ctx, "GET", "/x", url.Values{"q": {"private"}}, nil, nil); err == nil || strings.Contains(err.Error(), "private") {
		t.Errorf("nowhere: %v", err)
	}
}

func TestSyncAnswerDecodes(t *testing.T) {
	c := newTestServer(t, map[string]Handler{
		"GET /_matrix/client/v3/sync": func(w http.ResponseWriter, r *http.Request) error {
			return Raw(w, []byte(`{"next_batch":"n","rooms":{"join":{"!r":{"summary":{"m.joined_member_count":2},
				"timeline":{"events":[{"type":"m.x","event_id":"$e","content":{"a":1},"state_key":""}],"limited":true,"prev_batch":"p"},
				"unread_notifications":{"highlight_count":1,"notification_count":2}}},
				"invite":{"!i":{"invite_state":{"events":[{"type":"m.room.name","content":{}}]}}}}}`))
		},
	})
	got, err := c.Sync(context.Background(), SyncOptions{})
	if err != nil {
		t.Fatal(err)
	}
	room := got.Rooms.Join["!r"]
	if got.NextBatch != "n" || *room.Summary.Joined != 2 || !room.Timeline.Limited || room.Timeline.Events[0].ID != "$e" ||
		*room.Timeline.Events[0].StateKey != "" || room.UnreadNotifications.Notification != 2 || len(got.Rooms.Invite["!i"].State.Events) != 1 {
		t.Errorf("got %+v", got)
	}
}
