package clientapi

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

const lazyFilter = `{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":2}}}`

// crowd registers users and lets them join a room of the first one's.
func crowd(t testing.TB, ts *testServer, n int) (people []*wire.Client, room matrix.RoomID) {
	for i := range n {
		people = append(people, ts.register(fmt.Sprintf("user%02d", i)))
	}
	return people, conversation(t, people[0], people[1:]...)
}

// members picks the members out of brief.
func members(events []wire.Event) []string {
	var out []string
	for _, e := range events {
		if e.Type == "m.room.member" {
			out = append(out, brief([]wire.Event{e})...)
		}
	}
	slices.Sort(out)
	return out
}

func TestLazyMembers(t *testing.T) {
	ts := newServer(t)
	people, room := crowd(t, ts, 12)
	name(t, people[0], room, "A name, so there are no heroes")
	say(t, people[7], room, "zero")
	say(t, people[8], room, "one")
	f := follow(t, people[3], lazyFilter)
	r := joined(t, f.next(), room)
	if got, want := members(r.State.Events), []string{"@user03 join", "@user07 join", "@user08 join"}; !slices.Equal(got, want) {
		t.Errorf("members at first: %q, want %q", got, want)
	}
	if len(r.State.Events) != 3+6 || len(r.Summary.Heroes) != 0 {
		t.Errorf("state %q, heroes %q", brief(r.State.Events), r.Summary.Heroes)
	}
	say(t, people[8], room, "two") // known already
	say(t, people[9], room, "three")
	lost := joined(t, f.peek(wire.SyncOptions{}), room)
	wantBrief(t, "an answer that is lost", lost.State.Events, "@user09 join")
	r = joined(t, f.next(), room)
	wantBrief(t, "the answer again", r.State.Events, "@user09 join")
	say(t, people[9], room, "four")
	r = joined(t, f.next(), room)
	wantBrief(t, "a member who is known", r.State.Events)
	// A member who changes is in the timeline, or in the gap.
	must(t, people[9].SetProfileField(t.Context(), "displayname", "Nine"))
	say(t, people[1], room, "five")
	say(t, people[2], room, "six")
	r = joined(t, f.next(), room)
	wantSet(t, "after a gap", r.State.Events, "@user09 join", "@user01 join", "@user02 join")
	// Whoever does not mind gets them again.
	f.filter = `{"room":{"state":{"lazy_load_members":true,"include_redundant_members":true}}}`
	say(t, people[1], room, "seven")
	wantBrief(t, "redundant members", joined(t, f.next(), room).State.Events, "@user01 join")
	// A new device begins anew, and so does this one with an initial sync.
	for _, what := range []string{"read", "kept"} {
		f = follow(t, people[3], lazyFilter)
		r = joined(t, f.next(), room)
		if got, want := members(r.State.Events), []string{"@user01 join", "@user02 join", "@user03 join"}; !slices.Equal(got, want) {
			t.Errorf("members, %s: %q, want %q", what, got, want)
		}
	}
	say(t, people[2], room, "eight")
	wantBrief(t, "after what was kept", joined(t, f.next(), room).State.Events)
}

func TestLazyMembersWithStateAfter(t *testing.T) {
	ts := newServer(t)
	people, room := crowd(t, ts, 12)
	f := follow(t, people[0], lazyFilter)
	f.after = true
	f.next()
	say(t, people[8], room, "one")
	must(t, people[9].SetProfileField(t.Context(), "displayname", "Nine"))
	r := joined(t, f.next(), room)
	wantSet(t, "state_after", r.StateAfter.Events, "@user08 join", "@user09 join")
}

