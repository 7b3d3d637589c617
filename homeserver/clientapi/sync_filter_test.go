package clientapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

func TestSyncFilters(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room, other := conversation(t, alice, bob), conversation(t, alice, bob)
	begin := follow(t, bob, "").next().NextBatch
	say(t, alice, room, "alice")
	say(t, bob, room, "bob")
	name(t, alice, room, "N")
	_, err := alice.Send(t.Context(), room, "m.room.message", "url", map[string]string{"body": "picture", "url": "mxc://x/y"})
	must(t, err)
	_, err = alice.Send(t.Context(), room, "org.example.a.b", "x", map[string]any{"body": "custom", "url": 7})
	must(t, err)
	say(t, alice, other, "elsewhere")
	for _, c := range []struct {
		timeline string
		want     []string
	}{
		{`{}`, []string{"alice", "bob", "name N", "picture", "custom"}},
		{`{"types":["m.room.message"]}`, []string{"alice", "bob", "picture"}},
		{`{"types":["m.room.*"]}`, []string{"alice", "bob", "name N", "picture"}},
		{`{"types":["*.a.*","*name"]}`, []string{"name N", "custom"}},
		{`{"types":["m.*"],"not_types":["m.*.name"]}`, []string{"alice", "bob", "picture"}},
		{`{"types":[]}`, nil},
		{`{"not_types":["*"]}`, nil},
		{fmt.Sprintf(`{"senders":[%q]}`, bob.User), []string{"bob"}},
		{fmt.Sprintf(`{"not_senders":[%q]}`, bob.User), []string{"alice", "name N", "picture", "custom"}},
		{fmt.Sprintf(`{"senders":[%q],"not_senders":[%q]}`, bob.User, bob.User), nil},
		{`{"contains_url":true}`, []string{"picture"}},
		{`{"contains_url":false}`, []string{"alice", "bob", "name N", "custom"}},
		{fmt.Sprintf(`{"rooms":[%q]}`, room), []string{"alice", "bob", "name N", "picture", "custom"}},
		{fmt.Sprintf(`{"not_rooms":[%q]}`, room), nil},
		{`{"limit":2}`, []string{"picture", "custom"}},
		{`{"types":["m.room.message"],"limit":2}`, []string{"bob", "picture"}},
	} {
		f := &syncing{t: t, client: bob, since: begin, filter: `{"room":{"timeline":` + c.timeline + `,"state":{"types":[]}}}`}
		var got []wire.Event
		if r := f.next().Rooms.Join[room]; r != nil {
			got = r.Timeline.Events
			if limited := strings.Contains(c.timeline, "limit"); limited != r.Timeline.Limited {
				t.Errorf("%s: limited %v", c.timeline, r.Timeline.Limited)
			}
		} else if c.want != nil {
			t.Errorf("%s: nothing", c.timeline)
			continue
		}
		wantBrief(t, c.timeline, got, c.want...)
	}
	// The room's own filter comes first.
	for filter, want := range map[string]matrix.RoomID{
		fmt.Sprintf(`{"room":{"rooms":[%q]}}`, other):                                 other,
		fmt.Sprintf(`{"room":{"not_rooms":[%q]}}`, other):                             room,
		fmt.Sprintf(`{"room":{"rooms":[%q,%q],"not_rooms":[%q]}}`, room, other, room): other,
	} {
		f := &syncing{t: t, client: bob, since: begin, filter: filter}
		if a := f.next(); len(a.Rooms.Join) != 1 || a.Rooms.Join[want] == nil {
			t.Errorf("%s: %d rooms", filter, len(a.Rooms.Join))
		}
		if a := follow(t, bob, filter).next(); len(a.Rooms.Join) != 1 || a.Rooms.Join[want] == nil {
			t.Errorf("%s at first: %d rooms", filter, len(a.Rooms.Join))
		}
	}
	f := follow(t, bob, `{"room":{"rooms":[]},"account_data":{"types":[]}}`)
	wantNothing(t, f.next())
}

