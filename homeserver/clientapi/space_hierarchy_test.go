package clientapi

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// space makes a space that anybody may join.
func space(t testing.TB, c *wire.Client, name string) matrix.RoomID {
	t.Helper()
	room, err := c.CreateRoom(t.Context(), wire.CreateRoom{Preset: "public_chat", Name: name, CreationContent: map[string]string{"type": "m.space"}})
	must(t, err)
	return room
}

func named(t testing.TB, c *wire.Client, name string) matrix.RoomID {
	t.Helper()
	room, err := c.CreateRoom(t.Context(), wire.CreateRoom{Preset: "public_chat", Name: name})
	must(t, err)
	return room
}

// holds puts a room into a space; content is added to that of the event.
func holds(t testing.TB, c *wire.Client, space, room matrix.RoomID, content map[string]any) {
	t.Helper()
	all := map[string]any{"via": []string{"here.example"}}
	for k, v := range content {
		all[k] = v
	}
	_, err := c.SendState(t.Context(), space, "m.space.child", string(room), all)
	must(t, err)
}

// tree reads a whole hierarchy by pages, as names.
func tree(t testing.TB, c *wire.Client, room matrix.RoomID, limit string, query url.Values) (names []string) {
	t.Helper()
	q := url.Values{"limit": {limit}}
	for k, v := range query {
		q[k] = v
	}
	for range 100 {
		page, err := c.Hierarchy(t.Context(), room, q)
		must(t, err)
		for _, r := range page.Rooms {
			names = append(names, r.Name)
		}
		if page.NextBatch == "" {
			return names
		}
		q.Set("from", page.NextBatch)
	}
	t.Fatal("the pages do not end")
	return nil
}

func wantTree(t testing.TB, what string, got []string, want string) {
	t.Helper()
	if s := strings.Join(got, " "); s != want {
		t.Errorf("%s: %s, want %s", what, s, want)
	}
}

func TestHierarchy(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	root, sub := space(t, alice, "root"), space(t, alice, "sub")
	var rooms []matrix.RoomID
	for i := range 5 {
		rooms = append(rooms, named(t, alice, fmt.Sprint("r", i)))
	}
	holds(t, alice, root, rooms[3], nil)
	holds(t, alice, root, rooms[2], map[string]any{"order": "é"}) // no order that counts
	holds(t, alice, root, rooms[1], map[string]any{"order": "b", "suggested": true})
	holds(t, alice, root, sub, map[string]any{"order": "a", "suggested": true})
	holds(t, alice, root, rooms[4], map[string]any{"via": []string{}})
	holds(t, alice, root, "!unknown:there.example", nil)
	_, err := alice.SendState(t.Context(), root, "m.space.child", "no room", map[string]any{"via": []string{"x"}})
	must(t, err)
	holds(t, alice, sub, rooms[0], nil)
	holds(t, alice, sub, root, map[string]any{"suggested": true}) // a circle
	holds(t, alice, sub, rooms[3], nil)
	holds(t, alice, rooms[0], rooms[4], nil) // an ordinary room holds nothing
	for _, limit := range []string{"1", "2", "50"} {
		wantTree(t, "all by "+limit, tree(t, bob, root, limit, nil), "root sub r0 r3 r1 r2")
		wantTree(t, "suggested by "+limit, tree(t, bob, root, limit, url.Values{"suggested_only": {"true"}}), "root sub r1")
		wantTree(t, "flat by "+limit, tree(t, bob, root, limit, url.Values{"max_depth": {"1"}}), "root sub r1 r3 r2")
	}
	wantTree(t, "alone", tree(t, bob, root, "5", url.Values{"max_depth": {"0"}}), "root")
	page, err := bob.Hierarchy(t.Context(), root, nil)
	must(t, err)
	var keys []string
	for _, c := range page.Rooms[0].Children {
		if c.Type != "m.space.child" || c.Sender != alice.User || c.OriginServerTS == 0 || c.ID != "" {
			t.Errorf("a child is %+v", c)
		}
		keys = append(keys, *c.StateKey)
	}
	if want := []string{string(sub), string(rooms[1]), string(rooms[3]), string(rooms[2]), "!unknown:there.example"}; !slices.Equal(keys, want) {
		t.Errorf("children %q, want %q", keys, want)
	}
	if r := page.Rooms[2]; len(r.Children) != 0 || r.JoinRule != "public" || r.Version == "" || r.Joined != 1 {
		t.Errorf("a room is %+v", r)
	}
}

