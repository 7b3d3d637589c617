package clientapi

import (
	"net/url"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// visibility sets a room's history visibility.
func visibility(t testing.TB, c *wire.Client, room matrix.RoomID, v string) {
	t.Helper()
	_, err := c.SendState(t.Context(), room, "m.room.history_visibility", "", map[string]string{"history_visibility": v})
	must(t, err)
}

func TestEventOfRooms(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room, other := conversation(t, alice, bob), conversation(t, carol)
	before := say(t, alice, room, "before")
	e, err := bob.Event(t.Context(), room, before)
	must(t, err)
	if m, _ := matrix.StringField(e.Unsigned, "membership"); e.ID != before || e.RoomID != room || m != "join" {
		t.Errorf("got %+v, membership %q", e, m)
	}
	must(t, bob.Leave(t.Context(), room))
	after := say(t, alice, room, "after")
	path := func(room matrix.RoomID, id matrix.EventID) string { return wire.RoomPath(room, "event", string(id)) }
	ts.want(bob, "GET", path(room, before), "", 200, "")
	ts.want(bob, "GET", path(room, after), "", 404, matrix.MNotFound)
	ts.want(carol, "GET", path(room, before), "", 404, matrix.MNotFound)
	ts.want(carol, "GET", path(other, before), "", 404, matrix.MNotFound)
	ts.want(alice, "GET", path("!no:here.example", before), "", 404, matrix.MNotFound)
	ts.want(alice, "GET", path("no-room", before), "", 400, matrix.MInvalidParam)
	ts.want(alice, "GET", path(room, "$nothing"), "", 404, matrix.MNotFound)
	must(t, bob.Forget(t.Context(), room))
	ts.want(bob, "GET", path(room, before), "", 404, matrix.MNotFound)
}

// TestEventDecidesByItself reads single events as one who is invited, and as one who left before the room was opened.
// spec: client-server-api#server-behaviour-5
func TestEventDecidesByItself(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, carol)
	visibility(t, alice, room, "invited")
	before := say(t, alice, room, "before the invite")
	must(t, alice.Invite(t.Context(), room, bob.User))
	since := say(t, alice, room, "while invited")
	visibility(t, alice, room, "joined")
	closed := say(t, alice, room, "among us")
	must(t, carol.Leave(t.Context(), room))
	later := say(t, alice, room, "without carol")
	visibility(t, alice, room, "world_readable")
	open := say(t, alice, room, "to the world")
	visibility(t, alice, room, "joined")
	for _, c := range []struct {
		who    *wire.Client
		event  matrix.EventID
		status int
		code   string
	}{
		{bob, before, 404, matrix.MNotFound}, {bob, since, 200, ""}, {bob, closed, 404, matrix.MNotFound}, {bob, open, 200, ""},
		{carol, before, 200, ""}, {carol, closed, 200, ""}, {carol, later, 404, matrix.MNotFound}, {carol, open, 200, ""},
	} {
		ts.want(c.who, "GET", wire.RoomPath(room, "event", string(c.event)), "", c.status, c.code)
	}
	ts.want(bob, "GET", wire.RoomPath(room, "messages")+"?dir=b", "", 403, matrix.MForbidden)
	must(t, bob.Leave(t.Context(), room))
	ts.want(bob, "GET", wire.RoomPath(room, "event", string(since)), "", 404, matrix.MNotFound)
}

// TestNothingLaterIsBundled gives one who left events that were edited, answered and redacted after that.
func TestNothingLaterIsBundled(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	edited, root, referred := say(t, alice, room, "one"), say(t, alice, room, "two"), say(t, alice, room, "three")
	redacted := say(t, alice, room, "four")
	must(t, bob.Leave(t.Context(), room))
	relate(t, alice, room, edited, "m.replace", "secret edit")
	relate(t, alice, room, root, "m.thread", "secret thread")
	later := relate(t, alice, room, referred, "m.reference", "secret reference")
	_, err := alice.Redact(t.Context(), room, redacted, "r", "secret reason")
	must(t, err)
	all := ""
	for _, id := range []matrix.EventID{edited, root, referred, redacted} {
		answer := ts.want(bob, "GET", wire.RoomPath(room, "event", string(id)), "", 200, "")
		if strings.Contains(answer, "secret") || strings.Contains(answer, string(later)) {
			t.Errorf("one who left reads %s", answer)
		}
		all += ts.want(alice, "GET", wire.RoomPath(room, "event", string(id)), "", 200, "")
	}
	for _, s := range []string{"secret edit", "secret thread", string(later), "secret reason", "redacted_because", `"count":1`, `"current_user_participated":true`} {
		if !strings.Contains(all, s) {
			t.Errorf("%s is missing in what a member reads: %s", s, all)
		}
	}
	answer := ts.want(bob, "GET", wire.RoomPath(room, "messages")+"?dir=b&limit=100", "", 200, "")
	if strings.Contains(answer, "secret") {
		t.Errorf("one who left reads %s", answer)
	}
}

