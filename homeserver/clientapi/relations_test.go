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

// relate sends an event that relates to another.
func relate(t testing.TB, c *wire.Client, room matrix.RoomID, parent matrix.EventID, rel, text string) matrix.EventID {
	t.Helper()
	id, err := c.Send(t.Context(), room, "m.room.message", "relate "+text, map[string]any{
		"msgtype": "m.text", "body": text, "m.new_content": map[string]string{"msgtype": "m.text", "body": text},
		"m.relates_to": map[string]string{"rel_type": rel, "event_id": string(parent)},
	})
	must(t, err)
	return id
}

func TestRelationsPages(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	room := conversation(t, alice)
	parent := say(t, alice, room, "parent")
	var want []string
	for i := range 7 {
		want = append(want, fmt.Sprint("child ", i))
		relate(t, alice, room, parent, "m.reference", want[i])
		say(t, alice, room, fmt.Sprint("between ", i))
	}
	for _, dir := range []string{"f", "b"} {
		var all []wire.Event
		for from, n := "", 0; n < 10; n++ {
			query := url.Values{"dir": {dir}, "limit": {"3"}}
			if from != "" {
				query.Set("from", from)
			}
			page, err := alice.Relations(t.Context(), room, parent, "m.reference", "m.room.message", query)
			must(t, err)
			all = append(all, page.Chunk...)
			if from = page.NextBatch; from == "" {
				break
			}
		}
		wantBrief(t, dir, all, want...)
		slices.Reverse(want)
	}
	none, err := alice.Relations(t.Context(), room, parent, "m.thread", "", nil)
	must(t, err)
	wantBrief(t, "another type", none.Chunk)
}

// TestRelationsBehindHiddenOnes pages past children that one who joined later may not see.
func TestRelationsBehindHiddenOnes(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	parent := say(t, alice, room, "parent")
	for i := range 4 {
		relate(t, alice, room, parent, "m.reference", fmt.Sprint("seen ", i))
	}
	visibility(t, alice, room, "joined")
	must(t, bob.Leave(t.Context(), room))
	relate(t, alice, room, parent, "m.reference", "hidden")
	_, err := bob.Join(t.Context(), string(room))
	must(t, err)
	var all []wire.Event
	for from, n := "", 0; n < 5; n++ {
		query := url.Values{"limit": {"2"}}
		if from != "" {
			query.Set("from", from)
		}
		page, err := bob.Relations(t.Context(), room, parent, "", "", query)
		must(t, err)
		all = append(all, page.Chunk...)
		if from = page.NextBatch; from == "" {
			break
		}
	}
	wantBrief(t, "what bob sees", all, "seen 3", "seen 2", "seen 1", "seen 0")
}

// TestRelationsRecursively follows relations to relations, only through those that the filter selects, and not for ever.
func TestRelationsRecursively(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	room := conversation(t, alice)
	parent := say(t, alice, room, "parent")
	one := relate(t, alice, room, parent, "x.y", "1")
	relate(t, alice, room, parent, "m.thread", "1b")
	two := relate(t, alice, room, one, "x.y", "2")
	relate(t, alice, room, one, "m.reference", "2b")
	three := relate(t, alice, room, two, "x.y", "3")
	relate(t, alice, room, three, "x.y", "4")
	read := func(rel string, query url.Values) (all []wire.Event) {
		t.Helper()
		for range 10 {
			page, err := alice.Relations(t.Context(), room, parent, rel, "", query)
			must(t, err)
			all = append(all, page.Chunk...)
			if page.PrevBatch != query.Get("from") {
				t.Errorf("prev_batch %q, want %q", page.PrevBatch, query.Get("from"))
			}
			if page.NextBatch == "" {
				return all
			}
			query.Set("from", page.NextBatch)
		}
		t.Fatal("the pages do not end")
		return nil
	}
	wantBrief(t, "all", read("", url.Values{"recurse": {"true"}, "limit": {"2"}}), "3", "2b", "2", "1b", "1")
	wantBrief(t, "forward", read("", url.Values{"recurse": {"true"}, "dir": {"f"}, "limit": {"2"}}), "1", "1b", "2", "2b", "3")
	wantBrief(t, "of a type", read("x.y", url.Values{"recurse": {"true"}}), "3", "2", "1")
	wantBrief(t, "not through others", read("m.reference", url.Values{"recurse": {"true"}}))
	wantBrief(t, "directly", read("", url.Values{"recurse": {"false"}}), "1b", "1")
	path := wire.Path("/_matrix/client/v1/rooms/"+url.PathEscape(string(room))+"/relations", string(parent))
	for query, want := range map[string]string{"": "", "?recurse=true": `"recursion_depth":3`, "?recurse=false": `"recursion_depth":1`} {
		answer := ts.want(alice, "GET", path+query, "", 200, "")
		if strings.Contains(answer, "recursion_depth") != (want != "") || !strings.Contains(answer, want) {
			t.Errorf("%q answers %s", query, answer)
		}
	}
}

// TestRelationsBetweenTokens reads between the tokens of a sync and of messages.
func TestRelationsBetweenTokens(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	room := conversation(t, alice)
	parent := say(t, alice, room, "parent")
	relate(t, alice, room, parent, "m.reference", "1")
	f := follow(t, alice, "")
	f.next()
	relate(t, alice, room, parent, "m.reference", "2")
	page, err := alice.Messages(t.Context(), room, "b", "", 1)
	must(t, err)
	relate(t, alice, room, parent, "m.reference", "3")
	for _, c := range []struct {
		query url.Values
		want  []string
	}{
		{url.Values{"from": {page.Start}}, []string{"2", "1"}},
		{url.Values{"from": {page.Start}, "to": {f.since}}, []string{"2"}},
		{url.Values{"to": {page.Start}}, []string{"3"}},
		{url.Values{"dir": {"f"}, "from": {f.since}}, []string{"2", "3"}},
		{url.Values{"dir": {"f"}, "from": {f.since}, "to": {page.Start}}, []string{"2"}},
		{url.Values{"from": {f.since}, "to": {page.Start}}, nil},
	} {
		got, err := alice.Relations(t.Context(), room, parent, "", "", c.query)
		must(t, err)
		wantBrief(t, c.query.Encode(), got.Chunk, c.want...)
	}
}

func TestRelationsErrors(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice)
	parent := say(t, alice, room, "parent")
	path := wire.Path("/_matrix/client/v1/rooms/"+url.PathEscape(string(room))+"/relations", string(parent))
	ts.want(alice, "GET", path+"?dir=x", "", 400, matrix.MInvalidParam)
	ts.want(alice, "GET", path+"?from=nonsense", "", 400, matrix.MInvalidParam)
	ts.want(alice, "GET", path+"?limit=-1", "", 400, matrix.MInvalidParam)
	ts.want(alice, "GET", path+"?recurse=true", "", 200, "")
	ts.want(bob, "GET", path, "", 403, matrix.MForbidden)
	other := conversation(t, bob)
	ts.want(bob, "GET", wire.Path("/_matrix/client/v1/rooms/"+url.PathEscape(string(other))+"/relations", string(parent)), "", 404, matrix.MNotFound)
}
