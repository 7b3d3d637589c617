package clientapi

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// present lists what an answer says of who is present: "bob online! at lunch", with ! for currently active.
func present(t testing.TB, a *wire.SyncAnswer) []string {
	t.Helper()
	out := []string{}
	for _, e := range a.Presence.Events {
		if e.Type != "m.presence" {
			t.Errorf("a %s among the presence", e.Type)
		}
		state, _ := matrix.StringField(e.Content, "presence")
		active, isBool := matrix.BoolField(e.Content, "currently_active")
		if active {
			state += "!"
		}
		if isBool != strings.HasPrefix(state, "online") {
			t.Errorf("content %s", e.Content)
		}
		message, ok := matrix.StringField(e.Content, "status_msg")
		if ok {
			state += " " + message
		}
		out = append(out, e.Sender.Localpart()+" "+state)
	}
	slices.Sort(out)
	return out
}

func wantPresent(t testing.TB, what string, a *wire.SyncAnswer, want ...string) {
	t.Helper()
	if got := present(t, a); !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// hidden follows as somebody who does not show up.
func hidden(t testing.TB, c *wire.Client, filter string) *lurker {
	return &lurker{follow(t, c, filter)}
}

type lurker struct{ *syncing }

func (l *lurker) next() *wire.SyncAnswer {
	l.t.Helper()
	return l.ask(wire.SyncOptions{Presence: "offline"})
}

func TestPresence(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	path := func(c *wire.Client) string { return wire.Path(v3+"/presence", string(c.User), "status") }
	if got := ts.want(alice, "GET", path(alice), "", 200, ""); got != `{"presence":"offline"}` {
		t.Errorf("at first %s", got)
	}
	ts.want(alice, "GET", path(bob), "", 403, matrix.MForbidden)
	ts.want(alice, "GET", wire.Path(v3+"/presence", "@nobody:here.example", "status"), "", 403, matrix.MForbidden)
	ts.want(alice, "GET", wire.Path(v3+"/presence", "nobody", "status"), "", 400, matrix.MInvalidParam)
	conversation(t, alice, bob)
	must(t, bob.SetPresence(t.Context(), "unavailable", "at lunch"))
	p, err := alice.Presence(t.Context(), bob.User)
	must(t, err)
	if p.State != "unavailable" || p.Message != "at lunch" || p.CurrentlyActive || p.LastActiveAgo == nil || *p.LastActiveAgo > 100 {
		t.Errorf("presence %+v", p)
	}
	ts.clock.pass(time.Hour)
	p, err = alice.Presence(t.Context(), bob.User)
	must(t, err)
	if p.State != "offline" || p.Message != "at lunch" || *p.LastActiveAgo < time.Hour.Milliseconds() {
		t.Errorf("presence %+v", p)
	}
	_, err = carol.Presence(t.Context(), bob.User)
	wantError(t, err, 403, matrix.MForbidden)

	ts.want(bob, "PUT", path(bob), `{"presence":"online"}`, 200, "")
	ts.want(bob, "PUT", path(bob), `{"presence":"online","status_msg":null}`, 200, "")
	ts.want(bob, "PUT", path(bob), `{}`, 400, matrix.MMissingParam)
	ts.want(bob, "PUT", path(bob), `{"presence":"busy"}`, 400, matrix.MInvalidParam)
	ts.want(bob, "PUT", path(bob), `{"presence":1}`, 400, matrix.MBadJSON)
	ts.want(bob, "PUT", path(bob), `{"presence":"online","status_msg":"`+strings.Repeat("x", 1025)+`"}`, 400, matrix.MInvalidParam)
	ts.want(alice, "PUT", path(bob), `{"presence":"online"}`, 403, matrix.MForbidden)
	ts.want(bob, "GET", v3+"/sync?set_presence=busy", "", 400, matrix.MInvalidParam)
}

func TestPresenceInSync(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	conversation(t, alice, bob)
	f := hidden(t, alice, "")
	wantPresent(t, "nobody is there", f.next())
	follow(t, bob, "").next()
	follow(t, carol, "").next()
	wantPresent(t, "one is there, and a stranger", f.next(), "bob online!")
	wantPresent(t, "nothing new", f.next())
	wantPresent(t, "at first", hidden(t, alice, "").next(), "bob online!")
	_, err := bob.Sync(t.Context(), wire.SyncOptions{Presence: "unavailable"})
	must(t, err)
	wantPresent(t, "idle", f.next(), "bob unavailable")
	must(t, bob.SetPresence(t.Context(), "unavailable", "at lunch"))
	wantPresent(t, "idle with a message", f.next(), "bob unavailable at lunch")
	must(t, bob.SetPresence(t.Context(), "unavailable", "at lunch"))
	wantPresent(t, "the same", f.next())
	must(t, bob.SetPresence(t.Context(), "online", ""))
	must(t, bob.SetPresence(t.Context(), "offline", "bye"))
	wantPresent(t, "only the last of several", f.next(), "bob offline bye")
	wantPresent(t, "who is offline is left out at first", hidden(t, alice, "").next())
	wantPresent(t, "of oneself", follow(t, alice, "").next(), "alice online!")
	for _, filter := range []string{`{"types":[]}`, `{"not_types":["m.presence"]}`, `{"not_senders":["@alice:here.example"]}`, `{"senders":["@bob:here.example"]}`} {
		wantPresent(t, filter, hidden(t, alice, `{"presence":`+filter+`}`).next())
	}
	if a := f.peek(wire.SyncOptions{Presence: "offline", FullState: true}); len(a.Presence.Events) != 1 {
		t.Errorf("with the full state: %q", present(t, a))
	}
}

// TestPresenceWakes who waits for something new.
func TestPresenceWakes(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	conversation(t, alice, bob)
	f := hidden(t, alice, "")
	f.next()
	came := make(chan *wire.SyncAnswer)
	go func() { came <- f.ask(wire.SyncOptions{Presence: "offline", Timeout: time.Minute}) }()
	must(t, bob.SetPresence(t.Context(), "online", "hello"))
	wantPresent(t, "while waiting", <-came, "bob online! hello")
}

// TestPresenceOfNewFellows: who joins sees who is in the room, and is seen.
func TestPresenceOfNewFellows(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice)
	f, g := hidden(t, alice, ""), hidden(t, bob, "")
	f.next()
	g.next()
	must(t, alice.SetPresence(t.Context(), "online", "a"))
	must(t, bob.SetPresence(t.Context(), "online", "b"))
	must(t, carol.SetPresence(t.Context(), "online", "c"))
	wantPresent(t, "alone", f.next(), "alice online! a")
	wantPresent(t, "alone", g.next(), "bob online! b")
	_, err := bob.Join(t.Context(), string(room))
	must(t, err)
	wantPresent(t, "who was there", f.next(), "bob online! b")
	wantPresent(t, "who came", g.next(), "alice online! a", "bob online! b")
	wantPresent(t, "nothing new", g.next())
	must(t, bob.Leave(t.Context(), room))
	f.next()
	must(t, bob.SetPresence(t.Context(), "unavailable", "b"))
	wantPresent(t, "who has left", f.next())
	_, err = alice.Presence(t.Context(), bob.User)
	wantError(t, err, 403, matrix.MForbidden)
}

