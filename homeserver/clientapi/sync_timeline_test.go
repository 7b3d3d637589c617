package clientapi

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// gap reads what lies between a limited timeline and the token before it, oldest first.
func gap(t testing.TB, c *wire.Client, room matrix.RoomID, since, prev string) []wire.Event {
	t.Helper()
	var all []wire.Event
	for from := prev; from != ""; {
		var page wire.Page
		query := map[string][]string{"dir": {"b"}, "limit": {"7"}, "from": {from}, "to": {since}}
		must(t, c.Do(t.Context(), "GET", wire.RoomPath(room, "messages"), query, nil, &page))
		all = append(all, page.Chunk...)
		from = page.End
	}
	slices.Reverse(all)
	return all
}

// TestSyncNeverMissesOrRepeats follows several rooms by long polls while many send into them, and fills gaps.
func TestSyncNeverMissesOrRepeats(t *testing.T) {
	ts := newServer(t)
	const senders, messages, rooms = 5, 40, 3
	people := []*wire.Client{ts.register("alice")}
	for i := range senders {
		people = append(people, ts.register(fmt.Sprint("sender", i)))
	}
	var ids []matrix.RoomID
	for range rooms {
		ids = append(ids, conversation(t, people[0], people[1:]...))
	}
	var sending, following sync.WaitGroup
	for f := range 4 { // alice's devices, which want timelines of different lengths
		c := ts.login("alice", "")
		s := follow(t, c, limit(1+5*f))
		s.next()
		following.Go(func() { followAll(t, s, ids, senders*messages+rooms) })
	}
	for n, c := range people[1:] {
		sending.Go(func() {
			for i := range messages {
				room := ids[(i+n)%rooms]
				if i%10 == 5 { // memberships that do not change much, and receipts, come in between
					must(t, c.Receipt(t.Context(), room, "m.read", say(t, c, room, fmt.Sprintf("%d %d", n, i)), ""))
					continue
				}
				say(t, c, room, fmt.Sprintf("%d %d", n, i))
			}
		})
	}
	sending.Wait()
	for _, room := range ids {
		say(t, people[1], room, "end")
	}
	following.Wait()
}

// followAll syncs until every room has ended, and checks that each message came once, in its sender's order.
func followAll(t *testing.T, s *syncing, rooms []matrix.RoomID, want int) {
	seen := make(map[matrix.EventID]bool)
	last := make(map[string]int) // by room and sender
	ended := 0
	take := func(room matrix.RoomID, events []wire.Event) {
		for _, e := range events {
			if e.Type != "m.room.message" {
				continue
			}
			if seen[e.ID] {
				t.Errorf("%s came twice", e.ID)
			}
			seen[e.ID] = true
			body, _ := matrix.StringField(e.Content, "body")
			var sender, number int
			if body == "end" {
				ended++
			} else if _, err := fmt.Sscanf(body, "%d %d", &sender, &number); err == nil {
				k := fmt.Sprint(room, sender)
				if before, ok := last[k]; ok && number != before+len(rooms) {
					t.Errorf("in %s after message %d of sender %d came %d", room, before, sender, number)
				}
				last[k] = number
			}
		}
	}
	for ended < len(rooms) && !t.Failed() {
		since := s.since
		for room, r := range s.poll().Rooms.Join {
			if r.Timeline.Limited {
				take(room, gap(t, s.client, room, since, r.Timeline.PrevBatch))
			}
			take(room, r.Timeline.Events)
		}
	}
	if len(seen) != want && !t.Failed() {
		t.Errorf("%d messages came, want %d", len(seen), want)
	}
}

