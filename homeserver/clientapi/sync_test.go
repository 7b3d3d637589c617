package clientapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// syncing is a client that syncs: it remembers its token and its filter.
type syncing struct {
	t      testing.TB
	client *wire.Client
	since  string
	filter string
	after  bool // use_state_after
}

func follow(t testing.TB, c *wire.Client, filter string) *syncing {
	return &syncing{t: t, client: c, filter: filter}
}

// next syncs without waiting and goes on.
func (s *syncing) next() *wire.SyncAnswer {
	s.t.Helper()
	return s.ask(wire.SyncOptions{})
}

// poll is next that waits for something new.
func (s *syncing) poll() *wire.SyncAnswer {
	s.t.Helper()
	return s.ask(wire.SyncOptions{Timeout: time.Minute})
}

func (s *syncing) ask(o wire.SyncOptions) *wire.SyncAnswer {
	s.t.Helper()
	a := s.peek(o)
	s.since = a.NextBatch
	return a
}

// peek syncs and does not go on, as if the answer had been lost.
func (s *syncing) peek(o wire.SyncOptions) *wire.SyncAnswer {
	s.t.Helper()
	o.Since, o.Filter, o.StateAfter = s.since, s.filter, s.after
	a, err := s.client.Sync(s.t.Context(), o)
	must(s.t, err)
	return a
}

// joined returns what an answer says of a joined room, which it must mention.
func joined(t testing.TB, a *wire.SyncAnswer, room matrix.RoomID) *wire.JoinedRoom {
	t.Helper()
	r := a.Rooms.Join[room]
	if r == nil {
		t.Fatalf("the answer does not mention %s", room)
	}
	return r
}

// conversation makes a public room in which all of these are.
func conversation(t testing.TB, owner *wire.Client, others ...*wire.Client) matrix.RoomID {
	t.Helper()
	room, err := owner.CreateRoom(t.Context(), wire.CreateRoom{Preset: "public_chat"})
	must(t, err)
	for _, c := range others {
		_, err := c.Join(t.Context(), string(room))
		must(t, err)
	}
	return room
}

// say sends a text and returns the event's id.
func say(t testing.TB, c *wire.Client, room matrix.RoomID, text string) matrix.EventID {
	t.Helper()
	id, err := c.SendText(t.Context(), room, "say "+text, text)
	must(t, err)
	return id
}

// name sets a room's name.
func name(t testing.TB, c *wire.Client, room matrix.RoomID, text string) matrix.EventID {
	t.Helper()
	id, err := c.SendState(t.Context(), room, "m.room.name", "", map[string]string{"name": text})
	must(t, err)
	return id
}

// brief shows events in short: the body of a message, the type and key of others, with the membership of members.
func brief(events []wire.Event) []string {
	out := []string{}
	for _, e := range events {
		body, ok := matrix.StringField(e.Content, "body")
		switch {
		case ok:
		case e.Type == "m.room.member":
			m, _ := matrix.StringField(e.Content, "membership")
			who, _, _ := strings.Cut(*e.StateKey, ":")
			body = who + " " + m
		case e.StateKey != nil:
			body = strings.TrimPrefix(e.Type, "m.room.")
			if n, ok := matrix.StringField(e.Content, "name"); ok {
				body += " " + n
			}
		default:
			body = e.Type
		}
		out = append(out, body)
	}
	return out
}

