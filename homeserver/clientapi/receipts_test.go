package clientapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// receipts lists the receipts of a room's ephemeral events: event, kind, user and thread.
func receipts(t testing.TB, r *wire.JoinedRoom) []string {
	t.Helper()
	out := []string{}
	if r == nil {
		return out
	}
	for _, e := range r.Ephemeral.Events {
		if e.Type != "m.receipt" {
			continue
		}
		var content map[matrix.EventID]map[string]map[matrix.UserID]struct {
			Time   int64  `json:"ts"`
			Thread string `json:"thread_id"`
		}
		must(t, json.Unmarshal(e.Content, &content))
		for id, kinds := range content {
			for kind, users := range kinds {
				for user, data := range users {
					if data.Time == 0 {
						t.Error("a receipt without its time")
					}
					out = append(out, fmt.Sprint(id, " ", kind, " ", user.Localpart(), " ", data.Thread))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

func wantReceipts(t testing.TB, what string, r *wire.JoinedRoom, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := receipts(t, r); !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestReceipts(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob, carol)
	one, two := say(t, alice, room, "one"), say(t, alice, room, "two")
	f, g := follow(t, alice, ""), follow(t, bob, "")
	f.next()
	g.next()
	must(t, bob.Receipt(t.Context(), room, "m.read", one, ""))
	must(t, carol.Receipt(t.Context(), room, "m.read", one, ""))
	r := f.next().Rooms.Join[room]
	wantReceipts(t, "receipts", r, fmt.Sprint(one, " m.read bob "), fmt.Sprint(one, " m.read carol "))
	if len(r.Ephemeral.Events) != 1 || len(r.Timeline.Events) > 0 {
		t.Errorf("room %+v", r)
	}
	must(t, bob.Receipt(t.Context(), room, "m.read", two, ""))
	must(t, bob.Receipt(t.Context(), room, "m.read", one, "")) // older: nothing changes
	must(t, bob.Receipt(t.Context(), room, "m.read", "$unknown", ""))
	wantReceipts(t, "moved", f.next().Rooms.Join[room], fmt.Sprint(two, " m.read bob "))
	wantNothing(t, f.next())
	wantReceipts(t, "at first", follow(t, alice, "").next().Rooms.Join[room], fmt.Sprint(two, " m.read bob "), fmt.Sprint(one, " m.read carol "))
	wantReceipts(t, "filtered", follow(t, alice, `{"room":{"ephemeral":{"not_types":["m.receipt"]}}}`).next().Rooms.Join[room])
	wantReceipts(t, "filtered by room", follow(t, alice, fmt.Sprintf(`{"room":{"ephemeral":{"not_rooms":[%q]}}}`, room)).next().Rooms.Join[room])
}

// TestPrivateReceipts are shown to nobody else, and wake nobody else.
func TestPrivateReceipts(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	one := say(t, alice, room, "one")
	two := say(t, alice, room, "two")
	f, g := follow(t, alice, ""), follow(t, bob, "")
	f.next()
	if r := g.next().Rooms.Join[room]; r.UnreadNotifications.Notification != 2 {
		t.Errorf("unread %+v", r.UnreadNotifications)
	}
	must(t, bob.Receipt(t.Context(), room, "m.read.private", one, ""))
	wantNothing(t, f.next())
	r := g.next().Rooms.Join[room]
	wantReceipts(t, "own", r, fmt.Sprint(one, " m.read.private bob "))
	if r.UnreadNotifications.Notification != 1 {
		t.Errorf("unread %+v", r.UnreadNotifications)
	}
	wantReceipts(t, "others at first", follow(t, alice, "").next().Rooms.Join[room])
	wantReceipts(t, "own at first", follow(t, bob, "").next().Rooms.Join[room], fmt.Sprint(one, " m.read.private bob "))
	// Both kinds stand side by side, and whichever is ahead counts.
	must(t, bob.Receipt(t.Context(), room, "m.read", two, ""))
	r = g.next().Rooms.Join[room]
	wantReceipts(t, "both", r, fmt.Sprint(two, " m.read bob "))
	if r.UnreadNotifications.Notification != 0 {
		t.Errorf("unread %+v", r.UnreadNotifications)
	}
	wantReceipts(t, "others", f.next().Rooms.Join[room], fmt.Sprint(two, " m.read bob "))
	// The counts follow although the filter hides the receipts.
	say(t, alice, room, "three")
	g.filter = `{"room":{"ephemeral":{"types":[]}}}`
	if r := g.next().Rooms.Join[room]; r.UnreadNotifications.Notification != 1 {
		t.Errorf("unread %+v", r.UnreadNotifications)
	}
	must(t, bob.Receipt(t.Context(), room, "m.read.private", say(t, alice, room, "four"), ""))
	if r := g.next().Rooms.Join[room]; r == nil || r.UnreadNotifications.Notification != 0 || len(r.Ephemeral.Events) > 0 {
		t.Errorf("room %+v", r)
	}
}

func TestThreadedReceipts(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	root := say(t, alice, room, "root")
	reply := thread(t, alice, room, root, "reply")
	f := follow(t, bob, "")
	f.next()
	for _, c := range []struct {
		kind, thread string
		event        matrix.EventID
		code         string
	}{
		{"m.read", "", reply, ""},
		{"m.read", "main", root, ""},
		{"m.read", string(root), reply, ""},
		{"m.read.private", string(root), root, ""}, // the root as read in its thread
		{"m.read", "main", reply, matrix.MInvalidParam},
		{"m.read", string(reply), root, matrix.MInvalidParam},
		{"m.read", string(reply), reply, matrix.MInvalidParam}, // no thread's root
		{"m.read", "elsewhere", root, matrix.MInvalidParam},
	} {
		err := bob.Receipt(t.Context(), room, c.kind, c.event, c.thread)
		if c.code == "" {
			must(t, err)
		} else {
			wantError(t, err, 400, c.code)
		}
	}
	r := f.next().Rooms.Join[room]
	wantReceipts(t, "of one answer", r,
		fmt.Sprint(reply, " m.read bob "), fmt.Sprint(root, " m.read bob main"),
		fmt.Sprint(reply, " m.read bob ", root), fmt.Sprint(root, " m.read.private bob ", root))
	// A reaction to a reply is in the thread too, and who reads it there need not read it in the main timeline.
	reaction, err := alice.Send(t.Context(), room, "m.reaction", "r", map[string]any{
		"m.relates_to": map[string]string{"rel_type": "m.annotation", "event_id": string(reply), "key": "+"},
	})
	must(t, err)
	must(t, bob.Receipt(t.Context(), room, "m.read", reaction, string(root)))
	wantError(t, bob.Receipt(t.Context(), room, "m.read", reaction, "main"), 400, matrix.MInvalidParam)
	// What an event was a reply to is gone once it is redacted.
	gone := thread(t, alice, room, root, "gone")
	_, err = alice.Redact(t.Context(), room, gone, "x", "")
	must(t, err)
	must(t, bob.Receipt(t.Context(), room, "m.read", gone, string(root)))
}

func TestReceiptErrors(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice)
	id := say(t, alice, room, "one")
	path := func(kind string) string { return wire.RoomPath(room, "receipt", kind, string(id)) }
	ts.want(alice, "POST", path("m.read"), "", 200, "")
	ts.want(alice, "POST", path("m.read"), "{}", 200, "")
	ts.want(alice, "POST", path("m.unknown"), "{}", 400, matrix.MInvalidParam)
	ts.want(alice, "POST", path("m.read"), `{"thread_id":""}`, 400, matrix.MInvalidParam)
	ts.want(alice, "POST", path("m.read"), `{"thread_id":7}`, 400, matrix.MInvalidParam)
	ts.want(alice, "POST", path("m.read"), `{"thread_id":null}`, 400, matrix.MInvalidParam)
	ts.want(alice, "POST", path("m.read"), `{`, 400, matrix.MNotJSON)
	ts.want(alice, "POST", path("m.fully_read"), `{"thread_id":"main"}`, 400, matrix.MInvalidParam)
	ts.want(bob, "POST", path("m.read"), "{}", 403, matrix.MForbidden)
	ts.want(bob, "POST", wire.RoomPath("!no:here.example", "receipt", "m.read", string(id)), "{}", 403, matrix.MForbidden)
	ts.want(ts.anonymous(), "POST", path("m.read"), "{}", 401, matrix.MMissingToken)
	// An event of another room is no event of this one.
	other := conversation(t, bob)
	must(t, bob.Receipt(t.Context(), other, "m.read", id, ""))
	wantReceipts(t, "of another room's event", follow(t, bob, "").next().Rooms.Join[other])
}
