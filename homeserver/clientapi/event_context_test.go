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

func TestContext(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	room := conversation(t, alice)
	var ids []matrix.EventID
	for i := range 9 {
		ids = append(ids, say(t, alice, room, fmt.Sprint(i)))
	}
	name(t, alice, room, "later")
	c, err := alice.Context(t.Context(), room, ids[4], 4)
	must(t, err)
	wantBrief(t, "the event", []wire.Event{c.Event}, "4")
	wantBrief(t, "before", c.Before, "3", "2")
	wantBrief(t, "after", c.After, "5", "6")
	if got := strings.Join(brief(c.State), ","); strings.Contains(got, "later") || !strings.Contains(got, "create") {
		t.Errorf("state %s", got)
	}
	wantBrief(t, "on from the end", pages(t, alice, room, "f", c.End), "7", "8", "name later")
	back := brief(pages(t, alice, room, "b", c.Start))
	if !slices.Equal(back[:2], []string{"1", "0"}) {
		t.Errorf("back from the start: %q", back)
	}
}

func TestContextFiltered(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob, carol)
	name(t, alice, room, "ours")
	say(t, alice, room, "1")
	id := say(t, bob, room, "2")
	say(t, alice, room, "3")
	read := func(filter string) (c wire.EventContext) {
		t.Helper()
		must(t, alice.Do(t.Context(), "GET", wire.RoomPath(room, "context", string(id)), url.Values{"filter": {filter}}, nil, &c))
		return c
	}
	c := read(`{"types":["m.room.message","m.room.name"],"senders":["` + string(alice.User) + `"]}`)
	wantBrief(t, "before", c.Before, "1", "name ours")
	wantBrief(t, "after", c.After, "3")
	wantBrief(t, "the event", []wire.Event{c.Event}, "2")
	wantBrief(t, "state", c.State, "name ours")
	c = read(`{"lazy_load_members":true,"types":["m.room.message"]}`)
	wantSet(t, "state", c.State, "@alice join", "@bob join")
	c = read(`{"not_rooms":["` + string(room) + `"]}`)
	wantBrief(t, "of another room", append(append(c.Before, c.After...), c.State...))
}

// TestContextOfTheWorld shows who was banned of what came later what everybody may see.
func TestContextOfTheWorld(t *testing.T) {
	for visibility, want := range map[string][]string{"world_readable": {"before", "@bob ban", "after", "last"}, "shared": {"before", "@bob ban"}} {
		ts := newServer(t)
		alice, bob := ts.register("alice"), ts.register("bob")
		room := conversation(t, alice, bob)
		_, err := alice.SendState(t.Context(), room, "m.room.history_visibility", "", map[string]string{"history_visibility": visibility})
		must(t, err)
		before := say(t, alice, room, "before")
		must(t, alice.Ban(t.Context(), room, bob.User, ""))
		after := say(t, alice, room, "after")
		say(t, alice, room, "last")
		c, err := bob.Context(t.Context(), room, before, 10)
		must(t, err)
		wantBrief(t, visibility, append([]wire.Event{c.Event}, c.After...), want...)
		if visibility == "shared" {
			ts.want(bob, "GET", wire.RoomPath(room, "context", string(after)), "", 404, matrix.MNotFound)
			ts.want(bob, "GET", "/_matrix/client/v1/rooms/"+string(room)+"/relations/"+string(after), "", 404, matrix.MNotFound)
			continue
		}
		c, err = bob.Context(t.Context(), room, after, 10)
		must(t, err)
		wantBrief(t, "what came later", []wire.Event{c.Event}, "after")
		relate(t, alice, room, after, "m.reference", "later still")
		var page wire.Page
		must(t, bob.Do(t.Context(), "GET", "/_matrix/client/v1/rooms/"+string(room)+"/relations/"+string(after), nil, nil, &page))
		wantBrief(t, "what relates to it", page.Chunk, "later still")
	}
}

func TestContextErrors(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room, other := conversation(t, alice, bob), conversation(t, bob)
	before := say(t, alice, room, "before")
	must(t, bob.Leave(t.Context(), room))
	after := say(t, alice, room, "after")
	path := func(room matrix.RoomID, id matrix.EventID) string { return wire.RoomPath(room, "context", string(id)) }
	ts.want(alice, "GET", path(room, before)+"?limit=0", "", 200, "")
	elsewhere := ts.want(alice, "GET", path(room, before)+"?filter=%7B%22rooms%22:%5B%5D%7D", "", 200, "")
	if !strings.Contains(elsewhere, `"events_before":[]`) {
		t.Errorf("a filter of no rooms gives %s", elsewhere)
	}
	ts.want(alice, "GET", path(room, before)+"?limit=x", "", 400, matrix.MInvalidParam)
	ts.want(alice, "GET", path(room, before)+"?filter=x", "", 400, matrix.MInvalidParam)
	ts.want(alice, "GET", path(other, before), "", 403, matrix.MForbidden)
	ts.want(bob, "GET", path(other, before), "", 404, matrix.MNotFound)
	ts.want(bob, "GET", path(room, after), "", 404, matrix.MNotFound)
	if answer := ts.want(bob, "GET", path(room, before), "", 200, ""); strings.Contains(answer, string(after)) {
		t.Errorf("one who left reads %s", answer)
	}
}
