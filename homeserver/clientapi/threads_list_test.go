package clientapi

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// threadPages reads a room's threads by pages of 2.
func threadPages(t testing.TB, c *wire.Client, room matrix.RoomID, include string) (all []wire.Event) {
	t.Helper()
	query := url.Values{"limit": {"2"}, "include": {include}}
	for range 20 {
		page, err := c.Threads(t.Context(), room, query)
		must(t, err)
		all = append(all, page.Chunk...)
		if page.NextBatch == "" {
			return all
		}
		query.Set("from", page.NextBatch)
	}
	t.Fatal("the pages do not end")
	return nil
}

// threadOf returns what a root says of its thread: how many, the last one's body, whether the reader takes part.
func threadOf(e wire.Event) string {
	count, _ := matrix.IntField(e.Unsigned, "m.relations", "m.thread", "count")
	last, _ := matrix.StringField(e.Unsigned, "m.relations", "m.thread", "latest_event", "content", "body")
	mine, _ := matrix.BoolField(e.Unsigned, "m.relations", "m.thread", "current_user_participated")
	return fmt.Sprintf("%d %s %v", count, last, mine)
}

func threadsPath(room matrix.RoomID) string {
	return wire.Path("/_matrix/client/v1/rooms", string(room), "threads")
}

func TestThreads(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	none, err := alice.Threads(t.Context(), room, nil)
	must(t, err)
	wantBrief(t, "none", none.Chunk)
	var roots []matrix.EventID
	for i := range 5 {
		roots = append(roots, say(t, alice, room, fmt.Sprint("root ", i)))
	}
	for i, root := range roots {
		relate(t, bob, room, root, "m.thread", fmt.Sprint("first ", i))
	}
	wantBrief(t, "all", threadPages(t, bob, room, "all"), "root 4", "root 3", "root 2", "root 1", "root 0")
	second := relate(t, alice, room, roots[1], "m.thread", "second 1")
	say(t, alice, room, "elsewhere")
	all := threadPages(t, alice, room, "")
	wantBrief(t, "by the newest reply", all, "root 1", "root 4", "root 3", "root 2", "root 0")
	if got := threadOf(all[0]); got != "2 second 1 true" {
		t.Errorf("the thread is %s", got)
	}
	carol := ts.register("carol")
	_, err = carol.Join(t.Context(), string(room))
	must(t, err)
	wantBrief(t, "where carol takes part", threadPages(t, carol, room, "participated"))
	relate(t, carol, room, roots[3], "m.thread", "of carol")
	relate(t, carol, room, roots[0], "m.thread", "of carol too")
	own := threadPages(t, carol, room, "participated")
	wantBrief(t, "where carol takes part", own, "root 0", "root 3")
	if got := threadOf(own[1]); got != "2 of carol true" {
		t.Errorf("the thread is %s", got)
	}
	if got := threadOf(threadPages(t, carol, room, "all")[2]); got != "2 second 1 false" {
		t.Errorf("the thread is %s", got)
	}
	_, err = alice.Redact(t.Context(), room, second, "r", "")
	must(t, err)
	wantBrief(t, "after a redaction", threadPages(t, alice, room, "all"), "root 0", "root 3", "root 4", "root 2", "root 1")
	_, err = alice.Redact(t.Context(), room, roots[4], "r2", "")
	must(t, err)
	all = threadPages(t, alice, room, "all")
	if got := threadOf(all[2]); got != "1 first 4 true" {
		t.Errorf("the thread of a redacted root is %s", got)
	}
	edit := map[string]any{
		"msgtype": "m.text", "body": "* x", "m.new_content": map[string]string{"msgtype": "m.text", "body": "edited"},
		"m.relates_to": map[string]any{"rel_type": "m.replace", "event_id": lastOf(t, all[0])},
	}
	_, err = carol.Send(t.Context(), room, "m.room.message", "edit", edit)
	must(t, err)
	answer := ts.want(alice, "GET", threadsPath(room)+"?limit=1", "", 200, "")
	if !strings.Contains(answer, `"latest_event":{`) || !strings.Contains(answer, `"body":"edited"`) {
		t.Errorf("the newest event of a thread comes without its edit: %s", answer)
	}
}

