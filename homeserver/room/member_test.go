package room

import (
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// Every change of membership between two users, in a room where alice may do all and bob nothing.
// spec: client-server-api#room-membership
func TestMemberships(t *testing.T) {
	kick := func(sender, target matrix.UserID) Change {
		return Change{Sender: sender, Target: target, Membership: "leave", Was: []string{"join", "invite", "knock"}, WasMessage: "not in the room"}
	}
	unban := func(sender, target matrix.UserID) Change {
		return Change{Sender: sender, Target: target, Membership: "leave", Was: []string{"ban"}, WasMessage: "not banned"}
	}
	simple := func(sender, target matrix.UserID, membership string) Change {
		return Change{Sender: sender, Target: target, Membership: membership}
	}
	for _, c := range []struct {
		what   string
		public bool
		steps  []Change
		code   string // of the last step
		end    string // carol's membership
	}{
		{"join a public room", true, []Change{simple(carol, carol, "join")}, "", "join"},
		{"join a private room", false, []Change{simple(carol, carol, "join")}, matrix.MForbidden, ""},
		{"join when invited", false, []Change{simple(alice, carol, "invite"), simple(carol, carol, "join")}, "", "join"},
		{"join twice", true, []Change{simple(carol, carol, "join"), simple(carol, carol, "join")}, "", "join"},
		{"join for another", true, []Change{simple(bob, carol, "join")}, matrix.MForbidden, ""},
		{"join when banned", true, []Change{simple(alice, carol, "ban"), simple(carol, carol, "join")}, matrix.MForbidden, "ban"},
		{"invite", false, []Change{simple(bob, carol, "invite")}, "", "invite"},
		{"invite twice", false, []Change{simple(alice, carol, "invite"), simple(alice, carol, "invite")}, "", "invite"},
		{"invite a member", true, []Change{simple(carol, carol, "join"), simple(alice, carol, "invite")}, matrix.MForbidden, "join"},
		{"invite a banned user", true, []Change{simple(alice, carol, "ban"), simple(alice, carol, "invite")}, matrix.MForbidden, "ban"},
		{"invite without power", true, []Change{simple(bob, carol, "invite")}, matrix.MForbidden, ""},
		{"leave", true, []Change{simple(carol, carol, "join"), kick(carol, carol)}, "", "leave"},
		{"leave twice", true, []Change{simple(carol, carol, "join"), kick(carol, carol), kick(carol, carol)}, "", "leave"},
		{"leave without being in", true, []Change{kick(carol, carol)}, matrix.MForbidden, ""},
		{"leave after a kick", true, []Change{simple(carol, carol, "join"), kick(alice, carol), kick(carol, carol)}, matrix.MForbidden, "leave"},
		{"leave when banned", true, []Change{simple(alice, carol, "ban"), kick(carol, carol)}, matrix.MForbidden, "ban"},
		{"reject an invite", false, []Change{simple(alice, carol, "invite"), kick(carol, carol)}, "", "leave"},
		{"kick", true, []Change{simple(carol, carol, "join"), kick(alice, carol)}, "", "leave"},
		{"kick who was invited", false, []Change{simple(alice, carol, "invite"), kick(alice, carol)}, "", "leave"},
		{"kick who is not in", true, []Change{kick(alice, carol)}, matrix.MForbidden, ""},
		{"kick who is banned", true, []Change{simple(alice, carol, "ban"), kick(alice, carol)}, matrix.MBadState, "ban"},
		{"kick who is banned from outside", true, []Change{simple(alice, carol, "ban"), kick("@dave:here.example", carol)}, matrix.MForbidden, "ban"},
		{"kick without power", true, []Change{simple(carol, carol, "join"), kick(bob, carol)}, matrix.MForbidden, "join"},
		{"kick from outside", true, []Change{kick(carol, bob)}, matrix.MForbidden, ""},
		{"ban", true, []Change{simple(carol, carol, "join"), simple(alice, carol, "ban")}, "", "ban"},
		{"ban a stranger", true, []Change{simple(alice, carol, "ban")}, "", "ban"},
		{"ban twice", true, []Change{simple(alice, carol, "ban"), simple(alice, carol, "ban")}, "", "ban"},
		{"ban without power", true, []Change{simple(bob, carol, "ban")}, matrix.MForbidden, ""},
		{"ban again without power", true, []Change{simple(alice, carol, "ban"), simple(bob, carol, "ban")}, matrix.MForbidden, "ban"},
		{"ban oneself", true, []Change{simple(carol, carol, "join"), simple(carol, carol, "ban")}, matrix.MForbidden, "join"},
		{"ban the creator", true, []Change{simple(bob, alice, "ban")}, matrix.MForbidden, ""},
		{"unban", true, []Change{simple(alice, carol, "ban"), unban(alice, carol)}, "", "leave"},
		{"unban who is not banned", true, []Change{simple(carol, carol, "join"), unban(alice, carol)}, matrix.MBadState, "join"},
		{"unban without power", true, []Change{simple(alice, carol, "ban"), unban(bob, carol)}, matrix.MForbidden, "ban"},
		{"unban oneself", true, []Change{simple(alice, carol, "ban"), unban(carol, carol)}, matrix.MForbidden, "ban"},
		{"join after an unban", true, []Change{simple(alice, carol, "ban"), unban(alice, carol), simple(carol, carol, "join")}, "", "join"},
		{"knock", true, []Change{simple(carol, carol, "knock")}, matrix.MForbidden, ""},
		{"an unknown membership", true, []Change{simple(carol, carol, "visit")}, matrix.MForbidden, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t)
			preset := "private_chat"
			if c.public {
				preset = "public_chat"
			}
			r := w.create(Creation{Preset: preset})
			if !c.public {
				if err := w.change(r, alice, bob, "invite"); err != nil {
					t.Fatal(err)
				}
			}
			w.join(r, bob)
			for i, step := range c.steps {
				_, err := w.rooms.SetMembership(t.Context(), r, step)
				want := ""
				if i == len(c.steps)-1 {
					want = c.code
				}
				wantCode(t, err, want)
			}
			if got := field(t, w.state(r, "m.room.member", string(carol)), "membership"); got != c.end {
				t.Errorf("carol's membership is %q, want %q", got, c.end)
			}
			if got := w.membership(carol, r).Membership; got != c.end {
				t.Errorf("carol's record says %q, want %q", got, c.end)
			}
			w.timeline(r)
		})
	}
}