func TestPresenceOfIgnoredUsers(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	conversation(t, alice, bob)
	must(t, alice.Ignore(t.Context(), bob.User))
	f := hidden(t, alice, "")
	f.next()
	must(t, bob.SetPresence(t.Context(), "online", "hello"))
	wantPresent(t, "ignored", f.next())
	wantPresent(t, "ignored, at first", hidden(t, alice, "").next())
}

// TestPresencePages: an answer holds a bounded number of events, and the next one goes on.
func TestPresencePages(t *testing.T) {
	ts := newServer(t)
	people, _ := crowd(t, ts, 12)
	f := hidden(t, people[0], `{"presence":{"limit":5}}`)
	f.next()
	var want, got []string
	for i, c := range people[1:] {
		must(t, c.SetPresence(t.Context(), "online", fmt.Sprint(i)))
		want = append(want, fmt.Sprint(c.User.Localpart(), " online! ", i))
	}
	for pages := 1; ; pages++ {
		page := present(t, f.next())
		if len(page) > 5 {
			t.Errorf("a page of %d", len(page))
		}
		if got = append(got, page...); len(page) == 0 {
			if pages != 4 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// TestPresenceWritesNothing: it changes nothing in the log: neither syncs nor what people do write for it.
func TestPresenceWritesNothing(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	room := conversation(t, alice)
	before := ts.store.Durable()
	f := follow(t, alice, "")
	for range 5 {
		f.next()
		must(t, alice.Typing(t.Context(), room, true, 1000))
		ts.clock.pass(time.Minute)
	}
	if after := ts.store.Durable(); after != before {
		t.Errorf("%d changes were written", after-before)
	}
}

func TestPresenceIsOff(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	conversation(t, alice, bob)
	tracker := ts.api.Presence
	ts.api.Presence = nil
	defer func() { ts.api.Presence = tracker }()
	must(t, bob.SetPresence(t.Context(), "online", "hello"))
	if p, err := alice.Presence(t.Context(), bob.User); err != nil || p.State != "offline" || p.Message != "" {
		t.Errorf("presence %+v, %v", p, err)
	}
}

// TestPresenceOfWhoIsGone: a logout ends it at once, a deactivation for good.
func TestPresenceOfWhoIsGone(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	f := hidden(t, alice, "")
	f.next()
	must(t, bob.SetPresence(t.Context(), "online", "secret"))
	wantPresent(t, "there", f.next(), "bob online! secret")
	must(t, bob.Logout(t.Context()))
	wantPresent(t, "logged out", f.next(), "bob offline secret")
	bob = ts.login("bob", "")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); ts.api.FollowDepartures(ctx) }()
	ts.want(bob, "POST", v3+"/account/deactivate", `{"auth":{"type":"m.login.password","identifier":{"type":"m.id.user","user":"bob"},"password":"`+password+`"}}`, 200, "")
	for left := false; !left; { // the rooms are left last
		a := f.ask(wire.SyncOptions{Presence: "offline", Timeout: time.Minute})
		left = a.Rooms.Join[room] != nil && len(a.Rooms.Join[room].Timeline.Events) > 0
	}
	stop()
	<-ended
	s, err := ts.api.Presence.Statuses(t.Context(), bob.User)
	must(t, err)
	if s[0].State != "offline" || s[0].Message != "" || !s[0].Active.IsZero() {
		t.Errorf("after all %+v", s[0])
	}
}
