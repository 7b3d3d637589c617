package clientapi

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// pages reads a room's timeline from a token to its end, by pages of 3.
func pages(t testing.TB, c *wire.Client, room matrix.RoomID, dir, from string) []wire.Event {
	t.Helper()
	var all []wire.Event
	for range 50 {
		page, err := c.Messages(t.Context(), room, dir, from, 3)
		must(t, err)
		all = append(all, page.Chunk...)
		if from = page.End; from == "" {
			return all
		}
	}
	t.Fatal("the pages do not end")
	return nil
}

func TestMessagesCoverAllOnce(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	room := conversation(t, alice)
	for i := range 5 {
		say(t, alice, room, fmt.Sprint("before ", i))
	}
	f := follow(t, alice, limit(2))
	first := joined(t, f.next(), room)
	middle := f.since
	for i := range 5 {
		say(t, alice, room, fmt.Sprint("after ", i))
	}
	forward := brief(pages(t, alice, room, "f", ""))
	backward := brief(pages(t, alice, room, "b", ""))
	slices.Reverse(backward)
	if !slices.Equal(forward, backward) || len(forward) < 15 || forward[0] != "create" || forward[len(forward)-1] != "after 4" {
		t.Errorf("forward %q, backward %q", forward, backward)
	}
	// The tokens of /sync and of /messages name the same places.
	wantBrief(t, "since a sync", pages(t, alice, room, "f", middle), "after 0", "after 1", "after 2", "after 3", "after 4")
	for what, token := range map[string]string{"next_batch": middle, "prev_batch": first.Timeline.PrevBatch} {
		got := brief(pages(t, alice, room, "b", token))
		slices.Reverse(got)
		if got = append(got, brief(pages(t, alice, room, "f", token))...); !slices.Equal(got, forward) {
			t.Errorf("around %s: %q, want %q", what, got, forward)
		}
	}
	page, err := alice.Messages(t.Context(), room, "b", "", 4)
	must(t, err)
	around := append(brief(pages(t, alice, room, "b", page.End)), "|")
	slices.Reverse(around)
	around = append(around[1:], brief(pages(t, alice, room, "f", page.End))...)
	if !slices.Equal(around, forward) {
		t.Errorf("around an end: %q, want %q", around, forward)
	}
}

func TestMessagesFiltered(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	say(t, alice, room, "of alice")
	say(t, bob, room, "of bob")
	for filter, want := range map[string][]string{
		`{"types":["m.room.mess*"]}`: {"of bob", "of alice"}, `{"senders":["` + string(bob.User) + `"],"not_types":["m.room.member"]}`: {"of bob"},
		`{"types":[]}`: nil, `{"not_rooms":["` + string(room) + `"]}`: nil, `{"rooms":["!other:here.example"]}`: nil, `{"types":["m.room.message"],"limit":1}`: {"of bob"},
	} {
		var page wire.Page
		must(t, alice.Do(t.Context(), "GET", wire.RoomPath(room, "messages"), url.Values{"dir": {"b"}, "filter": {filter}}, nil, &page))
		wantBrief(t, filter, page.Chunk, want...)
	}
	var page wire.Page
	lazy := url.Values{"dir": {"b"}, "limit": {"1"}, "filter": {`{"lazy_load_members":true}`}}
	must(t, alice.Do(t.Context(), "GET", wire.RoomPath(room, "messages"), lazy, nil, &page))
	wantBrief(t, "members", page.State, "@bob join")
}

// TestMessagesByRelation selects events by what relates to them.
func TestMessagesByRelation(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	one, two := say(t, alice, room, "one"), say(t, alice, room, "two")
	say(t, alice, room, "three")
	relate(t, bob, room, one, "m.thread", "reply of bob")
	relate(t, alice, room, two, "m.thread", "reply of alice")
	relate(t, alice, room, one, "m.reference", "reference")
	for filter, want := range map[string][]string{
		`{"related_by_rel_types":["m.thread"]}`:                                                    {"two", "one"},
		`{"related_by_rel_types":["m.reference"]}`:                                                 {"one"},
		`{"related_by_senders":["` + string(bob.User) + `"]}`:                                      {"one"},
		`{"related_by_senders":["` + string(bob.User) + `"],"related_by_rel_types":["m.edit"]}`:    nil,
		`{"related_by_senders":[],"related_by_rel_types":[],"types":["m.room.message"],"limit":2}`: {"reference", "reply of alice"},
		`{"rooms":["!other:here.example"]}`:                                                        nil,
		`{"not_rooms":["` + string(room) + `"]}`:                                                   nil,
	} {
		var page wire.Page
		must(t, alice.Do(t.Context(), "GET", wire.RoomPath(room, "messages"), url.Values{"dir": {"b"}, "filter": {filter}}, nil, &page))
		wantBrief(t, filter, page.Chunk, want...)
		if len(want) < 2 && page.End != "" {
			t.Errorf("%s: the pages do not end", filter)
		}
	}
}

