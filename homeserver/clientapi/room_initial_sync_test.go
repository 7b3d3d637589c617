package clientapi

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

func TestRoomInitialSync(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	for i := range 12 {
		say(t, alice, room, fmt.Sprint(i))
	}
	must(t, alice.SetAccountData(t.Context(), room, "x.y", []byte(`{"a":1}`)))
	must(t, alice.SetAccountData(t.Context(), "", "x.z", []byte(`{"a":1}`)))
	info, err := alice.InitialSync(t.Context(), room)
	must(t, err)
	if info.RoomID != room || info.Membership != "join" || info.Visibility != "private" || len(info.AccountData) != 1 || info.AccountData[0].Type != "x.y" {
		t.Errorf("got %+v", info)
	}
	wantBrief(t, "messages", info.Messages.Chunk, "2", "3", "4", "5", "6", "7", "8", "9", "10", "11")
	if got := strings.Join(brief(info.State), " "); !strings.Contains(got, "create") || !strings.Contains(got, "@bob join") {
		t.Errorf("state %s", got)
	}
	back, err := alice.Messages(t.Context(), room, "b", info.Messages.Start, 2)
	must(t, err)
	wantBrief(t, "before the start", back.Chunk, "1", "0")
	name(t, alice, room, "later")
	on, err := alice.Messages(t.Context(), room, "f", info.Messages.End, 5)
	must(t, err)
	wantBrief(t, "behind the end", on.Chunk, "name later")
	must(t, bob.Leave(t.Context(), room))
	say(t, alice, room, "secret")
	name(t, alice, room, "secret")
	info, err = bob.InitialSync(t.Context(), room)
	must(t, err)
	if got := strings.Join(append(brief(info.State), brief(info.Messages.Chunk)...), " "); info.Membership != "leave" || strings.Contains(got, "secret") || !strings.Contains(got, "name later") {
		t.Errorf("one who left reads %s as %q", got, info.Membership)
	}
	must(t, alice.SetVisibility(t.Context(), room, "public"))
	carol := ts.register("carol")
	path := wire.RoomPath(room, "initialSync")
	ts.want(carol, "GET", path, "", 403, matrix.MForbidden)
	visibility(t, alice, room, "world_readable")
	say(t, alice, room, "seen")
	info, err = carol.InitialSync(t.Context(), room)
	must(t, err)
	if info.Membership != "" || info.Visibility != "public" {
		t.Errorf("a stranger reads %+v", info)
	}
	wantBrief(t, "what a stranger reads", info.Messages.Chunk, "history_visibility", "seen")
	ts.want(carol, "GET", wire.RoomPath("!no:here.example", "initialSync"), "", 403, matrix.MForbidden)
	ts.want(carol, "GET", path+"?limit=x", "", 400, matrix.MInvalidParam)
}

// listening asks for events.
func listening(t testing.TB, c *wire.Client, query url.Values) (chunk []wire.Event, end string) {
	t.Helper()
	var out struct {
		Chunk []wire.Event `json:"chunk"`
		Start string       `json:"start"`
		End   string       `json:"end"`
	}
	must(t, c.Do(t.Context(), "GET", v3+"/events", query, nil, &out))
	return out.Chunk, out.End
}

// TestPeekingEvents follows a room that is readable by the world, without being in it.
func TestPeekingEvents(t *testing.T) {
	ts := newServer(t)
	alice, carol := ts.register("alice"), ts.register("carol")
	room := conversation(t, alice)
	other := conversation(t, alice)
	visibility(t, alice, room, "world_readable")
	info, err := carol.InitialSync(t.Context(), room)
	must(t, err)
	query := url.Values{"room_id": {string(room)}, "from": {info.Messages.End}, "timeout": {"0"}}
	chunk, end := listening(t, carol, query)
	wantBrief(t, "nothing new", chunk)
	say(t, alice, other, "elsewhere")
	say(t, alice, room, "one")
	say(t, alice, room, "two")
	query.Set("from", end)
	chunk, end = listening(t, carol, query)
	wantBrief(t, "what is new", chunk, "one", "two")
	if len(chunk) > 0 && chunk[0].RoomID != room {
		t.Errorf("an event without its room: %+v", chunk[0])
	}
	// It waits until there is something.
	query.Set("from", end)
	query.Set("timeout", "60000")
	type answer struct {
		chunk []wire.Event
		end   string
	}
	got := make(chan answer, 1)
	go func() {
		chunk, end := listening(t, carol, query)
		got <- answer{chunk, end}
	}()
	say(t, alice, other, "elsewhere again")
	say(t, alice, room, "three")
	a := <-got
	wantBrief(t, "after waiting", a.chunk, "three")
	visibility(t, alice, room, "shared")
	say(t, alice, room, "hidden")
	ts.want(carol, "GET", v3+"/events?"+url.Values{"room_id": {string(room)}, "from": {a.end}, "timeout": {"0"}}.Encode(), "", 403, matrix.MForbidden)
	for _, q := range []string{"from=x", "from=t5", "from=s", "timeout=x", "timeout=-1", "room_id=x"} {
		ts.want(carol, "GET", v3+"/events?"+q, "", 400, matrix.MInvalidParam)
	}
	ts.want(ts.anonymous(), "GET", v3+"/events", "", 401, matrix.MMissingToken)
}