// TestSyncWhileJoining changes the syncing user's own memberships all the time.
func TestSyncWhileJoining(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, bob, alice)
	f := follow(t, alice, limit(100))
	f.next()
	var done sync.WaitGroup
	done.Go(func() {
		for i := range 30 {
			must(t, alice.SetProfileField(t.Context(), "displayname", fmt.Sprint("Alice ", i)))
		}
	})
	done.Go(func() {
		for i := range 60 {
			say(t, bob, room, fmt.Sprint(i))
		}
		say(t, bob, room, "end")
	})
	seen, want := make(map[matrix.EventID]bool), 0
	for ended := false; !ended && !t.Failed(); {
		r := f.poll().Rooms.Join[room]
		if r == nil {
			continue
		}
		if r.Timeline.Limited {
			t.Errorf("limited: %q", brief(r.Timeline.Events))
		}
		for _, e := range r.Timeline.Events {
			if seen[e.ID] {
				t.Errorf("%s came twice", e.ID)
			}
			seen[e.ID] = true
			if body, _ := matrix.StringField(e.Content, "body"); body == "end" {
				ended = true
			} else if body != "" {
				if body != fmt.Sprint(want) {
					t.Errorf("%s came where %d was due", body, want)
				}
				want++
			}
		}
	}
	done.Wait()
	if want != 60 {
		t.Errorf("%d messages came", want)
	}
}

func TestLimitedTimeline(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob)
	f := follow(t, bob, limit(3))
	f.next()
	since := f.since
	var want []string
	for i := range 12 {
		want = append(want, fmt.Sprint(i))
		say(t, alice, room, fmt.Sprint(i))
		switch i {
		case 2:
			name(t, alice, room, "A")
			want = append(want, "name A")
		case 4:
			name(t, alice, room, "B")
			_, err := carol.Join(t.Context(), string(room))
			must(t, err)
			want = append(want, "name B", "@carol join")
		case 10:
			name(t, alice, room, "C")
			want = append(want, "name C")
		}
	}
	lost := f.peek(wire.SyncOptions{})
	a := f.next()
	r := joined(t, a, room)
	if !r.Timeline.Limited {
		t.Error("not limited")
	}
	wantBrief(t, "timeline", r.Timeline.Events, "10", "name C", "11")
	// The state is that before the timeline: it has the name of the gap.
	wantSet(t, "state", r.State.Events, "name B", "@carol join")
	wantBrief(t, "gap", gap(t, bob, room, since, r.Timeline.PrevBatch), want[:len(want)-3]...)
	if *r.Summary.Joined != 3 {
		t.Errorf("summary %+v", r.Summary)
	}
	wantBrief(t, "the same again", joined(t, lost, room).Timeline.Events, "10", "name C", "11")
	wantNothing(t, f.next())
	// A limit of nothing still tells that there is something, and the state.
	f.filter = limit(0)
	name(t, alice, room, "D")
	r = joined(t, f.next(), room)
	if !r.Timeline.Limited || len(r.Timeline.Events) > 0 || r.Timeline.PrevBatch == "" {
		t.Errorf("timeline %+v", r.Timeline)
	}
	wantBrief(t, "state", r.State.Events, "name D")
}

func TestStateAfter(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	f := follow(t, bob, limit(2))
	f.after = true
	say(t, alice, room, "zero")
	name(t, alice, room, "A")
	first := joined(t, f.next(), room)
	wantBrief(t, "timeline", first.Timeline.Events, "zero", "name A")
	if first.StateAfter == nil || len(first.State.Events) > 0 {
		t.Fatalf("state_after %v, state %q", first.StateAfter, brief(first.State.Events))
	}
	wantSet(t, "the first state_after", first.StateAfter.Events, "create", "@alice join", "power_levels", "join_rules", "history_visibility", "guest_access", "@bob join", "name A")
	name(t, alice, room, "B")
	say(t, alice, room, "one")
	name(t, alice, room, "C")
	say(t, alice, room, "two")
	r := joined(t, f.next(), room)
	wantBrief(t, "timeline", r.Timeline.Events, "name C", "two")
	wantBrief(t, "state_after", r.StateAfter.Events, "name C")
	// It is there even if it is empty.
	say(t, alice, room, "three")
	r = joined(t, f.next(), room)
	if r.StateAfter == nil || len(r.StateAfter.Events) != 0 {
		t.Errorf("state_after %v", r.StateAfter)
	}
	must(t, alice.Typing(t.Context(), room, true, 10000))
	if r = joined(t, f.next(), room); r.StateAfter == nil {
		t.Error("no state_after beside typing")
	}
	// The timeline's filter does not hide state from it.
	f.filter = `{"room":{"timeline":{"types":["m.room.message"]}}}`
	say(t, alice, room, "four")
	name(t, alice, room, "D")
	r = joined(t, f.next(), room)
	wantBrief(t, "timeline", r.Timeline.Events, "four")
	wantBrief(t, "state_after", r.StateAfter.Events, "name D")
}