// TestHierarchyShowsWhatOneMaySee leaves out the rooms that the user may not see, and what they hold.
func TestHierarchyShowsWhatOneMaySee(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	root := space(t, alice, "root")
	hidden, err := alice.CreateRoom(t.Context(), wire.CreateRoom{Preset: "private_chat", Name: "hidden", CreationContent: map[string]string{"type": "m.space"}})
	must(t, err)
	closed := restricted(t, alice, "restricted", root)
	name(t, alice, closed, "members'")
	knock := restricted(t, alice, "knock_restricted", root)
	name(t, alice, knock, "knock")
	shown, err := alice.CreateRoom(t.Context(), wire.CreateRoom{Preset: "private_chat", Name: "shown"})
	must(t, err)
	visibility(t, alice, shown, "world_readable")
	for _, room := range []matrix.RoomID{hidden, closed, knock, shown} {
		holds(t, alice, root, room, nil)
	}
	inside := named(t, alice, "inside")
	holds(t, alice, hidden, inside, nil)
	wantTree(t, "who made it", tree(t, alice, root, "50", nil), "root hidden inside members' knock shown")
	wantTree(t, "a stranger", tree(t, bob, root, "50", nil), "root knock shown")
	_, err = bob.Join(t.Context(), string(root))
	must(t, err)
	wantTree(t, "a member", tree(t, bob, root, "50", nil), "root members' knock shown")
	must(t, alice.Invite(t.Context(), hidden, bob.User))
	wantTree(t, "one invited", tree(t, bob, root, "50", nil), "root hidden inside members' knock shown")
	must(t, bob.Leave(t.Context(), hidden))
	must(t, bob.Leave(t.Context(), root))
	wantTree(t, "who left", tree(t, bob, root, "50", nil), "root knock shown")
	info, err := ts.store.RoomByID(t.Context(), shown)
	must(t, err)
	_, err = ts.store.Apply(t.Context(), func(tx *store.Tx) {
		changed := *info
		changed.Deleted = true
		tx.PutRoom(&changed)
	})
	must(t, err)
	wantTree(t, "what was deleted", tree(t, bob, root, "50", nil), "root knock")
	path := func(room matrix.RoomID) string {
		return wire.Path("/_matrix/client/v1/rooms", string(room), "hierarchy")
	}
	ts.want(carol, "GET", path(hidden), "", 403, matrix.MForbidden)
	ts.want(carol, "GET", path("!no:here.example"), "", 403, matrix.MForbidden)
	ts.want(carol, "GET", path("no"), "", 400, matrix.MInvalidParam)
	ts.want(ts.anonymous(), "GET", path(root), "", 401, matrix.MMissingToken)
}

func TestHierarchyTokens(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	root, other := space(t, alice, "root"), space(t, alice, "other")
	holds(t, alice, root, other, nil)
	holds(t, alice, other, named(t, alice, "third"), nil)
	first, err := alice.Hierarchy(t.Context(), root, url.Values{"limit": {"1"}, "max_depth": {"7"}})
	must(t, err)
	path := func(room matrix.RoomID, query string) string {
		return wire.Path("/_matrix/client/v1/rooms", string(room), "hierarchy") + "?" + query
	}
	from := "&from=" + url.QueryEscape(first.NextBatch)
	ts.want(alice, "GET", path(root, "max_depth=7&limit=20"+from), "", 200, "")
	for _, query := range []string{"max_depth=8" + from, from, "max_depth=7&suggested_only=true" + from, "from=x", "from=h1", "limit=0", "limit=x", "max_depth=-1", "suggested_only=x"} {
		ts.want(alice, "GET", path(root, query), "", 400, matrix.MInvalidParam)
	}
	ts.want(alice, "GET", path(other, "max_depth=7"+from), "", 400, matrix.MInvalidParam)
}
