package clientapi

import (
	"fmt"
	"net/url"
	"slices"
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