func TestStateFilters(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	_, err := bob.SendState(t.Context(), room, "m.room.member", string(bob.User), map[string]string{"membership": "join", "displayname": "B"})
	must(t, err)
	for i := range 2 {
		say(t, alice, room, fmt.Sprint(i))
	}
	for filter, want := range map[string][]string{
		`{"types":["m.room.member"]}`:                        {"@alice join", "@bob join"},
		`{"not_types":["m.room.*e*"]}`:                       {"history_visibility"},
		fmt.Sprintf(`{"senders":[%q]}`, bob.User):            {"@bob join"},
		fmt.Sprintf(`{"not_rooms":[%q]}`, room):              {},
		`{"types":["m.room.create"],"limit":1}`:              {"create"},
		`{"types":["m.room.create"],"contains_url":true}`:    {},
		`{"types":["m.room.create"],"contains_url":false}`:   {"create"},
		`{"types":["m.room.name"],"lazy_load_members":true}`: {},
	} {
		f := follow(t, bob, `{"room":{"timeline":{"limit":2},"state":`+filter+`}}`)
		got := brief(joined(t, f.next(), room).State.Events)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
}

func TestEventFields(t *testing.T) {
	ts := newServer(t)
	ts.partial.Store(true)
	alice := ts.register("alice")
	room := conversation(t, alice)
	_, err := alice.Send(t.Context(), room, "m.room.message", "1", map[string]any{
		"body": "hello", "msgtype": "m.text", "a.b": 1, "deep": map[string]any{"x": 1, "y": []int{2}}, "none": map[string]any{},
	})
	must(t, err)
	for fields, want := range map[string]string{
		`["type"]`:                          `{"type":"m.room.message"}`,
		`["type","content.body"]`:           `{"content":{"body":"hello"},"type":"m.room.message"}`,
		`["content.deep.y","content.deep"]`: `{"content":{"deep":{"x":1,"y":[2]}}}`,
		`["content.deep.x"]`:                `{"content":{"deep":{"x":1}}}`,
		`["content.a\\.b"]`:                 `{"content":{"a.b":1}}`,
		`["content.a.b","content.body.x"]`:  `{}`,
		`["content.none"]`:                  `{"content":{"none":{}}}`,
		`["nothing"]`:                       `{}`,
	} {
		var a struct {
			Rooms struct {
				Join map[matrix.RoomID]struct {
					Timeline struct {
						Events []json.RawMessage `json:"events"`
					} `json:"timeline"`
				} `json:"join"`
			} `json:"rooms"`
		}
		query := map[string][]string{"filter": {`{"event_fields":` + fields + `,"room":{"timeline":{"limit":1}}}`}}
		must(t, alice.Do(t.Context(), "GET", v3+"/sync", query, nil, &a))
		if events := a.Rooms.Join[room].Timeline.Events; len(events) != 1 || string(events[0]) != want {
			t.Errorf("%s: %s, want %s", fields, events, want)
		}
	}
}

func TestFederationFormat(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	room := conversation(t, alice)
	id := say(t, alice, room, "one")
	var a struct {
		Rooms struct {
			Join map[matrix.RoomID]struct {
				Timeline struct {
					Events []map[string]json.RawMessage `json:"events"`
				} `json:"timeline"`
			} `json:"join"`
		} `json:"rooms"`
	}
	query := map[string][]string{"filter": {`{"event_format":"federation","room":{"timeline":{"limit":1}}}`}}
	must(t, alice.Do(t.Context(), "GET", v3+"/sync", query, nil, &a))
	e := a.Rooms.Join[room].Timeline.Events[0]
	for _, name := range []string{"auth_events", "prev_events", "hashes", "signatures", "depth", "room_id"} {
		if e[name] == nil {
			t.Errorf("no %s in %s", name, e)
		}
	}
	if string(e["event_id"]) != `"`+string(id)+`"` {
		t.Errorf("event_id %s", e["event_id"])
	}
}

func TestSyncAccountData(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	f, other := follow(t, alice, ""), follow(t, bob, "")
	types := func(events []wire.Event) []string {
		var out []string
		for _, e := range events {
			out = append(out, e.Type+string(e.Content))
		}
		slices.Sort(out)
		return out
	}
	if a := f.next(); len(a.AccountData.Events) != 1 || a.AccountData.Events[0].Type != "m.push_rules" {
		t.Errorf("at first: %q", types(a.AccountData.Events))
	}
	other.next()
	must(t, alice.SetAccountData(t.Context(), "", "m.x", map[string]int{"n": 1}))
	must(t, alice.SetAccountData(t.Context(), "", "m.x", map[string]int{"n": 2}))
	must(t, alice.SetAccountData(t.Context(), "", "m.y", map[string]int{}))
	must(t, alice.SetAccountData(t.Context(), room, "m.tag", map[string]int{"n": 3}))
	a := f.next()
	if got := types(a.AccountData.Events); !slices.Equal(got, []string{`m.x{"n":2}`, `m.y{}`}) {
		t.Errorf("global: %q", got)
	}
	r := joined(t, a, room)
	if got := types(r.AccountData.Events); !slices.Equal(got, []string{`m.tag{"n":3}`}) || len(r.Timeline.Events) > 0 {
		t.Errorf("the room's: %q", got)
	}
	wantNothing(t, f.next())
	wantNothing(t, other.next())
	// Filters.
	for filter, want := range map[string][2]int{
		`{"account_data":{"types":["m.x"]}}`:                                {1, 1},
		`{"account_data":{"not_types":["m.push_rules","m.x"]}}`:             {1, 1},
		fmt.Sprintf(`{"account_data":{"not_senders":[%q]}}`, alice.User):    {0, 1},
		`{"room":{"account_data":{"types":["m.other"]}}}`:                   {3, 0},
		fmt.Sprintf(`{"room":{"account_data":{"not_rooms":[%q]}}}`, room):   {3, 0},
		fmt.Sprintf(`{"room":{"account_data":{"senders":[%q]}}}`, bob.User): {3, 0},
	} {
		a := follow(t, alice, filter).next()
		if got := [2]int{len(a.AccountData.Events), len(joined(t, a, room).AccountData.Events)}; got != want {
			t.Errorf("%s: %d, want %d", filter, got, want)
		}
	}
	// The other devices of the user learn of changed rules.
	must(t, alice.Do(t.Context(), "PUT", v3+"/pushrules/global/room/"+string(room), nil, []byte(`{"actions":[]}`), nil))
	a = f.next()
	if len(a.AccountData.Events) != 1 || a.AccountData.Events[0].Type != "m.push_rules" {
		t.Fatalf("after a change of rules: %q", types(a.AccountData.Events))
	}
	if raw, ok := matrix.Field(a.AccountData.Events[0].Content, "global", "room"); !ok || string(raw) == "[]" {
		t.Errorf("rules %s", a.AccountData.Events[0].Content)
	}
}

func TestSyncToDevice(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	phone := ts.login("bob", "PHONE")
	f, g := follow(t, bob, ""), follow(t, phone, "")
	f.next()
	send := func(device string, n int) {
		t.Helper()
		body := fmt.Sprintf(`{"messages":{%q:{%q:{"n":%d}}}}`, bob.User, device, n)
		must(t, alice.Do(t.Context(), "PUT", v3+fmt.Sprintf("/sendToDevice/m.test/%s%d", device, n), nil, []byte(body), nil))
	}
	numbers := func(a *wire.SyncAnswer) []int64 {
		t.Helper()
		out := []int64{}
		for _, e := range a.ToDevice.Events {
			n, _ := matrix.IntField(e.Content, "n")
			if e.Type != "m.test" || e.Sender != alice.User {
				t.Errorf("message %+v", e)
			}
			out = append(out, n)
		}
		return out
	}
	want := func(what string, a *wire.SyncAnswer, from, to int64) {
		t.Helper()
		expected := []int64{}
		for n := from; n < to; n++ {
			expected = append(expected, n)
		}
		if got := numbers(a); !slices.Equal(got, expected) {
			t.Errorf("%s: %d, want %d", what, got, expected)
		}
	}
	send("*", 0)
	send(bob.Device, 1)
	want("a lost answer", f.peek(wire.SyncOptions{}), 0, 2)
	want("the same again", f.next(), 0, 2)
	want("acknowledged", f.next(), 0, 0)
	want("an initial sync after that", follow(t, bob, "").next(), 0, 0)
	want("another device", g.next(), 0, 1)
	want("another device again, from the beginning", follow(t, phone, "").next(), 0, 1)
	// More than fit one answer come page by page, none twice.
	for n := range 230 {
		send(bob.Device, 1000+n)
	}
	want("the first page", f.poll(), 1000, 1100)
	want("the second page, lost", f.peek(wire.SyncOptions{}), 1100, 1200)
	want("the second page", f.poll(), 1100, 1200)
	send(bob.Device, 1230)
	want("the third page", f.poll(), 1200, 1231)
	want("no further page", f.next(), 0, 0)
	wantNothing(t, f.next())
}

// TestToDeviceFullPage has exactly as many messages as fit an answer.
func TestToDeviceFullPage(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	f := follow(t, alice, "")
	f.next()
	for n := range 100 {
		body := fmt.Sprintf(`{"messages":{%q:{%q:{"n":%d}}}}`, alice.User, alice.Device, n)
		must(t, alice.Do(t.Context(), "PUT", v3+fmt.Sprintf("/sendToDevice/m.test/%d", n), nil, []byte(body), nil))
	}
	if n := len(f.next().ToDevice.Events); n != 100 {
		t.Errorf("%d messages", n)
	}
	wantNothing(t, f.next())
	wantNothing(t, f.next())
}

// TestLargeToDevice: an answer holds about a MiB of messages.
func TestLargeToDevice(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	f := follow(t, alice, "")
	f.next()
	large := strings.Repeat("x", 60_000)
	for n := range 40 {
		body := fmt.Sprintf(`{"messages":{%q:{%q:{"n":%d,"x":%q}}}}`, alice.User, alice.Device, n, large)
		must(t, alice.Do(t.Context(), "PUT", v3+fmt.Sprintf("/sendToDevice/m.test/%d", n), nil, []byte(body), nil))
	}
	next := int64(0)
	for _, want := range []int{17, 17, 6, 0} {
		a := f.next()
		if len(a.ToDevice.Events) != want {
			t.Errorf("%d messages, want %d", len(a.ToDevice.Events), want)
		}
		for _, e := range a.ToDevice.Events {
			if n, _ := matrix.IntField(e.Content, "n"); n != next {
				t.Errorf("message %d, want %d", n, next)
			}
			next++
		}
	}
}

// TestRoomDataOfNewRooms tells who comes into a room of the data that was set while they were not in it.
func TestRoomDataOfNewRooms(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice)
	must(t, alice.Invite(t.Context(), room, bob.User))
	must(t, bob.SetAccountData(t.Context(), room, "m.tag", map[string]int{"n": 1}))
	f, filtered := follow(t, bob, ""), follow(t, bob, `{"room":{"account_data":{"not_types":["m.tag"]}}}`)
	f.next()
	filtered.next()
	_, err := bob.Join(t.Context(), string(room))
	must(t, err)
	if got := joined(t, f.next(), room).AccountData.Events; len(got) != 1 || got[0].Type != "m.tag" {
		t.Errorf("after joining: %v", got)
	}
	if got := joined(t, filtered.next(), room).AccountData.Events; len(got) != 0 {
		t.Errorf("with a filter: %v", got)
	}
	must(t, bob.Leave(t.Context(), room))
	f = follow(t, bob, "")
	f.next()
	must(t, alice.Invite(t.Context(), room, bob.User))
	_, err = bob.Join(t.Context(), string(room))
	must(t, err)
	if got := joined(t, f.next(), room).AccountData.Events; len(got) != 1 {
		t.Errorf("a device that was new while bob was not in the room, after joining again: %v", got)
	}
	must(t, bob.SetAccountData(t.Context(), room, "m.other", map[string]int{"n": 2}))
	if got := joined(t, f.next(), room).AccountData.Events; len(got) != 1 || got[0].Type != "m.other" {
		t.Errorf("what is new later: %v", got)
	}
}