func TestHeroes(t *testing.T) {
	ts := newServer(t)
	people, room := crowd(t, ts, 8)
	f := follow(t, people[2], lazyFilter)
	r := joined(t, f.next(), room)
	var want []matrix.UserID
	for _, i := range []int{0, 1, 3, 4, 5} {
		want = append(want, people[i].User)
	}
	if !slices.Equal(r.Summary.Heroes, want) || *r.Summary.Joined != 8 {
		t.Errorf("summary %+v, want heroes %q", r.Summary, want)
	}
	// The heroes' members are told of.
	got := members(append(r.State.Events, r.Timeline.Events...))
	for _, u := range []string{"@user00 join", "@user01 join", "@user02 join", "@user03 join", "@user04 join", "@user05 join"} {
		if !slices.Contains(got, u) {
			t.Errorf("%s is missing in %q", u, got)
		}
	}
	must(t, people[0].Leave(t.Context(), room))
	r = joined(t, f.next(), room)
	if slices.Contains(r.Summary.Heroes, people[0].User) || !slices.Contains(r.Summary.Heroes, people[6].User) || *r.Summary.Joined != 7 {
		t.Errorf("summary after one left: %+v", r.Summary)
	}
	say(t, people[1], room, "nothing new about the members")
	if r = joined(t, f.next(), room); r.Summary.Joined != nil || r.Summary.Heroes != nil {
		t.Errorf("summary %+v", r.Summary)
	}
	// An alias or a name makes heroes superfluous, an empty name does not.
	alone := conversation(t, people[2])
	name(t, people[2], alone, "")
	must(t, people[2].Invite(t.Context(), alone, people[4].User))
	r = joined(t, f.next(), alone)
	if !slices.Equal(r.Summary.Heroes, []matrix.UserID{people[4].User}) || *r.Summary.Invited != 1 {
		t.Errorf("summary with an empty name: %+v", r.Summary)
	}
	// If only those who left remain, they are the heroes.
	must(t, people[4].Leave(t.Context(), alone))
	if r = joined(t, f.next(), alone); !slices.Equal(r.Summary.Heroes, []matrix.UserID{people[4].User}) {
		t.Errorf("summary of who is alone: %+v", r.Summary)
	}
}

func TestInvites(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room, err := alice.CreateRoom(t.Context(), wire.CreateRoom{Preset: "private_chat", Name: "Cellar", Topic: "Secret", Invite: []matrix.UserID{}})
	must(t, err)
	say(t, alice, room, "not for the invited")
	f := follow(t, bob, "")
	f.next()
	must(t, alice.Invite(t.Context(), room, bob.User))
	name(t, alice, room, "Attic") // after the invite
	a := f.next()
	invited := a.Rooms.Invite[room]
	if invited == nil || len(a.Rooms.Join) > 0 {
		t.Fatalf("rooms %+v", a.Rooms)
	}
	wantSet(t, "invite_state", invited.State.Events, "create", "name Cellar", "topic", "join_rules", "@alice join", "@bob invite")
	for _, e := range invited.State.Events {
		if e.ID != "" || e.OriginServerTS != 0 || e.Unsigned != nil || e.Sender == "" || e.StateKey == nil || e.Content == nil {
			t.Errorf("stripped event %+v", e)
		}
	}
	say(t, alice, room, "nor is this")
	wantNothing(t, f.next())
	if follow(t, bob, "").next().Rooms.Invite[room] == nil {
		t.Error("the invite is not in an initial sync")
	}
	if f.ask(wire.SyncOptions{FullState: true}).Rooms.Invite[room] == nil {
		t.Error("the invite is not in a full sync")
	}
	if a := follow(t, bob, fmt.Sprintf(`{"room":{"not_rooms":[%q]}}`, room)).next(); len(a.Rooms.Invite) > 0 {
		t.Error("the filter does not keep the invite out")
	}
	// The one who invites sees it happen.
	_, err = bob.Join(t.Context(), string(room))
	must(t, err)
	a = f.next()
	if len(a.Rooms.Invite) > 0 {
		t.Error("the invite is still there")
	}
	r := joined(t, a, room)
	last := r.Timeline.Events[len(r.Timeline.Events)-1]
	if m, _ := matrix.StringField(last.Unsigned, "membership"); m != "join" {
		t.Errorf("membership at the own join is %q", m)
	}
}

func TestRejectedInvite(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room, err := alice.CreateRoom(t.Context(), wire.CreateRoom{Preset: "private_chat"})
	must(t, err)
	f := follow(t, bob, "")
	f.next()
	must(t, alice.Invite(t.Context(), room, bob.User))
	f.next()
	must(t, bob.Leave(t.Context(), room))
	say(t, alice, room, "he does not want to")
	left := f.next().Rooms.Leave[room]
	if left == nil {
		t.Fatal("the room is not among those left")
	}
	wantBrief(t, "timeline", left.Timeline.Events, "@bob leave")
	wantBrief(t, "state", left.State.Events)
	wantNothing(t, f.next())
	if a := follow(t, bob, `{"room":{"include_leave":true}}`).next(); a.Rooms.Leave[room] != nil {
		t.Error("a room in which the user never was is there")
	}
	// Invited and rejected, or withdrawn, between two syncs.
	must(t, alice.Invite(t.Context(), room, bob.User))
	must(t, alice.Kick(t.Context(), room, bob.User, ""))
	if left := f.next().Rooms.Leave[room]; left == nil {
		t.Error("a withdrawn invite is not told")
	} else {
		wantBrief(t, "timeline", left.Timeline.Events, "@bob leave")
	}
}