// TestMessagesStartAtTheEnd goes on, without a filter, from where a page began whose filter selected little or nothing.
func TestMessagesStartAtTheEnd(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	room := conversation(t, alice)
	say(t, alice, room, "one")
	must(t, alice.Do(t.Context(), "PUT", wire.RoomPath(room, "send", "org.example.other", "1"), nil, map[string]any{}, nil))
	last := say(t, alice, room, "two")
	for _, filter := range []string{`{"contains_url":true}`, `{"types":["org.example.other"]}`, `{"not_rooms":["` + string(room) + `"]}`} {
		var page wire.Page
		query := url.Values{"dir": {"b"}, "filter": {filter}}
		must(t, alice.Do(t.Context(), "GET", wire.RoomPath(room, "messages"), query, nil, &page))
		page, err := alice.Messages(t.Context(), room, "b", page.Start, 1)
		must(t, err)
		if len(page.Chunk) != 1 || page.Chunk[0].ID != last {
			t.Errorf("%s: before the start stands %v", filter, page.Chunk)
		}
	}
}

// TestMessagesMembersOfThen gives who loads members lazily the names that senders had then.
func TestMessagesMembersOfThen(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	say(t, bob, room, "before")
	page, err := alice.Messages(t.Context(), room, "b", "", 1)
	must(t, err)
	must(t, bob.Leave(t.Context(), room))
	query := url.Values{"dir": {"b"}, "limit": {"1"}, "from": {page.Start}, "filter": {`{"lazy_load_members":true}`}}
	must(t, alice.Do(t.Context(), "GET", wire.RoomPath(room, "messages"), query, nil, &page))
	wantBrief(t, "messages", page.Chunk, "before")
	wantBrief(t, "members", page.State, "@bob join")
}

// TestMessagesAmongRejected pages past more events that are shown to nobody than one page reads (threat 7).
func TestMessagesAmongRejected(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	room := conversation(t, alice)
	e, err := ts.store.EventByID(t.Context(), say(t, alice, room, "before"))
	must(t, err)
	for first := range 6 {
		_, err = ts.store.Apply(t.Context(), func(tx *store.Tx) {
			for i := range 1000 {
				bad, body := *e, *e.Event
				body.ID = matrix.EventID(fmt.Sprint("$bad", first, "-", i))
				bad.Event, bad.Order, bad.Rejected, bad.After, bad.Txn = &body, e.Order+store.Order(1+1000*first+i), true, e.Before, ""
				tx.PutEvent(&bad)
			}
		})
		must(t, err)
	}
	var all []wire.Event
	pages := 0
	for from := ""; pages == 0 || from != ""; pages++ {
		page, err := alice.Messages(t.Context(), room, "b", from, 1000)
		must(t, err)
		all = append(all, page.Chunk...)
		from = page.End
	}
	if got := brief(all); pages != 2 || got[0] != "before" || got[len(got)-1] != "create" {
		t.Errorf("%d pages: %q", pages, got)
	}
}

func TestMessagesErrors(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice)
	path := wire.RoomPath(room, "messages")
	ts.want(alice, "GET", path, "", 400, matrix.MMissingParam)
	for _, query := range []string{
		"dir=x", "dir=b&from=x", "dir=b&from=t", "dir=b&from=tx", "dir=b&from=s-1", "dir=b&to=s", "dir=f&from=t9223372036854775808",
		"dir=b&limit=x", "dir=b&limit=-1", "dir=b&filter=x", "dir=b&filter=%7B%22types%22:1%7D",
	} {
		ts.want(alice, "GET", path+"?"+query, "", 400, matrix.MInvalidParam)
	}
	ts.want(bob, "GET", path+"?dir=b", "", 403, matrix.MForbidden)
	ts.want(bob, "GET", wire.RoomPath("!no:here.example", "messages")+"?dir=b", "", 403, matrix.MForbidden)
}

