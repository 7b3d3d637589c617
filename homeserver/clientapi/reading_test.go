package clientapi

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// readings are the ways to read a room and an event in it.
func readings(room matrix.RoomID, id matrix.EventID) map[string]string {
	v1 := "/_matrix/client/v1/rooms/" + url.PathEscape(string(room))
	return map[string]string{
		"messages": wire.RoomPath(room, "messages") + "?dir=b&limit=100", "forward": wire.RoomPath(room, "messages") + "?dir=f&limit=100",
		"context": wire.RoomPath(room, "context", string(id)) + "?limit=100", "event": wire.RoomPath(room, "event", string(id)),
		"state": wire.RoomPath(room, "state"), "name": wire.RoomPath(room, "state", "m.room.name"), "members": wire.RoomPath(room, "members"),
		"relations": wire.Path(v1+"/relations", string(id)), "threads": v1 + "/threads",
		"initialSync": wire.RoomPath(room, "initialSync"), "timestamp": v1 + "/timestamp_to_event?dir=f&ts=0", "events": v3 + "/events?timeout=0&from=s0_0&room_id=" + url.QueryEscape(string(room)),
	}
}

// TestEveryReadingKeepsOutsidersOut asks for everything as one who was never in the room, one whose invite waits, one who
// forgot it, of a room that does not exist and of one that was deleted.
func TestEveryReadingKeepsOutsidersOut(t *testing.T) {
	ts := newServer(t)
	alice, never, invited, gone := ts.register("alice"), ts.register("never"), ts.register("invited"), ts.register("gone")
	room := conversation(t, alice, gone)
	name(t, alice, room, "secret")
	id := say(t, alice, room, "secret")
	relate(t, alice, room, id, "m.thread", "secret")
	must(t, alice.Invite(t.Context(), room, invited.User))
	must(t, gone.Leave(t.Context(), room))
	must(t, gone.Forget(t.Context(), room))
	deleted := conversation(t, alice)
	other := say(t, alice, deleted, "secret")
	info, err := ts.store.RoomByID(t.Context(), deleted)
	must(t, err)
	_, err = ts.store.Apply(t.Context(), func(tx *store.Tx) {
		changed := *info
		changed.Deleted = true
		tx.PutRoom(&changed)
	})
	must(t, err)
	for what, path := range readings(room, id) {
		for _, c := range []*wire.Client{never, invited, gone} {
			if answer := ts.wantRefused(c, path); strings.Contains(answer, "secret") {
				t.Errorf("%s answers %s", what, answer)
			}
		}
		if answer := ts.want(alice, "GET", path, "", 200, ""); !strings.Contains(answer, "secret") && !slices.Contains([]string{"members", "timestamp"}, what) {
			t.Errorf("%s answers a member %s", what, answer)
		}
		ts.want(ts.anonymous(), "GET", path, "", 401, matrix.MMissingToken)
	}
	for _, path := range readings("!no:here.example", id) {
		ts.wantRefused(alice, path)
	}
	for _, path := range readings(deleted, other) {
		ts.wantRefused(alice, path)
	}
}

// wantRefused reads what the client may not see: a single event looks like one that does not exist.
func (ts *testServer) wantRefused(c *wire.Client, path string) string {
	ts.t.Helper()
	if strings.Contains(path, "/event/") {
		return ts.want(c, "GET", path, "", 404, matrix.MNotFound)
	}
	return ts.want(c, "GET", path, "", 403, matrix.MForbidden)
}

// TestEveryReadingOfOneWhoLeft shows nothing that came later (threat 6).
func TestEveryReadingOfOneWhoLeft(t *testing.T) {
	ts := newServer(t)
	alice, kicked, banned := ts.register("alice"), ts.register("kicked"), ts.register("banned")
	room := conversation(t, alice, kicked, banned)
	name(t, alice, room, "old")
	id := say(t, alice, room, "old")
	must(t, alice.Kick(t.Context(), room, kicked.User, ""))
	must(t, alice.Ban(t.Context(), room, banned.User, ""))
	name(t, alice, room, "secret")
	relate(t, alice, room, id, "m.thread", "secret")
	relate(t, alice, room, id, "m.replace", "secret")
	late := ts.register("secret")
	_, err := late.Join(t.Context(), string(room))
	must(t, err)
	for what, path := range readings(room, id) {
		for _, c := range []*wire.Client{kicked, banned} {
			answer := ts.want(c, "GET", path, "", 200, "")
			if strings.Contains(answer, "secret") {
				t.Errorf("%s answers one who left %s", what, answer)
			}
		}
	}
}

// TestEveryReadingOfWhatAllMayRead lets a stranger read a room that is readable by the world.
func TestEveryReadingOfWhatAllMayRead(t *testing.T) {
	ts := newServer(t)
	alice, stranger := ts.register("alice"), ts.register("stranger")
	room := conversation(t, alice)
	say(t, alice, room, "hidden")
	visibility(t, alice, room, "world_readable")
	name(t, alice, room, "shown")
	id := say(t, alice, room, "shown")
	relate(t, alice, room, id, "m.thread", "shown")
	for what, path := range readings(room, id) {
		answer := ts.want(stranger, "GET", path, "", 200, "")
		if strings.Contains(answer, "hidden") || !strings.Contains(answer, "shown") && !slices.Contains([]string{"members", "timestamp"}, what) {
			t.Errorf("%s answers %s", what, answer)
		}
	}
	// From now on nothing more.
	visibility(t, alice, room, "shared")
	for _, path := range readings(room, id) {
		ts.wantRefused(stranger, path)
	}
}

// TestEveryReadingOfIgnored leaves out what somebody says whom the reader ignores, but not what somebody sets.
func TestEveryReadingOfIgnored(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, bob, alice)
	id := say(t, alice, room, "parent")
	name(t, bob, room, "state")
	say(t, bob, room, "unheard")
	relate(t, bob, room, id, "m.thread", "unheard of")
	relate(t, bob, room, id, "m.reference", "unheard too")
	must(t, alice.Ignore(t.Context(), bob.User))
	for what, path := range readings(room, id) {
		if answer := ts.want(alice, "GET", path, "", 200, ""); strings.Contains(answer, "unheard") {
			t.Errorf("%s answers %s", what, answer)
		}
	}
	if answer := ts.want(alice, "GET", readings(room, id)["messages"], "", 200, ""); !strings.Contains(answer, `"name":"state"`) {
		t.Errorf("the state that an ignored user set is missing in %s", answer)
	}
}

// TestErased shows what somebody wrote who asked for erasure only to those who were there.
func TestErased(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob)
	id := say(t, bob, room, "written by bob")
	relate(t, bob, room, id, "m.replace", "edited by bob")
	_, err := carol.Join(t.Context(), string(room))
	must(t, err)
	must(t, ts.api.Accounts.Deactivate(t.Context(), bob.User, true))
	for _, what := range []string{"messages", "context", "event", "relations"} {
		path := readings(room, id)[what]
		if answer := ts.want(carol, "GET", path, "", 200, ""); strings.Contains(answer, "by bob") {
			t.Errorf("%s answers one who came later %s", what, answer)
		}
		if answer := ts.want(alice, "GET", path, "", 200, ""); !strings.Contains(answer, "by bob") {
			t.Errorf("%s answers one who was there %s", what, answer)
		}
	}
	first := joined(t, follow(t, carol, "").next(), room)
	for _, text := range brief(first.Timeline.Events) {
		if strings.Contains(text, "by bob") {
			t.Errorf("a sync shows %q", text)
		}
	}
}