func TestKnocks(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room, err := alice.CreateRoom(t.Context(), wire.CreateRoom{Preset: "private_chat", Name: "Cellar"})
	must(t, err)
	_, err = alice.SendState(t.Context(), room, "m.room.join_rules", "", map[string]string{"join_rule": "knock"})
	must(t, err)
	f := follow(t, bob, "")
	f.next()
	_, err = bob.SendState(t.Context(), room, "m.room.member", string(bob.User), map[string]string{"membership": "knock"})
	must(t, err)
	knocked := f.next().Rooms.Knock[room]
	if knocked == nil {
		t.Fatal("no knock")
	}
	wantSet(t, "knock_state", knocked.State.Events, "create", "name Cellar", "join_rules", "@bob knock")
}

// TestNothingAfterLeaving is threat 6.
func TestNothingAfterLeaving(t *testing.T) {
	for _, how := range []string{"leave", "kick", "ban"} {
		t.Run(how, func(t *testing.T) {
			ts := newServer(t)
			alice, bob := ts.register("alice"), ts.register("bob")
			room := conversation(t, alice, bob)
			f := follow(t, bob, limit(5))
			f.next()
			old := f.since
			say(t, alice, room, "before")
			switch how {
			case "leave":
				must(t, bob.Leave(t.Context(), room))
			case "kick":
				must(t, alice.Kick(t.Context(), room, bob.User, "enough"))
			case "ban":
				must(t, alice.Ban(t.Context(), room, bob.User, "enough"))
			}
			for i := range 7 {
				say(t, alice, room, fmt.Sprint("after ", i))
			}
			name(t, alice, room, "After")
			must(t, alice.Typing(t.Context(), room, true, 10000))
			must(t, alice.Receipt(t.Context(), room, "m.read", say(t, alice, room, "read"), ""))
			end := "@bob leave"
			if how == "ban" {
				end = "@bob ban"
			}
			check := func(what string, f *syncing, want ...string) {
				t.Helper()
				a := f.next()
				if a.Rooms.Join[room] != nil {
					t.Errorf("%s: among the joined rooms", what)
				}
				if left := a.Rooms.Leave[room]; left == nil != (want == nil) {
					t.Errorf("%s: left %+v", what, left)
				} else if left != nil {
					wantBrief(t, what, left.Timeline.Events, want...)
					for _, e := range append(left.State.Events, left.Timeline.Events...) {
						if n, _ := matrix.StringField(e.Content, "name"); n == "After" {
							t.Errorf("%s: has the new name", what)
						}
					}
				}
			}
			check("the next sync", f, "before", end)
			check("the one after", f)
			name(t, alice, room, "Again")
			check("later", f)
			check("from an old token", &syncing{t: t, client: bob, since: old, filter: limit(5)}, "before", end)
			check("an initial sync", follow(t, bob, ""))
			all := []string{"history_visibility", "guest_access", "@bob join", "before", end}
			check("an initial sync with what was left", follow(t, bob, `{"room":{"include_leave":true,"timeline":{"limit":5}}}`), all...)
			if how == "ban" {
				must(t, alice.Unban(t.Context(), room, bob.User))
				check("when the ban has ended", f)
				check("from an old token when the ban has ended", &syncing{t: t, client: bob, since: old, filter: limit(5)})
			}
			must(t, bob.Forget(t.Context(), room))
			check("forgotten", f)
			check("forgotten, from the beginning", follow(t, bob, `{"room":{"include_leave":true}}`))
			check("forgotten, from an old token", &syncing{t: t, client: bob, since: old}, "@bob leave") // only that it was left
		})
	}
}

// TestBanOfAStranger tells a user who never was in a room nothing but the ban.
func TestBanOfAStranger(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice)
	f := follow(t, bob, "")
	f.next()
	must(t, alice.Ban(t.Context(), room, bob.User, ""))
	say(t, alice, room, "gone")
	left := f.next().Rooms.Leave[room]
	if left == nil {
		t.Fatal("the ban is not told")
	}
	wantBrief(t, "timeline", left.Timeline.Events, "@bob ban")
	wantBrief(t, "state", left.State.Events)
}