// The record of a user's membership over a whole life in a room.
func TestMembershipRecord(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{Preset: "public_chat"})
	want := func(step, membership, previous string, since, ended store.Order, forgotten bool) {
		t.Helper()
		m := w.membership(bob, r)
		if m.Membership != membership || m.Previous != previous || m.Since != since || m.Ended != ended || m.Forgotten != forgotten {
			t.Errorf("%s: %+v", step, m)
		}
		if (m.Ended != 0) == m.Left.IsZero() {
			t.Errorf("%s: ended at %d, state %s", step, m.Ended, m.Left)
		}
	}
	step := func(sender matrix.UserID, membership string) {
		t.Helper()
		if err := w.change(r, sender, bob, membership); err != nil {
			t.Fatal(err)
		}
	}
	step(alice, "invite") // 7
	want("invited", "invite", "", 7, 0, false)
	wantCode(t, w.rooms.Forget(t.Context(), r, bob), matrix.MUnknown)
	step(bob, "join") // 8
	want("joined", "join", "invite", 8, 0, false)
	wantCode(t, w.rooms.Forget(t.Context(), r, bob), matrix.MUnknown)
	w.text(r, bob, "x") // 9
	if _, err := w.accounts.SetProfileField(t.Context(), bob, "displayname", []byte(`"Bob"`)); err != nil {
		t.Fatal(err)
	}
	wantCode(t, w.rooms.ProfileChanged(t.Context(), bob), "") // 10
	want("renamed", "join", "invite", 8, 0, false)
	step(bob, "leave") // 11
	want("left", "leave", "join", 11, 11, false)
	left := w.membership(bob, r)
	w.setState(r, alice, "m.room.name", "", `{"name":"later"}`) // 12
	wantCode(t, w.rooms.Forget(t.Context(), r, bob), "")
	want("forgotten", "leave", "join", 11, 11, true)
	pos := w.store.Durable()
	if m := w.membership(bob, r); m.Pos != pos || m.Left != left.Left {
		t.Errorf("forgotten: %+v", m)
	}
	wantCode(t, w.rooms.Forget(t.Context(), r, bob), "")
	step(alice, "ban")                           // 13
	want("banned", "ban", "leave", 13, 11, true) // only an invite, a knock or a join reminds of it
	w.open()
	wantCode(t, w.rooms.Forget(t.Context(), r, bob), "")
	want("forgotten again", "ban", "leave", 13, 11, true)
	step(alice, "leave")  // 14
	step(alice, "invite") // 15
	want("invited again", "invite", "leave", 15, 11, false)
	step(bob, "join") // 16
	want("joined again", "join", "invite", 16, 0, false)
	w.timeline(r)
	wantCode(t, w.rooms.Forget(t.Context(), r, carol), "") // who never was there
}

