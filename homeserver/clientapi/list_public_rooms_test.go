package clientapi

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// visible fails the test unless the directory shows the room as visibility says.
func (ts *testServer) visible(room matrix.RoomID, visibility string) {
	ts.t.Helper()
	if got, err := ts.anonymous().Visibility(ts.t.Context(), room); err != nil || got != visibility {
		ts.t.Errorf("the directory says %q of room %s, want %q: %v", got, room, visibility, err)
	}
}

// spec: client-server-api#put_matrixclientv3directorylistroomroomid
func TestVisibility(t *testing.T) {
	c := newTrio(t, `{"visibility":"public"}`)
	c.visible(c.room, "public")
	c.visible(c.createRoom(c.alice, `{"preset":"public_chat"}`), "private")
	c.visible(c.createRoom(c.alice, `{"preset":"public_chat","visibility":"private"}`), "private")
	path := wire.Path(v3+"/directory/list/room", string(c.room))
	for _, visibility := range []string{"private", "private", "public"} {
		must(t, c.alice.SetVisibility(t.Context(), c.room, visibility))
		c.visible(c.room, visibility)
	}
	must(t, c.alice.SetVisibility(t.Context(), c.room, "private"))
	c.want(c.alice, "PUT", path, `{}`, 200, "") // public is the default
	c.visible(c.room, "public")

	// Who may change the main alias may publish, and administrators.
	wantError(t, c.bob.SetVisibility(t.Context(), c.room, "private"), 403, matrix.MForbidden)
	wantError(t, c.carol.SetVisibility(t.Context(), c.room, "private"), 403, matrix.MForbidden)
	c.visible(c.room, "public")
	c.put(c.alice, "m.room.power_levels", "", `{"users":{"@bob:here.example":50}}`, 200, "")
	must(t, c.bob.SetVisibility(t.Context(), c.room, "private"))
	_, err := c.api.Accounts.Create(t.Context(), "admin", password, account.NewUser{Admin: true})
	must(t, err)
	must(t, c.login("admin", "").SetVisibility(t.Context(), c.room, "public"))
	must(t, c.bob.Leave(t.Context(), c.room))
	wantError(t, c.bob.SetVisibility(t.Context(), c.room, "private"), 403, matrix.MForbidden)

	c.want(c.alice, "PUT", path, `{"visibility":"secret"}`, 400, matrix.MBadJSON)
	c.want(c.alice, "PUT", path, `{"visibility":7}`, 400, matrix.MBadJSON)
	c.want(c.alice, "PUT", path, `[]`, 400, matrix.MBadJSON)
	c.want(c.anonymous(), "PUT", path, `{}`, 401, matrix.MMissingToken)
	for _, method := range []string{"GET", "PUT"} {
		c.want(c.alice, method, v3+"/directory/list/room/!unknown:here.example", "", 404, matrix.MNotFound)
		c.want(c.alice, method, v3+"/directory/list/room/nonsense", "", 400, matrix.MInvalidParam)
	}
}

// listed reads all published rooms that a request selects, by pages, as names.
func listed(t testing.TB, c *wire.Client, limit int, filter map[string]any) (names []string) {
	t.Helper()
	in := map[string]any{"limit": limit, "filter": filter}
	for range 50 {
		page, err := c.PublicRooms(t.Context(), in)
		must(t, err)
		for _, r := range page.Chunk {
			names = append(names, r.Name)
		}
		if page.NextBatch == "" {
			if page.Total != int64(len(names)) {
				t.Errorf("%d rooms by the estimate, %d listed", page.Total, len(names))
			}
			return names
		}
		in["since"] = page.NextBatch
	}
	t.Fatal("the pages do not end")
	return nil
}

