package clientapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// notified is as much of an answer of /notifications as these tests look at.
type notified struct {
	Next          string `json:"next_token"`
	Notifications []struct {
		Actions []json.RawMessage
		Read    bool
		RoomID  matrix.RoomID `json:"room_id"`
		TS      int64
		Event   struct {
			ID      matrix.EventID `json:"event_id"`
			RoomID  matrix.RoomID  `json:"room_id"`
			Type    string
			Content struct{ Body, Membership string }
			Time    int64 `json:"origin_server_ts"`
		}
	}
}

func notifications(ts *testServer, c *wire.Client, query string) *notified {
	ts.t.Helper()
	n := new(notified)
	must(ts.t, json.Unmarshal([]byte(ts.want(c, "GET", v3+"/notifications"+query, "", 200, "")), n))
	return n
}

// texts lists what notified: bodies, with a mark if it was read.
func (n *notified) texts() []string {
	out := []string{}
	for i := range n.Notifications {
		text := n.Notifications[i].Event.Content.Body + n.Notifications[i].Event.Content.Membership
		if n.Notifications[i].Read {
			text += " ✓"
		}
		out = append(out, text)
	}
	return out
}

func wantNotifications(ts *testServer, c *wire.Client, query string, want ...string) *notified {
	ts.t.Helper()
	n := notifications(ts, c, query)
	if got := n.texts(); !slices.Equal(got, want) {
		ts.t.Errorf("%s: notifications %q, want %q", query, got, want)
	}
	return n
}

// spec: client-server-api#listing-notifications
func TestNotifications(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	wantNotifications(ts, bob, "")
	room, other := conversation(t, alice, bob, carol), conversation(t, alice, bob, carol)
	first := say(t, alice, room, "one")
	mention(t, alice, other, "two", bob.User)
	say(t, bob, room, "my own")
	root := say(t, carol, room, "three")
	gone := say(t, carol, room, "redacted")
	_, err := carol.Redact(t.Context(), room, gone, "redact", "")
	must(t, err)
	thread(t, alice, room, root, "four")
	must(t, bob.Receipt(t.Context(), room, "m.read", first, ""))
	wantNotifications(ts, bob, "", "four", "three", "two", "one ✓")
	must(t, bob.Receipt(t.Context(), room, "m.read.private", root, "main"))
	all := wantNotifications(ts, bob, "?limit=500", "four", "three ✓", "two", "one ✓")
	if all.Next != "" {
		t.Errorf("next_token %q behind everything", all.Next)
	}
	two := all.Notifications[2]
	if two.RoomID != other || two.Event.RoomID != "" || two.TS != two.Event.Time || two.TS == 0 || len(two.Actions) != 3 || string(two.Actions[0]) != `"notify"` {
		t.Errorf("a notification is %+v", two)
	}
	wantNotifications(ts, bob, "?only=highlight", "two")
	wantNotifications(ts, alice, "", "three", "my own")
}

func TestPagesOfNotifications(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	for i := range 9 {
		say(t, alice, room, fmt.Sprint(i))
	}
	n := wantNotifications(ts, bob, "?limit=4", "8", "7", "6", "5")
	say(t, alice, room, "later") // pages go on from where they were
	n = wantNotifications(ts, bob, "?limit=4&from="+n.Next, "4", "3", "2", "1")
	n = wantNotifications(ts, bob, "?limit=4&from="+n.Next, "0")
	if n.Next != "" {
		t.Errorf("next_token %q behind everything", n.Next)
	}
	for _, from := range []string{"x", "n", "n0", "n-1", "n1x", "n01", "s5_1", "n99999999999999999999"} {
		ts.want(bob, "GET", v3+"/notifications?from="+from, "", 400, matrix.MInvalidParam)
	}
	ts.want(bob, "GET", v3+"/notifications?limit=x", "", 400, matrix.MInvalidParam)
	wantNotifications(ts, bob, "?from=n18446744073709551615&limit=1", "later") // no such place yet: the newest
}

// TestNotificationsOfOtherRooms: rooms that one has left or is invited to, and whom one ignores.
func TestNotificationsOfOtherRooms(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob, carol)
	say(t, alice, room, "seen")
	say(t, carol, room, "ignored")
	ts.want(bob, "PUT", v3+"/user/"+string(bob.User)+"/account_data/m.ignored_user_list", `{"ignored_users":{"@carol:here.example":{}}}`, 200, "")
	secret, err := alice.CreateRoom(t.Context(), wire.CreateRoom{Invite: []matrix.UserID{bob.User}})
	must(t, err)
	say(t, alice, secret, "not for who is only invited")
	wantNotifications(ts, bob, "", "invite", "seen")
	must(t, bob.Leave(t.Context(), room))
	say(t, alice, room, "after the leave")
	wantNotifications(ts, bob, "", "invite")
	_, err = bob.Join(t.Context(), string(room))
	must(t, err)
	say(t, alice, room, "back")
	wantNotifications(ts, bob, "", "back", "invite")
}