// TestEventsOfOwnRooms tells of all rooms that the user has to do with, and of no others.
func TestEventsOfOwnRooms(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	_, from := listening(t, bob, url.Values{"timeout": {"0"}})
	one, foreign := conversation(t, alice), conversation(t, alice)
	visibility(t, alice, foreign, "world_readable")
	say(t, alice, foreign, "foreign")
	must(t, alice.Invite(t.Context(), one, bob.User))
	read := func() []wire.Event {
		t.Helper()
		chunk, end := listening(t, bob, url.Values{"timeout": {"0"}, "from": {from}})
		from = end
		return chunk
	}
	wantBrief(t, "an invite", read(), "@bob invite")
	_, err := bob.Join(t.Context(), string(one))
	must(t, err)
	say(t, alice, one, "within")
	wantBrief(t, "a room", read(), "@bob join", "within")
	must(t, alice.Kick(t.Context(), one, bob.User, ""))
	say(t, alice, one, "secret")
	wantBrief(t, "the end", read(), "@bob leave")
	wantBrief(t, "nothing more", read())
}

func TestOldInitialSync(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	one, two, gone, none := conversation(t, alice, bob), conversation(t, alice), conversation(t, alice, bob), conversation(t, alice)
	must(t, alice.Invite(t.Context(), two, bob.User))
	must(t, bob.Leave(t.Context(), gone))
	must(t, bob.SetAccountData(t.Context(), "", "x.y", []byte(`{}`)))
	must(t, bob.SetAccountData(t.Context(), one, "x.z", []byte(`{}`)))
	id := say(t, alice, none, "secret")
	seen := say(t, alice, one, "seen")
	var out struct {
		End   string `json:"end"`
		Rooms []struct {
			wire.RoomInfo
			Inviter matrix.UserID `json:"inviter"`
			Invite  wire.Event    `json:"invite"`
		} `json:"rooms"`
		AccountData []wire.Event `json:"account_data"`
	}
	must(t, bob.Do(t.Context(), "GET", v3+"/initialSync", url.Values{"limit": {"1"}}, nil, &out))
	if len(out.Rooms) != 2 || out.Rooms[0].RoomID != one || out.Rooms[1].RoomID != two || out.Rooms[1].Inviter != alice.User || out.Rooms[1].Invite.Type != "m.room.member" ||
		len(out.AccountData) != 1 || len(out.Rooms[0].AccountData) != 1 {
		t.Errorf("got %+v", out)
	}
	wantBrief(t, "messages", out.Rooms[0].Messages.Chunk, "seen")
	if chunk, _ := listening(t, bob, url.Values{"from": {out.End}, "timeout": {"0"}}); len(chunk) > 0 {
		t.Errorf("new since is %q", brief(chunk))
	}
	must(t, bob.Do(t.Context(), "GET", v3+"/initialSync", url.Values{"archived": {"true"}}, nil, &out))
	if len(out.Rooms) != 3 {
		t.Errorf("%d rooms, want that which was left too", len(out.Rooms))
	}
	must(t, alice.Ignore(t.Context(), bob.User))
	ts.want(bob, "GET", wire.Path(v3+"/events", string(seen)), "", 200, "")
	ts.want(bob, "GET", wire.Path(v3+"/events", string(id)), "", 404, matrix.MNotFound)
	ts.want(bob, "GET", wire.Path(v3+"/events", "$no"), "", 404, matrix.MNotFound)
	ts.want(bob, "GET", v3+"/initialSync?archived=x", "", 400, matrix.MInvalidParam)
}