func lastOf(t testing.TB, root wire.Event) matrix.EventID {
	t.Helper()
	id, ok := matrix.StringField(root.Unsigned, "m.relations", "m.thread", "latest_event", "event_id")
	if !ok {
		t.Fatalf("no thread in %s", root.Unsigned)
	}
	return matrix.EventID(id)
}

func TestThreadsErrors(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice)
	for _, query := range []string{"?include=x", "?limit=0", "?limit=x", "?from=x", "?from=t"} {
		ts.want(alice, "GET", threadsPath(room)+query, "", 400, matrix.MInvalidParam)
	}
	ts.want(bob, "GET", threadsPath(room), "", 403, matrix.MForbidden)
	ts.want(bob, "GET", threadsPath("!no:here.example"), "", 403, matrix.MForbidden)
	ts.want(bob, "GET", threadsPath("no"), "", 400, matrix.MInvalidParam)
}

// TestThreadsOfOneWhoLeft are as they were then.
func TestThreadsOfOneWhoLeft(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	one, two, three := say(t, alice, room, "one"), say(t, alice, room, "two"), say(t, alice, room, "three")
	relate(t, bob, room, one, "m.thread", "old one")
	relate(t, alice, room, two, "m.thread", "old two")
	must(t, bob.Leave(t.Context(), room))
	relate(t, alice, room, one, "m.thread", "secret")
	relate(t, alice, room, one, "m.thread", "secret too")
	relate(t, alice, room, three, "m.thread", "secret thread")
	got := threadPages(t, bob, room, "all")
	wantBrief(t, "of one who left", got, "two", "one")
	if a, b := threadOf(got[0]), threadOf(got[1]); a != "1 old two false" || b != "1 old one true" {
		t.Errorf("the threads are %q and %q", a, b)
	}
	if answer := ts.want(bob, "GET", threadsPath(room), "", 200, ""); strings.Contains(answer, "secret") {
		t.Errorf("one who left reads %s", answer)
	}
	wantBrief(t, "participated", threadPages(t, bob, room, "participated"), "one")
	wantBrief(t, "of a member", threadPages(t, alice, room, "all"), "three", "one", "two")
}

// TestThreadsOfIgnored: a root is shown empty, the newest reply is that of another.
func TestThreadsOfIgnored(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob, carol)
	root := say(t, bob, room, "root of bob")
	relate(t, carol, room, root, "m.thread", "of carol")
	relate(t, bob, room, root, "m.thread", "of bob")
	relate(t, bob, room, root, "m.replace", "edit of bob")
	relate(t, bob, room, say(t, carol, room, "root of carol"), "m.thread", "alone")
	must(t, alice.Ignore(t.Context(), bob.User))
	answer := ts.want(alice, "GET", threadsPath(room), "", 200, "")
	if strings.Contains(answer, "of bob") || strings.Contains(answer, "alone") || strings.Contains(answer, "redacted_because") {
		t.Errorf("who ignores reads %s", answer)
	}
	page, err := alice.Threads(t.Context(), room, nil)
	must(t, err)
	if got := threadOf(page.Chunk[1]); page.Chunk[1].ID != root || got != "1 of carol false" {
		t.Errorf("the thread is %s in %s", got, answer)
	}
	// The replies of others to it can be read, itself not.
	replies, err := alice.Relations(t.Context(), room, root, "m.thread", "", nil)
	must(t, err)
	wantBrief(t, "replies", replies.Chunk, "of carol")
	ts.want(alice, "GET", wire.RoomPath(room, "event", string(root)), "", 404, matrix.MNotFound)
}
