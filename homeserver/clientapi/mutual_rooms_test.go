package clientapi

import (
	"fmt"
	"slices"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

func TestMutualRooms(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	want := func(c *wire.Client, user matrix.UserID, want ...matrix.RoomID) {
		t.Helper()
		var all []matrix.RoomID
		from := ""
		for range 5 {
			rooms, count, next, err := c.MutualRooms(t.Context(), user, from)
			must(t, err)
			all = append(all, rooms...)
			if count != int64(len(want)) {
				t.Errorf("%d rooms, want %d", count, len(want))
			}
			if from = next; from == "" {
				break
			}
		}
		if !slices.Equal(all, append([]matrix.RoomID(nil), want...)) {
			t.Errorf("rooms %q, want %q", all, want)
		}
	}
	want(alice, bob.User)
	one, two := conversation(t, alice, bob), conversation(t, bob, carol)
	must(t, bob.Invite(t.Context(), two, alice.User))
	three := conversation(t, carol, bob, alice)
	want(alice, bob.User, one, three)
	want(bob, alice.User, one, three)
	must(t, bob.Leave(t.Context(), one))
	want(alice, bob.User, three)
	want(alice, "@nobody:here.example")
	want(alice, "@somebody:there.example")
	many := []matrix.RoomID{three}
	for range mutualPage + 5 {
		many = append(many, conversation(t, alice, bob))
	}
	want(alice, bob.User, many...)
	const path = "/_matrix/client/v1/mutual_rooms"
	for _, query := range []string{"", "?user_id=x", "?user_id=" + string(alice.User), "?user_id=@%C3%A9:here.example", "?user_id=@:here.example", "?user_id=@b:x&from=x", "?user_id=@b:x&from=m"} {
		ts.want(alice, "GET", path+query, "", 400, matrix.MInvalidParam)
	}
	ts.want(ts.anonymous(), "GET", path, "", 401, matrix.MMissingToken)
}

func FuzzMutualToken(f *testing.F) {
	f.Add("m7") // the example in the comment
	f.Add("m")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := mutualToken(s)
		if err != nil || s == "" {
			return
		}
		if again, err := mutualToken(fmt.Sprint("m", n)); err != nil || again != n {
			t.Errorf("%q reads as %d, then as %d, %v", s, n, again, err)
		}
	})
}