// TestHistoryVisibility compares what each may read of a room in which something is said before they come, while
// they are invited, while they are there and after they went.
func TestHistoryVisibility(t *testing.T) {
	for _, c := range []struct {
		visibility           string
		member, left, banned []string
		stranger             bool
	}{
		{"world_readable", []string{"before", "invited", "within", "after"}, []string{"before", "invited", "within"}, []string{"before", "invited", "within"}, true},
		{"shared", []string{"before", "invited", "within", "after"}, []string{"before", "invited", "within"}, []string{"before", "invited", "within"}, false},
		{"invited", []string{"invited", "within", "after"}, []string{"invited", "within"}, []string{"invited", "within"}, false},
		{"joined", []string{"within", "after"}, []string{"within"}, []string{"within"}, false},
	} {
		t.Run(c.visibility, func(t *testing.T) {
			ts := newServer(t)
			alice, member, left, banned := ts.register("alice"), ts.register("member"), ts.register("left"), ts.register("banned")
			invited, never := ts.register("invited"), ts.register("never")
			room := conversation(t, alice)
			visibility(t, alice, room, c.visibility)
			say(t, alice, room, "before")
			for _, who := range []*wire.Client{member, left, banned, invited} {
				must(t, alice.Invite(t.Context(), room, who.User))
			}
			say(t, alice, room, "invited")
			for _, who := range []*wire.Client{member, left, banned} {
				_, err := who.Join(t.Context(), string(room))
				must(t, err)
			}
			say(t, alice, room, "within")
			must(t, left.Leave(t.Context(), room))
			must(t, alice.Ban(t.Context(), room, banned.User, ""))
			say(t, alice, room, "after")
			texts := func(who *wire.Client) []string {
				got := pages(t, who, room, "f", "")
				return brief(slices.DeleteFunc(got, func(e wire.Event) bool { return e.Type != "m.room.message" }))
			}
			for who, want := range map[*wire.Client][]string{member: c.member, left: c.left, banned: c.banned} {
				if got := texts(who); !slices.Equal(got, want) {
					t.Errorf("%s reads %q, want %q", who.User, got, want)
				}
			}
			must(t, left.Forget(t.Context(), room))
			for _, who := range []*wire.Client{invited, never, left} {
				if !c.stranger {
					ts.want(who, "GET", wire.RoomPath(room, "messages")+"?dir=b", "", 403, matrix.MForbidden)
				} else if got := texts(who); len(got) != 4 {
					t.Errorf("%s reads %q", who.User, got)
				}
			}
		})
	}
}

// TestHistoryOfChangedVisibility: each event is seen by the visibility that the room had when it was sent.
func TestHistoryOfChangedVisibility(t *testing.T) {
	ts := newServer(t)
	alice, late, invited := ts.register("alice"), ts.register("late"), ts.register("invited")
	room := conversation(t, alice)
	for _, v := range []string{"joined", "shared", "invited", "world_readable", "joined"} {
		visibility(t, alice, room, v)
		say(t, alice, room, v)
	}
	must(t, alice.Invite(t.Context(), room, invited.User))
	visibility(t, alice, room, "invited")
	say(t, alice, room, "after the invite")
	for _, c := range []*wire.Client{late, invited} {
		_, err := c.Join(t.Context(), string(room))
		must(t, err)
	}
	texts := func(c *wire.Client) []string {
		return brief(slices.DeleteFunc(pages(t, c, room, "f", ""), func(e wire.Event) bool { return e.Type != "m.room.message" }))
	}
	if got, want := texts(late), []string{"shared", "world_readable"}; !slices.Equal(got, want) {
		t.Errorf("one who came late reads %q, want %q", got, want)
	}
	if got, want := texts(invited), []string{"shared", "world_readable", "after the invite"}; !slices.Equal(got, want) {
		t.Errorf("one who was invited reads %q, want %q", got, want)
	}
	// What was sent while all could read it, all still can, once they can look into the room at all.
	stranger := ts.register("stranger")
	visibility(t, alice, room, "world_readable")
	if got, want := texts(stranger), []string{"world_readable"}; !slices.Equal(got, want) {
		t.Errorf("a stranger reads %q, want %q", got, want)
	}
}