func TestMembers(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob)
	page, err := alice.Messages(t.Context(), room, "b", "", 1)
	must(t, err)
	must(t, bob.Leave(t.Context(), room))
	must(t, alice.Invite(t.Context(), room, carol.User))
	for query, want := range map[string][]string{
		"": {"@alice join", "@bob leave", "@carol invite"}, "membership=join": {"@alice join"},
		"not_membership=join": {"@bob leave", "@carol invite"}, "membership=invite&not_membership=leave": {"@alice join", "@carol invite"},
		"membership=leave&not_membership=join": {"@bob leave", "@carol invite"}, "at=" + page.Start: {"@alice join", "@bob join"},
	} {
		values, err := url.ParseQuery(query)
		must(t, err)
		got, err := alice.Members(t.Context(), room, values)
		must(t, err)
		wantSet(t, query, got, want...)
	}
	left, err := bob.Members(t.Context(), room, nil)
	must(t, err)
	wantSet(t, "of one who left", left, "@alice join", "@bob leave")
	for _, query := range []string{"?at=x", "?membership=x", "?not_membership=x"} {
		ts.want(alice, "GET", wire.RoomPath(room, "members")+query, "", 400, matrix.MInvalidParam)
	}
	ts.want(carol, "GET", wire.RoomPath(room, "members"), "", 403, matrix.MForbidden)
	ts.want(bob, "GET", wire.RoomPath(room, "joined_members"), "", 403, matrix.MForbidden)
	ts.want(carol, "GET", wire.RoomPath(room, "joined_members"), "", 403, matrix.MForbidden)
	answer := ts.want(alice, "GET", wire.RoomPath(room, "joined_members"), "", 200, "")
	if !strings.Contains(answer, string(alice.User)) || strings.Contains(answer, string(bob.User)) || strings.Contains(answer, string(carol.User)) {
		t.Errorf("joined: %s", answer)
	}
}

// TestMembersAsOf shows the members of a time at which the reader could see the room.
func TestMembersAsOf(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice)
	visibility(t, alice, room, "joined")
	page, err := alice.Messages(t.Context(), room, "b", "", 1)
	must(t, err)
	for _, c := range []*wire.Client{bob, carol} {
		_, err := c.Join(t.Context(), string(room))
		must(t, err)
	}
	at := url.Values{"at": {page.Start}}
	got, err := alice.Members(t.Context(), room, at)
	must(t, err)
	wantSet(t, "before", got, "@alice join")
	ts.want(bob, "GET", wire.RoomPath(room, "members")+"?"+at.Encode(), "", 403, matrix.MForbidden)
	must(t, bob.Leave(t.Context(), room))
	must(t, carol.Leave(t.Context(), room))
	page, err = alice.Messages(t.Context(), room, "b", "", 1)
	must(t, err)
	got, err = bob.Members(t.Context(), room, url.Values{"at": {page.Start}})
	must(t, err)
	wantSet(t, "after bob left", got, "@alice join", "@bob leave", "@carol join")
}

func TestStateOfRooms(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob)
	name(t, alice, room, "old")
	must(t, bob.Leave(t.Context(), room))
	name(t, alice, room, "new")
	path := wire.RoomPath(room, "state")
	for c, want := range map[*wire.Client]string{alice: "new", bob: "old"} {
		if got := ts.want(c, "GET", path+"/m.room.name/", "", 200, ""); got != `{"name":"`+want+`"}` {
			t.Errorf("%s reads %s", c.User, got)
		}
		all, err := c.FullState(t.Context(), room)
		must(t, err)
		if got := strings.Join(brief(all), ","); !strings.Contains(got, "name "+want) {
			t.Errorf("%s reads %s", c.User, got)
		}
	}
	ts.want(alice, "GET", path+"/m.room.name?format=event", "", 200, "")
	ts.want(alice, "GET", path+"/m.room.name?format=x", "", 400, matrix.MInvalidParam)
	ts.want(alice, "GET", path+"/m.room.topic", "", 404, matrix.MNotFound)
	ts.want(carol, "GET", path+"/m.room.name", "", 403, matrix.MForbidden)
	ts.want(carol, "GET", path, "", 403, matrix.MForbidden)
}
