package room

import (
	"fmt"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// restricted makes a room that members of another may join.
func restricted(w *world, v matrix.Version, rule string, power string) (space, r *store.Room) {
	w.t.Helper()
	space = w.create(Creation{Preset: "public_chat"})
	c := Creation{Version: v, InitialState: []InitialState{{Type: "m.room.join_rules", Content: fmt.Appendf(nil,
		`{"join_rule":%q,"allow":[{"type":"x.other","room_id":"!x:x"},{"type":"m.room_membership","room_id":"!unknown:x"},7,{"type":"m.room_membership","room_id":%q}]}`, rule, space.ID)}}}
	if power != "" {
		c.PowerOverride = []byte(power)
	}
	return space, w.create(c)
}

// spec: client-server-api#restricted-rooms
func TestRestrictedJoin(t *testing.T) {
	for _, c := range []struct {
		version matrix.Version
		rule    string
		code    string // for a member of the space
	}{
		{"7", "restricted", matrix.MForbidden},
		{"8", "restricted", ""},
		{"9", "restricted", ""},
		{"10", "knock_restricted", ""},
		{"9", "knock_restricted", matrix.MForbidden},
		{"12", "restricted", ""},
	} {
		t.Run(string(c.version)+" "+c.rule, func(t *testing.T) {
			w := newWorld(t)
			space, r := restricted(w, c.version, c.rule, "")
			wantCode(t, w.change(r, bob, bob, "join"), matrix.MForbidden)
			w.join(space, bob)
			wantCode(t, w.change(r, bob, bob, "join"), c.code)
			if c.code != "" {
				return
			}
			if got := w.state(r, "m.room.member", string(bob)); field(t, got, "join_authorised_via_users_server") != string(alice) {
				t.Errorf("content %s", got)
			}
			// Later member events need nobody's word, and do not carry it on.
			w.rename("Bob")
			if err := w.rooms.ProfileChanged(t.Context(), bob); err != nil {
				t.Fatal(err)
			}
			if got := w.state(r, "m.room.member", string(bob)); got != `{"displayname":"Bob","membership":"join"}` {
				t.Errorf("content %s", got)
			}
			wantCode(t, w.change(r, alice, carol, "invite"), "")
			wantCode(t, w.change(r, carol, carol, "join"), "")
			if got := w.state(r, "m.room.member", string(carol)); got != `{"membership":"join"}` {
				t.Errorf("content %s", got)
			}
			wantCode(t, w.change(r, alice, bob, "ban"), "")
			wantCode(t, w.change(r, bob, bob, "join"), matrix.MForbidden)
			w.timeline(r)
		})
	}
}

// Who may not join cannot name somebody who lets them in: this server would sign it.
func TestForgedAuthorisation(t *testing.T) {
	w := newWorld(t)
	_, r := restricted(w, "11", "restricted", "")
	_, err := w.rooms.SetMembership(t.Context(), r, Change{
		Sender: bob, Target: bob, Membership: "join", Extra: []byte(`{"membership":"join","join_authorised_via_users_server":"@alice:here.example"}`),
	})
	wantCode(t, err, matrix.MForbidden)
	_, err = w.rooms.SetState(t.Context(), r, Message{Sender: bob, Type: "m.room.member",
		Content: []byte(`{"membership":"join","join_authorised_via_users_server":"@alice:here.example"}`)}, string(bob))
	wantCode(t, err, matrix.MForbidden)
	w.timeline(r)
}

// The one who vouches is joined, of this server and has the power to invite.
func TestAuthoriser(t *testing.T) {
	w := newWorld(t)
	space, r := restricted(w, "11", "restricted", `{"users":{"@alice:here.example":100,"@carol:here.example":100},"invite":60}`)
	w.join(space, bob)
	w.join(space, carol)
	w.join(r, carol)
	wantCode(t, w.change(r, alice, alice, "leave"), "")
	w.join(r, bob)
	if got := w.state(r, "m.room.member", string(bob)); field(t, got, "join_authorised_via_users_server") != string(carol) {
		t.Errorf("content %s", got)
	}
	wantCode(t, w.change(r, bob, bob, "leave"), "")
	wantCode(t, w.change(r, carol, carol, "leave"), "")
	wantCode(t, w.change(r, bob, bob, "join"), matrix.MUnableToGrantJoin)

	// Anybody may invite: somebody without a level of their own vouches.
	space, r = restricted(w, "10", "restricted", `{"invite":0}`)
	w.join(space, bob)
	w.join(space, carol)
	w.join(r, carol)
	wantCode(t, w.change(r, alice, alice, "leave"), "")
	w.join(r, bob)
	if got := w.state(r, "m.room.member", string(bob)); field(t, got, "join_authorised_via_users_server") != string(carol) {
		t.Errorf("content %s", got)
	}
	w.timeline(r)
}

// In rooms whose power levels are strings, they count as the numbers that they are.
func TestAuthoriserWithLevelsAsStrings(t *testing.T) {
	w := newWorld(t)
	space, r := restricted(w, "9", "restricted", `{"users":{"@alice:here.example":"100"},"invite":"60"}`)
	w.join(space, bob)
	w.join(r, bob)
	if got := w.state(r, "m.room.member", string(bob)); field(t, got, "join_authorised_via_users_server") != string(alice) {
		t.Errorf("content %s", got)
	}
	w.timeline(r)
}