func TestFullState(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room, quiet := conversation(t, alice, bob), conversation(t, alice)
	f := follow(t, alice, "")
	f.next()
	say(t, bob, room, "one")
	name(t, alice, room, "A")
	a := f.ask(wire.SyncOptions{FullState: true, Timeout: time.Minute})
	all := []string{"create", "@alice join", "power_levels", "join_rules", "history_visibility", "guest_access"}
	r := joined(t, a, room)
	wantBrief(t, "timeline", r.Timeline.Events, "one", "name A")
	wantSet(t, "state", r.State.Events, append(slices.Clone(all), "@bob join")...)
	r = joined(t, a, quiet)
	wantBrief(t, "timeline", r.Timeline.Events)
	wantSet(t, "state of a room in which nothing happened", r.State.Events, all...)
	if r.Timeline.Limited {
		t.Error("limited")
	}
	wantNothing(t, f.next())
}

// TestStateHiddenByFilters finds state in the state that the timeline's filter keeps out of the timeline.
func TestStateHiddenByFilters(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	f := follow(t, bob, `{"room":{"timeline":{"types":["m.room.message"],"limit":3}}}`)
	f.next()
	say(t, alice, room, "one")
	name(t, alice, room, "A")
	say(t, alice, room, "two")
	name(t, alice, room, "B")
	r := joined(t, f.next(), room)
	wantBrief(t, "timeline", r.Timeline.Events, "one", "two")
	wantBrief(t, "state", r.State.Events, "name B")
	if r.Timeline.Limited {
		t.Error("limited although no message was left out")
	}
	name(t, alice, room, "C")
	r = joined(t, f.next(), room)
	wantBrief(t, "timeline of state", r.Timeline.Events)
	wantBrief(t, "state alone", r.State.Events, "name C")
	for i := range 4 {
		say(t, alice, room, fmt.Sprint(i))
		name(t, alice, room, fmt.Sprint("D", i))
	}
	r = joined(t, f.next(), room)
	wantBrief(t, "timeline", r.Timeline.Events, "1", "2", "3")
	wantBrief(t, "state", r.State.Events, "name D3")
	if !r.Timeline.Limited {
		t.Error("not limited")
	}
	wantNothing(t, f.next())
}

// TestStateHiddenByHistory finds state in the state that who came later may not see in the timeline, though that reaches
// back beyond it.
func TestStateHiddenByHistory(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice)
	_, err := alice.SendState(t.Context(), room, "m.room.history_visibility", "", map[string]string{"history_visibility": "joined"})
	must(t, err)
	name(t, alice, room, "A")
	name(t, alice, room, "B")
	for _, c := range []*wire.Client{carol, bob} {
		must(t, alice.Invite(t.Context(), room, c.User))
		_, err := c.Join(t.Context(), string(room))
		must(t, err)
	}
	say(t, carol, room, "hello")
	for filter, want := range map[string][]string{
		`{"room":{"timeline":{"limit":50}}}`:                                    {"name B", "@carol join"},
		`{"room":{"timeline":{"limit":50},"state":{"lazy_load_members":true}}}`: {"name B", "@carol join"},
		`{"room":{"timeline":{"limit":50},"state":{"types":["m.room.name"]}}}`:  {"name B"},
	} {
		r := joined(t, follow(t, bob, filter).next(), room)
		if len(r.Timeline.Events) == 0 || r.Timeline.Events[0].Type != "m.room.create" {
			t.Errorf("%s: the timeline is %q", filter, brief(r.Timeline.Events))
		}
		wantSet(t, filter, r.State.Events, want...)
	}
}