func wantBrief(t testing.TB, what string, events []wire.Event, want ...string) {
	t.Helper()
	if got := brief(events); !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// wantSet is wantBrief without regard to the order.
func wantSet(t testing.TB, what string, events []wire.Event, want ...string) {
	t.Helper()
	got := brief(events)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// wantNothing fails the test if an answer says anything.
func wantNothing(t testing.TB, a *wire.SyncAnswer) {
	t.Helper()
	if n := len(a.Rooms.Join) + len(a.Rooms.Invite) + len(a.Rooms.Leave) + len(a.Rooms.Knock) + len(a.AccountData.Events) + len(a.ToDevice.Events); n > 0 {
		text, _ := json.Marshal(a)
		t.Errorf("something is new: %s", text)
	}
}

func limit(n int) string { return fmt.Sprintf(`{"room":{"timeline":{"limit":%d}}}`, n) }

func TestInitialSync(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	for i := range 4 {
		say(t, bob, room, fmt.Sprint(i))
	}
	f := follow(t, alice, limit(3))
	first := joined(t, f.next(), room)
	wantBrief(t, "timeline", first.Timeline.Events, "1", "2", "3")
	if !first.Timeline.Limited {
		t.Error("the timeline is not limited")
	}
	// State and timeline together are the room's state.
	wantSet(t, "state", first.State.Events, "create", "@alice join", "power_levels", "join_rules", "history_visibility", "guest_access", "@bob join")
	if s := first.Summary; *s.Joined != 2 || *s.Invited != 0 || !slices.Equal(s.Heroes, []matrix.UserID{bob.User}) {
		t.Errorf("summary %+v", s)
	}
	older, err := alice.Messages(t.Context(), room, "b", first.Timeline.PrevBatch, 2)
	must(t, err)
	wantBrief(t, "before the timeline", older.Chunk, "0", "@bob join")
	e := first.Timeline.Events[0]
	if e.RoomID != "" || e.Sender != bob.User || e.OriginServerTS == 0 {
		t.Errorf("event %+v", e)
	}
	if m, _ := matrix.StringField(e.Unsigned, "membership"); m != "join" {
		t.Errorf("unsigned %s", e.Unsigned)
	}
	wantNothing(t, f.next())
}

// TestInitialSyncAgain finds what is kept of an initial sync, and that it is not used once the room has changed.
func TestInitialSyncAgain(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	id := say(t, alice, room, "one")
	text := func(c *wire.Client) string {
		var all []byte
		must(t, c.Do(t.Context(), "GET", v3+"/sync", nil, nil, &all))
		return string(all)
	}
	first := text(alice)
	if !strings.Contains(first, `"transaction_id":"say one"`) {
		t.Errorf("no transaction id: %s", first)
	}
	ts.clock.pass(time.Hour)
	again := text(alice)
	if age := func(s string) int64 {
		var a wire.SyncAnswer
		must(t, json.Unmarshal([]byte(s), &a))
		events := a.Rooms.Join[room].Timeline.Events
		n, _ := matrix.IntField(events[len(events)-1].Unsigned, "age")
		return n
	}; age(again)-age(first) < time.Hour.Milliseconds() {
		t.Errorf("the age did not grow with time: %d, %d", age(first), age(again))
	}
	// Another device of the user did not send the event.
	phone := ts.login("alice", "PHONE")
	if s := text(phone); strings.Contains(s, "transaction_id") || !strings.Contains(s, `"body":"one"`) {
		t.Errorf("for another device: %s", s)
	}
	for _, change := range []struct {
		what string
		do   func() error
		want string
	}{
		{"a message", func() error { _, err := bob.SendText(t.Context(), room, "2", "two"); return err }, `"body":"two"`},
		{"a reaction", func() error {
			_, err := bob.Send(t.Context(), room, "m.room.message", "3", map[string]any{
				"body": "edited", "m.new_content": map[string]string{"body": "new"},
				"m.relates_to": map[string]any{"rel_type": "m.thread", "event_id": id},
			})
			return err
		}, `"m.thread"`},
		{"a receipt", func() error { return bob.Receipt(t.Context(), room, "m.read", id, "") }, `"m.read":{"@bob`},
		{"a redaction", func() error { _, err := alice.Redact(t.Context(), room, id, "4", ""); return err }, `"redacted_because"`},
	} {
		must(t, change.do())
		if s := text(alice); !strings.Contains(s, change.want) {
			t.Errorf("after %s there is no %s in %s", change.what, change.want, s)
		}
	}
}

func TestIncrementalSync(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room, quiet := conversation(t, alice, bob), conversation(t, alice, bob)
	f := follow(t, alice, "")
	f.next()
	say(t, bob, room, "one")
	name(t, alice, room, "here")
	say(t, alice, room, "two")
	a := f.next()
	r := joined(t, a, room)
	wantBrief(t, "timeline", r.Timeline.Events, "one", "name here", "two")
	if r.Timeline.Limited || len(r.State.Events) > 0 {
		t.Errorf("limited %v, state %q", r.Timeline.Limited, brief(r.State.Events))
	}
	if txn, _ := matrix.StringField(r.Timeline.Events[2].Unsigned, "transaction_id"); txn != "say two" {
		t.Errorf("unsigned %s", r.Timeline.Events[2].Unsigned)
	}
	if a.Rooms.Join[quiet] != nil || len(a.AccountData.Events) > 0 {
		t.Error("what did not change is in the answer")
	}
	wantNothing(t, f.next())
	// A room that is made between two syncs is there with all of its state.
	made := conversation(t, alice)
	r = joined(t, f.next(), made)
	if r.Timeline.Limited {
		t.Error("a new room's timeline is limited")
	}
	wantBrief(t, "a new room", append(r.State.Events, r.Timeline.Events...),
		"create", "@alice join", "power_levels", "join_rules", "history_visibility", "guest_access")
}

func TestLongPolling(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	f := follow(t, alice, "")
	f.next()
	answers := make(chan *wire.SyncAnswer, 1)
	for i := range 20 {
		go func() {
			a, err := alice.Sync(t.Context(), wire.SyncOptions{Since: f.since, Timeout: time.Minute})
			if err != nil {
				t.Error(err)
			}
			answers <- a
		}()
		text := fmt.Sprint("now ", i)
		say(t, bob, room, text)
		a := <-answers
		if a == nil {
			return
		}
		wantBrief(t, "timeline", joined(t, a, room).Timeline.Events, text)
		f.since = a.NextBatch
	}
	// Somebody else's room wakes nobody.
	other := conversation(t, bob)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, err := alice.Sync(ctx, wire.SyncOptions{Since: f.since, Timeout: time.Minute})
		if err == nil {
			t.Error("a sync was answered without anything new")
		}
		answers <- nil
	}()
	say(t, bob, other, "psst")
	cancel()
	<-answers
}

func TestSyncTimeout(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	f := follow(t, alice, "")
	f.next()
	a := f.ask(wire.SyncOptions{Timeout: time.Millisecond})
	wantNothing(t, a)
	if a.NextBatch == "" {
		t.Error("no next_batch")
	}
}

func TestSyncEndsWithTheSession(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	f := follow(t, alice, "")
	f.next()
	done := make(chan error, 1)
	go func() {
		_, err := alice.Sync(t.Context(), wire.SyncOptions{Since: f.since, Timeout: time.Minute})
		done <- err
	}()
	must(t, alice.Logout(t.Context()))
	say(t, bob, room, "not for her any more")
	wantError(t, <-done, 401, matrix.MUnknownToken)
}

func TestSyncParameters(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	now := follow(t, alice, "").next().NextBatch
	parts := strings.Split(now, "_")
	for _, c := range []struct {
		query string
		code  string
	}{
		{"since=x", matrix.MInvalidParam},
		{"since=s", matrix.MInvalidParam},
		{"since=s1", matrix.MInvalidParam},
		{"since=s1_", matrix.MInvalidParam},
		{"since=s1_2_3_4", matrix.MInvalidParam},
		{"since=s-1_2", matrix.MInvalidParam},
		{"since=s%2B1_2", matrix.MInvalidParam},
		{"since=s99999999999999999999_2", matrix.MInvalidParam},
		{"since=s999999999_2", matrix.MInvalidParam}, // from the future
		{"since=" + parts[0] + "_" + parts[1] + "_999999999", matrix.MInvalidParam},
		{"since=t5", matrix.MInvalidParam}, // of another kind
		{"timeout=-1", matrix.MInvalidParam},
		{"timeout=soon", matrix.MInvalidParam},
		{"full_state=yes", matrix.MInvalidParam},
		{"use_state_after=1", matrix.MInvalidParam},
		{"set_presence=away", matrix.MInvalidParam},
		{"filter=unknown", matrix.MInvalidParam},
		{"filter=%7B", matrix.MNotJSON},
		{`filter={"room":{"rooms":["x"]}}`, matrix.MInvalidParam},
		{`filter={"room":7}`, matrix.MBadJSON},
		{`filter={"event_format":"xml"}`, matrix.MInvalidParam},
	} {
		ts.want(alice, "GET", v3+"/sync?"+c.query, "", 400, c.code)
	}
	for _, query := range []string{
		"", "since=", "since=" + now, "since=" + parts[0] + "_99999999999999999", "timeout=0", "timeout=99999999999&full_state=true",
		"set_presence=offline", "filter=", "filter={}", "unknown=1",
	} {
		ts.want(alice, "GET", v3+"/sync?"+query, "", 200, "")
	}
}

func TestSyncWithStoredFilter(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice)
	say(t, alice, room, "one")
	var stored struct {
		ID string `json:"filter_id"`
	}
	must(t, alice.Do(t.Context(), "POST", wire.Path(v3+"/user", string(alice.User), "filter"), nil, []byte(limit(1)), &stored))
	wantBrief(t, "timeline", joined(t, follow(t, alice, stored.ID).next(), room).Timeline.Events, "one")
	// It is alice's.
	ts.want(bob, "GET", v3+"/sync?filter="+url.QueryEscape(stored.ID), "", 400, matrix.MInvalidParam)
}
