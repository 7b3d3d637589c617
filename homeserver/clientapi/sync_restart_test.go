package clientapi

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// at returns a client's counterpart at another server over the same data.
func at(ts *testServer, c *wire.Client) *wire.Client {
	other := ts.anonymous()
	other.Token, other.User, other.Device = c.Token, c.User, c.Device
	return other
}

func TestSyncOverRestart(t *testing.T) {
	backend := blobtest.NewMemory()
	var alice, bob *wire.Client
	var room matrix.RoomID
	var root matrix.EventID
	var since string
	t.Run("before", func(t *testing.T) {
		ts := newServerOver(t, backend)
		alice, bob = ts.register("alice"), ts.register("bob")
		room = conversation(t, alice, bob)
		root = say(t, alice, room, "read")
		must(t, bob.Receipt(t.Context(), room, "m.read", root, ""))
		for i := range 1100 { // long enough for the count to be written down
			say(t, alice, room, fmt.Sprint(i))
		}
		f := follow(t, bob, "")
		if got := unread(f.next().Rooms.Join[room]); got[0] != 1100 {
			t.Errorf("unread %d", got)
		}
		since = f.since
		mention(t, alice, room, "mention", bob.User)
		must(t, alice.Receipt(t.Context(), room, "m.read", root, ""))
		must(t, bob.SetAccountData(t.Context(), "", "m.x", map[string]int{}))
		must(t, alice.Typing(t.Context(), room, true, 60000))
		body := fmt.Sprintf(`{"messages":{%q:{"*":{"n":1}}}}`, bob.User)
		must(t, alice.Do(t.Context(), "PUT", v3+"/sendToDevice/m.test/1", nil, []byte(body), nil))
	})
	t.Run("after", func(t *testing.T) {
		ts := newServerOver(t, backend)
		f := &syncing{t: t, client: at(ts, bob), since: since}
		a := f.next()
		r := joined(t, a, room)
		wantBrief(t, "timeline", r.Timeline.Events, "mention")
		wantReceipts(t, "receipts", r, fmt.Sprint(root, " m.read alice "))
		if got := unread(r); got != [2]int64{1101, 1} {
			t.Errorf("unread %d", got)
		}
		if len(a.AccountData.Events) != 1 || len(a.ToDevice.Events) != 1 || r.Timeline.Limited {
			t.Errorf("answer %+v", a)
		}
		if users, said := typers(t, r); said {
			t.Errorf("typing %q", users) // nobody remembers
		}
		wantNothing(t, f.next())
		// The clock began anew with the server, and typing is told all the same.
		must(t, at(ts, alice).Typing(t.Context(), room, true, 60000))
		if users, _ := typers(t, f.poll().Rooms.Join[room]); len(users) != 1 {
			t.Errorf("typing %q", users)
		}
		for i := range 3 {
			say(t, at(ts, alice), room, fmt.Sprint("new ", i))
		}
		if got := unread(f.next().Rooms.Join[room]); got != [2]int64{1104, 1} {
			t.Errorf("unread %d", got)
		}
	})
}