// Profiles are written into the member events of those who join or are invited, reasons and flags where they belong.
func TestMemberContent(t *testing.T) {
	w := newWorld(t)
	for name, value := range map[string]string{"displayname": `"Bob"`, "avatar_url": `"mxc://here.example/b"`} {
		if _, err := w.accounts.SetProfileField(t.Context(), bob, name, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	r := w.create(Creation{Preset: "public_chat"})
	for _, c := range []struct {
		change Change
		want   string
	}{
		{Change{Sender: alice, Target: bob, Membership: "invite", Reason: "come", Extra: []byte(`{"is_direct":true,"membership":"ban"}`)},
			`{"avatar_url":"mxc://here.example/b","displayname":"Bob","is_direct":true,"membership":"invite","reason":"come"}`},
		{Change{Sender: bob, Target: bob, Membership: "join"}, `{"avatar_url":"mxc://here.example/b","displayname":"Bob","membership":"join"}`},
		{Change{Sender: bob, Target: bob, Membership: "join", Extra: []byte(`{"displayname":"only here","join_authorised_via_users_server":"@alice:here.example"}`)},
			`{"avatar_url":"mxc://here.example/b","displayname":"only here","membership":"join"}`},
		{Change{Sender: bob, Target: bob, Membership: "leave", Reason: "bye"}, `{"membership":"leave","reason":"bye"}`},
	} {
		if _, err := w.rooms.SetMembership(t.Context(), r, c.change); err != nil {
			t.Fatal(err)
		}
		if got := w.state(r, "m.room.member", string(bob)); got != c.want {
			t.Errorf("%s: content %s, want %s", c.change.Membership, got, c.want)
		}
	}
}

// spec: client-server-api#invite-permission
func TestBlockedInvites(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{})
	set := func(content string) {
		t.Helper()
		if _, err := w.accounts.SetData(t.Context(), bob, 0, "m.invite_permission_config", []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	set(`{"default_action":"block"}`)
	wantCode(t, w.change(r, alice, bob, "invite"), matrix.MInviteBlocked)
	wantCode(t, w.change(r, carol, bob, "invite"), matrix.MForbidden) // the room's rules come first
	_, err := w.rooms.Create(t.Context(), Creation{Creator: alice, Invite: []matrix.UserID{bob}})
	wantCode(t, err, matrix.MInviteBlocked)
	set(`{}`)
	wantCode(t, w.change(r, alice, bob, "invite"), "")
	w.timeline(r)
}