func TestRejoin(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	f := follow(t, bob, limit(4))
	f.next()
	must(t, bob.Leave(t.Context(), room))
	say(t, alice, room, "while he is away")
	name(t, alice, room, "New")
	_, err := bob.Join(t.Context(), string(room))
	must(t, err)
	a := f.next()
	if a.Rooms.Leave[room] != nil {
		t.Error("the room is left and joined")
	}
	r := joined(t, a, room)
	wantBrief(t, "timeline", r.Timeline.Events, "@bob leave", "while he is away", "name New", "@bob join")
	if !r.Timeline.Limited {
		t.Error("the timeline continues what the client has?")
	}
	wantSet(t, "state", r.State.Events, "create", "@alice join", "power_levels", "join_rules", "history_visibility", "guest_access", "@bob join")
	wantNothing(t, f.next())
	// A room forgotten and joined again is back.
	must(t, bob.Leave(t.Context(), room))
	must(t, bob.Forget(t.Context(), room))
	if a := f.next(); a.Rooms.Leave[room] == nil {
		t.Error("a device that had the room is not told that it was left")
	}
	wantNothing(t, f.next())
	_, err = bob.Join(t.Context(), string(room))
	must(t, err)
	if r := joined(t, f.next(), room); len(r.State.Events) == 0 {
		t.Error("no state")
	}
}

// TestLeftInBetween tells of a stay that began and ended between two syncs.
func TestLeftInBetween(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice)
	_, err := alice.SendState(t.Context(), room, "m.room.history_visibility", "", map[string]string{"history_visibility": "joined"})
	must(t, err)
	f := follow(t, bob, limit(3))
	f.next()
	say(t, alice, room, "before")
	_, err = bob.Join(t.Context(), string(room))
	must(t, err)
	say(t, alice, room, "meanwhile")
	must(t, bob.Leave(t.Context(), room))
	say(t, alice, room, "after")
	left := f.next().Rooms.Leave[room]
	if left == nil {
		t.Fatal("nothing is told")
	}
	wantBrief(t, "timeline", left.Timeline.Events, "@bob join", "meanwhile", "@bob leave")
	wantSet(t, "state", left.State.Events, "create", "@alice join", "power_levels", "join_rules", "history_visibility", "guest_access")
}

// TestHistoryBeforeJoining shows who joins what the history visibility allows. The event that sets it is seen if it
// is seen by what was before it.
func TestHistoryBeforeJoining(t *testing.T) {
	for visibility, want := range map[string][]string{
		"shared":         {"old", "@bob invite", "between", "@bob join"},
		"world_readable": {"old", "@bob invite", "between", "@bob join"},
		"invited":        {"history_visibility", "@bob invite", "between", "@bob join"},
		"joined":         {"guest_access", "history_visibility", "@bob invite", "@bob join"},
	} {
		ts := newServer(t)
		alice, bob := ts.register("alice"), ts.register("bob")
		room := conversation(t, alice)
		_, err := alice.SendState(t.Context(), room, "m.room.history_visibility", "", map[string]string{"history_visibility": visibility})
		must(t, err)
		say(t, alice, room, "old")
		must(t, alice.Invite(t.Context(), room, bob.User))
		say(t, alice, room, "between")
		f := follow(t, bob, limit(4))
		f.next()
		_, err = bob.Join(t.Context(), string(room))
		must(t, err)
		wantBrief(t, visibility, joined(t, f.next(), room).Timeline.Events, want...)
		wantBrief(t, visibility+" at first", joined(t, follow(t, bob, limit(4)).next(), room).Timeline.Events, want...)
	}
}

// Who has left is not shown what was added to an older event since: threat 6.
func TestNoEditsAfterLeaving(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	id, err := alice.Send(t.Context(), room, "m.room.message", "1", map[string]any{"msgtype": "m.text", "body": "then"})
	must(t, err)
	must(t, bob.Leave(t.Context(), room))
	_, err = alice.Send(t.Context(), room, "m.room.message", "2", map[string]any{
		"msgtype": "m.text", "body": "* secret", "m.new_content": map[string]any{"msgtype": "m.text", "body": "secret"},
		"m.relates_to": map[string]any{"rel_type": "m.replace", "event_id": id},
	})
	must(t, err)
	answer := ts.want(bob, "GET", v3+"/sync?filter="+url.QueryEscape(`{"room":{"include_leave":true}}`), "", 200, "")
	if !strings.Contains(answer, `"then"`) || strings.Contains(answer, "secret") {
		t.Errorf("who left was answered %s", answer)
	}
	if answer = ts.want(alice, "GET", v3+"/sync", "", 200, ""); !strings.Contains(answer, `"m.replace":{`) {
		t.Errorf("who stayed was answered %s", answer)
	}
}