// TestDamagedRooms is threat 7: a room that cannot be read, or an invite to one, stops no sync of the others.
func TestDamagedRooms(t *testing.T) {
	backend := blobtest.NewMemory()
	var alice, bob *wire.Client
	var good, bad, invited matrix.RoomID
	var since string
	var spoil blob.Batch
	t.Run("before", func(t *testing.T) {
		ts := newServerOver(t, backend)
		alice, bob = ts.register("alice"), ts.register("bob")
		bad, good, invited = conversation(t, alice, bob), conversation(t, alice, bob), conversation(t, alice)
		f := follow(t, bob, "")
		f.next()
		since = f.since
		say(t, alice, bad, "bad")
		say(t, alice, good, "good")
		must(t, alice.Invite(t.Context(), invited, bob.User))
		for room, order := range map[matrix.RoomID]store.Order{bad: 8, invited: 1} {
			known, err := ts.store.RoomByID(t.Context(), room)
			must(t, err)
			spoil.Set("ev", append(store.Place(known.Num, order), 0), []byte{0, 1, 2, 3})
		}
	})
	must(t, backend.Apply(t.Context(), &spoil))
	t.Run("after", func(t *testing.T) {
		ts := newServerOver(t, backend)
		for what, f := range map[string]*syncing{
			"at first": follow(t, at(ts, bob), ""), "from a token": {t: t, client: at(ts, bob), since: since},
			"lazily": follow(t, at(ts, bob), `{"room":{"state":{"lazy_load_members":true}}}`),
		} {
			a := f.ask(wire.SyncOptions{Timeout: time.Minute})
			if a.Rooms.Join[bad] != nil || a.Rooms.Invite[invited] != nil {
				t.Errorf("%s: a damaged room is there", what)
			}
			if events := brief(joined(t, a, good).Timeline.Events); !slices.Contains(events, "good") {
				t.Errorf("%s: %q", what, events)
			}
			say(t, at(ts, alice), good, what)
			wantBrief(t, what, joined(t, f.poll(), good).Timeline.Events, what)
		}
	})
}

// TestStrangeContent is more of threat 7: what may be sent and is not what it should be.
func TestStrangeContent(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	f := follow(t, bob, lazyFilter)
	f.next()
	deep := strings.Repeat(`{"a":`, 90) + "1" + strings.Repeat("}", 90)
	for i, c := range []struct{ typ, key, content string }{
		{"m.room.name", "", `{"name":7}`},
		{"m.room.name", "", `{"name":["x"]}`},
		{"m.room.canonical_alias", "", `{"alias":{}}`},
		{"m.room.topic", "", `{}`},
		{"m.room.history_visibility", "", `{"history_visibility":{"joined":true}}`},
		{"m.room.history_visibility", "", `{"history_visibility":"nobody"}`},
		{"m.room.encryption", "", `{"algorithm":null}`},
		{"m.room.avatar", "", `{"url":` + deep + `}`},
		{"m.room.member", string(alice.User), `{"membership":"join","displayname":{"a":1},"avatar_url":7}`},
		{"", "", `{"body":"no type"}`},
		{"\x00", "\x00", `{"":"\u0000"}`},
		{"m.room.tombstone", "x", `{"replacement_room":7}`},
		{"m.room.pinned_events", strings.Repeat("k", 200), `{"pinned":"` + strings.Repeat("x", 50000) + `"}`},
		{"m.room.message", "-", `{"body":7,"m.relates_to":"x","m.mentions":[]}`},
		{"m.room.message", "-", `{"body":"` + strings.Repeat("*a?", 10000) + `","m.mentions":{"user_ids":{"x":1},"room":"yes"}}`},
		{"m.room.message", "-", `{"m.relates_to":{"rel_type":"m.thread","event_id":7}}`},
		{"m.room.message", "-", `{"m.relates_to":{"rel_type":"m.thread","event_id":"$unknown"}}`},
		{"m.room.message", "-", `{"m.relates_to":{"rel_type":7,"event_id":"$unknown"},"m.new_content":7}`},
		{"m.room.redaction", "-", `{"redacts":7}`},
		{"m.room.redaction", "-", `{"redacts":"$unknown"}`},
		{"m.reaction", "-", `{"m.relates_to":{"rel_type":"m.annotation","event_id":"$unknown","key":7}}`},
	} {
		path := wire.RoomPath(room, "state", c.typ, c.key)
		if c.key == "-" {
			path = wire.RoomPath(room, "send", c.typ, fmt.Sprint(i))
		}
		status, answer := ts.do(alice, "PUT", path, c.content)
		if status >= 500 {
			t.Errorf("%s %.100s: %d %s", c.typ, c.content, status, answer)
		}
		if status == 200 && f.next().Rooms.Join[room] == nil {
			t.Errorf("%s %.100s: was not told", c.typ, c.content)
		}
		if follow(t, bob, "").next().Rooms.Join[room] == nil {
			t.Errorf("%s %.100s: the room is not in an initial sync", c.typ, c.content)
		}
	}
}
