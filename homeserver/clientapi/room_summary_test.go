package clientapi

import (
	"slices"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// restricted makes a room that the members of another may join.
func restricted(t testing.TB, c *wire.Client, rule string, allowed matrix.RoomID) matrix.RoomID {
	t.Helper()
	room, err := c.CreateRoom(t.Context(), wire.CreateRoom{Preset: "private_chat"})
	must(t, err)
	_, err = c.SendState(t.Context(), room, "m.room.join_rules", "", map[string]any{
		"join_rule": rule, "allow": []map[string]string{{"type": "m.room_membership", "room_id": string(allowed)}, {"type": "x"}},
	})
	must(t, err)
	return room
}

func TestRoomSummary(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room, err := alice.CreateRoom(t.Context(), wire.CreateRoom{
		Preset: "public_chat", Name: "Cheese", Topic: "Tasty", AliasName: "cheese", CreationContent: map[string]string{"type": "m.space"},
	})
	must(t, err)
	for typ, content := range map[string]map[string]string{
		"m.room.avatar": {"url": "mxc://here.example/a"}, "m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"},
		"m.room.guest_access": {"guest_access": "can_join"},
	} {
		_, err := alice.SendState(t.Context(), room, typ, "", content)
		must(t, err)
	}
	want := wire.RoomSummary{
		RoomID: room, Name: "Cheese", Topic: "Tasty", Alias: "#cheese:here.example", Avatar: "mxc://here.example/a", JoinRule: "public",
		Type: "m.space", Joined: 1, GuestsCanJoin: true, Encryption: "m.megolm.v1.aes-sha2", Version: matrix.DefaultVersion, Membership: "leave",
	}
	same := func(c *wire.Client, name string) {
		t.Helper()
		got, err := c.RoomSummary(t.Context(), name)
		must(t, err)
		if a, b := got, want; !slices.Equal(a.Allowed, b.Allowed) || a.Name != b.Name || a.Topic != b.Topic || a.Alias != b.Alias || a.Avatar != b.Avatar ||
			a.JoinRule != b.JoinRule || a.Type != b.Type || a.Joined != b.Joined || a.GuestsCanJoin != b.GuestsCanJoin || a.WorldReadable != b.WorldReadable ||
			a.Encryption != b.Encryption || a.Version != b.Version || a.Membership != b.Membership || a.RoomID != b.RoomID {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	same(bob, string(room))
	same(bob, want.Alias)
	want.Membership = "join"
	same(alice, string(room))
	want.Membership = ""
	same(ts.anonymous(), want.Alias)
}

// TestRoomSummaryIsForWhoMaySee: by each join rule, for a member, somebody invited, a member of the allowed room, a
// stranger and nobody.
func TestRoomSummaryIsForWhoMaySee(t *testing.T) {
	ts := newServer(t)
	alice, invited, friend, stranger := ts.register("alice"), ts.register("invited"), ts.register("friend"), ts.register("stranger")
	club := conversation(t, alice, friend)
	for _, c := range []struct {
		rule              string
		version           matrix.Version
		friends, everyone bool
	}{
		{"public", "", true, true}, {"knock", "", true, true}, {"knock", "6", false, false}, {"knock_restricted", "", true, true}, {"knock_restricted", "9", false, false},
		{"restricted", "", true, false}, {"restricted", "7", false, false}, {"invite", "", false, false}, {"private", "", false, false}, {"unheard of", "", false, false},
	} {
		room, err := alice.CreateRoom(t.Context(), wire.CreateRoom{Preset: "private_chat", Version: c.version, Invite: []matrix.UserID{invited.User}})
		must(t, err)
		_, err = alice.SendState(t.Context(), room, "m.room.join_rules", "", map[string]any{
			"join_rule": c.rule, "allow": []map[string]string{{"type": "m.room_membership", "room_id": string(club)}},
		})
		must(t, err)
		for user, sees := range map[*wire.Client]bool{alice: true, invited: true, friend: c.friends, stranger: c.everyone, ts.anonymous(): c.everyone} {
			s, err := user.RoomSummary(t.Context(), string(room))
			if sees {
				must(t, err)
				if c.rule == "restricted" && c.version == "" && !slices.Equal(s.Allowed, []matrix.RoomID{club}) {
					t.Errorf("allowed: %q", s.Allowed)
				}
			} else {
				wantError(t, err, 404, matrix.MNotFound)
			}
		}
		visibility(t, alice, room, "world_readable")
		_, err = ts.anonymous().RoomSummary(t.Context(), string(room))
		must(t, err)
	}
}

func TestRoomSummaryErrors(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	path := func(name string) string { return wire.Path("/_matrix/client/v1/room_summary", name) }
	ts.want(alice, "GET", path("!no:here.example"), "", 404, matrix.MNotFound)
	ts.want(alice, "GET", path("#no:here.example"), "", 404, matrix.MNotFound)
	ts.want(alice, "GET", path("#no:there.example"), "", 404, matrix.MNotFound)
	ts.want(alice, "GET", path("no"), "", 400, matrix.MInvalidParam)
	ts.want(alice, "GET", path("#no"), "", 400, matrix.MInvalidParam)
	alice.Token = "unknown"
	ts.want(alice, "GET", path("!no:here.example"), "", 401, matrix.MUnknownToken)
}