// spec: client-server-api#post_matrixclientv3publicrooms
func TestPublicRooms(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	publish := func(c *wire.Client, r wire.CreateRoom, members ...*wire.Client) matrix.RoomID {
		t.Helper()
		r.Visibility = "public"
		room, err := c.CreateRoom(t.Context(), r)
		must(t, err)
		for _, m := range members {
			_, err := m.Join(t.Context(), string(room))
			must(t, err)
		}
		return room
	}
	want := func(what string, c *wire.Client, filter map[string]any, names ...string) {
		t.Helper()
		for _, limit := range []int{1, 2, 0} {
			if got := listed(t, c, limit, filter); !slices.Equal(got, append([]string(nil), names...)) {
				t.Errorf("%s by %d: %q, want %q", what, limit, got, names)
			}
		}
	}
	want("none", alice, nil)
	small := publish(alice, wire.CreateRoom{Name: "Small", Topic: "Ünïcode café"})
	large := publish(alice, wire.CreateRoom{Name: "Large", AliasName: "large"}, bob, carol)
	publish(bob, wire.CreateRoom{Name: "Space", CreationContent: map[string]string{"type": "m.space"}}, alice)
	publish(bob, wire.CreateRoom{Name: "Closed", Preset: "private_chat"})
	hidden := named(t, alice, "Unpublished")
	want("all", carol, nil, "Large", "Space", "Small")
	for term, names := range map[string][]string{
		"LARG": {"Large"}, "cafe": {"Small"}, "unicode": {"Small"}, "#large:here": {"Large"}, " space ": {"Space"}, "nothing": nil, "Closed": nil,
	} {
		want(term, carol, map[string]any{"generic_search_term": term}, names...)
	}
	want("spaces", carol, map[string]any{"room_types": []any{"m.space"}}, "Space")
	want("rooms", carol, map[string]any{"room_types": []any{nil}}, "Large", "Small")
	want("both", carol, map[string]any{"room_types": []any{nil, "m.space", "x"}}, "Large", "Space", "Small")
	want("no types", carol, map[string]any{"room_types": []any{}}, "Large", "Space", "Small")

	// What changes is seen at once.
	name(t, alice, small, "Smaller")
	must(t, bob.Leave(t.Context(), large))
	must(t, carol.Leave(t.Context(), large))
	want("after changes", carol, nil, "Space", "Smaller", "Large")
	must(t, alice.SetVisibility(t.Context(), hidden, "public"))
	must(t, alice.SetVisibility(t.Context(), large, "private"))
	want("after publishing", carol, nil, "Space", "Smaller", "Unpublished")
	must(t, alice.Leave(t.Context(), hidden))
	want("after all left", carol, nil, "Space", "Smaller")
	id, err := alice.SendState(t.Context(), small, "m.room.topic", "", map[string]string{"topic": "shameful"})
	must(t, err)
	want("a topic", carol, map[string]any{"generic_search_term": "shameful"}, "Smaller")
	_, err = alice.Redact(t.Context(), small, id, "r", "")
	must(t, err)
	want("a redacted topic", carol, map[string]any{"generic_search_term": "shameful"})
	info, err := ts.store.RoomByID(t.Context(), small)
	must(t, err)
	_, err = ts.store.Apply(t.Context(), func(tx *store.Tx) {
		changed := *info
		changed.Deleted = true
		tx.PutRoom(&changed)
		tx.Note(store.Note{Kind: store.KindOther, Room: info.Num})
	})
	must(t, err)
	want("a deleted room", carol, nil, "Space")
}

// TestPublicRoomsBothWays pages forward and back.
func TestPublicRoomsBothWays(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	var names []string
	for i := range 5 {
		names = append(names, fmt.Sprint("room ", i))
		_, err := alice.CreateRoom(t.Context(), wire.CreateRoom{Name: names[i], Visibility: "public"})
		must(t, err)
	}
	get := func(since string) (page wire.PublicRooms, got []string) {
		t.Helper()
		query := url.Values{"limit": {"2"}}
		if since != "" {
			query.Set("since", since)
		}
		must(t, ts.anonymous().Do(t.Context(), "GET", v3+"/publicRooms", query, nil, &page))
		for _, r := range page.Chunk {
			got = append(got, r.Name)
		}
		return page, got
	}
	first, got := get("")
	if !slices.Equal(got, names[:2]) || first.PrevBatch != "" || first.Total != 5 {
		t.Errorf("first page %q, %+v", got, first)
	}
	second, got := get(first.NextBatch)
	if !slices.Equal(got, names[2:4]) || second.PrevBatch == "" {
		t.Errorf("second page %q", got)
	}
	third, got := get(second.NextBatch)
	if !slices.Equal(got, names[4:]) || third.NextBatch != "" {
		t.Errorf("third page %q, next %q", got, third.NextBatch)
	}
	back, got := get(third.PrevBatch)
	if !slices.Equal(got, names[2:4]) || back.NextBatch != second.NextBatch {
		t.Errorf("back %q", got)
	}
	back, got = get(back.PrevBatch)
	if !slices.Equal(got, names[:2]) || back.PrevBatch != "" {
		t.Errorf("back %q, previous %q", got, back.PrevBatch)
	}
}

func TestPublicRoomsErrors(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	const path = v3 + "/publicRooms"
	for _, query := range []string{"?limit=x", "?limit=-1", "?since=x", "?since=n", "?since=n1", "?since=nx_1", "?since=q1_1", "?server=:"} {
		ts.want(ts.anonymous(), "GET", path+query, "", 400, matrix.MInvalidParam)
	}
	ts.want(ts.anonymous(), "GET", path+"?server=here.example", "", 200, "")
	ts.want(ts.anonymous(), "GET", path+"?server=there.example", "", 403, matrix.MForbidden)
	ts.want(alice, "POST", path+"?server=there.example", "{}", 403, matrix.MForbidden)
	ts.want(ts.anonymous(), "POST", path, "{}", 401, matrix.MMissingToken)
	ts.want(alice, "POST", path, `{"include_all_networks":true}`, 200, "")
	ts.want(alice, "POST", path, `{"third_party_instance_id":"irc"}`, 200, "")
	ts.want(alice, "POST", path, `{"include_all_networks":true,"third_party_instance_id":"irc"}`, 400, matrix.MInvalidParam)
	ts.want(alice, "POST", path, `{"limit":-1}`, 400, matrix.MInvalidParam)
	ts.want(alice, "POST", path, `{"filter":{"room_types":[1]}}`, 400, matrix.MBadJSON)
}
