package clientapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// TestIgnoredUsers: their messages, typing and receipts are not told any more, their state is.
func TestIgnoredUsers(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob, carol)
	_, err := alice.SendState(t.Context(), room, "m.room.power_levels", "", map[string]any{"users": map[matrix.UserID]int{bob.User: 50}})
	must(t, err)
	f, g := follow(t, alice, ""), follow(t, carol, "")
	f.next()
	g.next()
	must(t, alice.Ignore(t.Context(), bob.User, alice.User))
	if a := f.next(); len(a.AccountData.Events) != 1 || a.AccountData.Events[0].Type != "m.ignored_user_list" {
		t.Errorf("account data %+v", a.AccountData)
	}
	first := say(t, bob, room, "one")
	must(t, bob.Typing(t.Context(), room, true, 60000))
	must(t, bob.Receipt(t.Context(), room, "m.read", first, ""))
	_, err = bob.Redact(t.Context(), room, first, "r", "")
	must(t, err)
	wantNothing(t, f.next())
	r := joined(t, g.next(), room)
	wantBrief(t, "who does not ignore", r.Timeline.Events, "m.room.message", "m.room.redaction")
	if users, _ := typers(t, r); len(users) != 1 || len(receipts(t, r)) != 1 {
		t.Errorf("typing %q, receipts %q", users, receipts(t, r))
	}

	say(t, bob, room, "two")
	name(t, bob, room, "Bob's")
	say(t, carol, room, "three")
	say(t, alice, room, "four") // she cannot ignore herself
	must(t, carol.Typing(t.Context(), room, true, 60000))
	must(t, carol.Receipt(t.Context(), room, "m.read", first, ""))
	r = joined(t, f.next(), room)
	wantBrief(t, "who ignores", r.Timeline.Events, "name Bob's", "three", "four")
	if users, _ := typers(t, r); !slices.Equal(users, []string{"carol"}) {
		t.Errorf("typing: %q", users)
	}
	wantReceipts(t, "who ignores", r, fmt.Sprint(first, " m.read carol "))
	for range 2 { // the second time from what was kept
		r = joined(t, follow(t, alice, `{"room":{"timeline":{"limit":3}}}`).next(), room)
		wantBrief(t, "at first", r.Timeline.Events, "name Bob's", "three", "four")
		wantReceipts(t, "at first", r, fmt.Sprint(first, " m.read carol "))
	}

	// What is sent once he is not ignored any more is told, and what was sent before to who begins anew.
	must(t, alice.Ignore(t.Context()))
	f.next()
	wantNothing(t, f.next())
	say(t, bob, room, "five")
	wantBrief(t, "ignored no more", joined(t, f.next(), room).Timeline.Events, "five")
	r = joined(t, follow(t, alice, `{"room":{"timeline":{"limit":5}}}`).next(), room)
	wantBrief(t, "anew", r.Timeline.Events, "two", "name Bob's", "three", "four", "five")
}

// TestIgnoredUsersCountNothing: no notification of their messages, also of those that were counted before.
func TestIgnoredUsersCountNothing(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob, carol)
	want := func(n int64) {
		t.Helper()
		if got := joined(t, follow(t, alice, "").next(), room).UnreadNotifications; got.Notification != n || got.Highlight != n {
			t.Errorf("unread: %+v, want %d", got, n)
		}
	}
	mention := func(c *wire.Client, txn string) {
		t.Helper()
		_, err := c.Send(t.Context(), room, "m.room.message", txn, map[string]any{
			"msgtype": "m.text", "body": "alice", "m.mentions": map[string]any{"user_ids": []string{string(alice.User)}},
		})
		must(t, err)
	}
	mention(bob, "1")
	mention(carol, "1")
	want(2)
	must(t, alice.Ignore(t.Context(), bob.User))
	want(1)
	mention(bob, "2")
	want(1)
	must(t, alice.Ignore(t.Context(), carol.User))
	want(2)
	must(t, alice.Ignore(t.Context()))
	want(3)
}

// TestInvitesOfIgnoredUsers are not told; later invites of somebody else are.
func TestInvitesOfIgnoredUsers(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room, err := bob.CreateRoom(t.Context(), wire.CreateRoom{Preset: "private_chat"})
	must(t, err)
	must(t, alice.Ignore(t.Context(), bob.User))
	f := follow(t, alice, "")
	f.next()
	must(t, bob.Invite(t.Context(), room, alice.User))
	wantNothing(t, f.next())
	if a := follow(t, alice, "").next(); len(a.Rooms.Invite) > 0 {
		t.Errorf("invites %+v", a.Rooms.Invite)
	}
	if a := f.peek(wire.SyncOptions{FullState: true}); len(a.Rooms.Invite) > 0 {
		t.Errorf("invites %+v", a.Rooms.Invite)
	}
	must(t, alice.Ignore(t.Context()))
	f.next()
	if a := follow(t, alice, "").next(); len(a.Rooms.Invite) != 1 {
		t.Errorf("invites %+v", a.Rooms.Invite)
	}
}

// TestThreadsOfIgnoredUsers: what is bundled with a thread's root is of the others.
func TestThreadsOfIgnoredUsers(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob, carol)
	root := say(t, carol, room, "root")
	reply := func(c *wire.Client, text string) {
		t.Helper()
		_, err := c.Send(t.Context(), room, "m.room.message", text, map[string]any{
			"msgtype": "m.text", "body": text, "m.relates_to": map[string]any{"rel_type": "m.thread", "event_id": root},
		})
		must(t, err)
	}
	want := func(count int64, body string) {
		t.Helper()
		var thread struct {
			Relations struct {
				Thread struct {
					Count  int64
					Latest wire.Event `json:"latest_event"`
				} `json:"m.thread"`
			} `json:"m.relations"`
		}
		for _, e := range joined(t, follow(t, alice, "").next(), room).Timeline.Events {
			if e.ID == root {
				must(t, json.Unmarshal(e.Unsigned, &thread))
			}
		}
		th := thread.Relations.Thread
		if got, _ := matrix.StringField(th.Latest.Content, "body"); th.Count != count || got != body {
			t.Errorf("thread of %d, last %q, want %d and %q", th.Count, got, count, body)
		}
	}
	must(t, alice.Ignore(t.Context(), bob.User))
	reply(bob, "a")
	want(0, "")
	reply(carol, "b")
	reply(bob, "c")
	reply(bob, "d")
	want(1, "b")
	must(t, alice.Ignore(t.Context()))
	want(4, "d")
}
