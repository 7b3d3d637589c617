package clientapi

import (
	"slices"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// typers returns who types, and whether the room says so at all.
func typers(t testing.TB, r *wire.JoinedRoom) (users []string, said bool) {
	t.Helper()
	if r == nil {
		return nil, false
	}
	for _, e := range r.Ephemeral.Events {
		if e.Type == "m.typing" {
			said = true
			raw, _ := matrix.Field(e.Content, "user_ids")
			matrix.EachElement(raw, func(u []byte) bool {
				s, _ := matrix.String(u)
				users = append(users, matrix.UserID(s).Localpart())
				return true
			})
		}
	}
	return users, said
}

func TestTyping(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob, carol)
	f := follow(t, alice, "")
	f.next()
	want := func(what string, a *wire.SyncAnswer, said bool, users ...string) {
		t.Helper()
		got, ok := typers(t, a.Rooms.Join[room])
		if ok != said || !slices.Equal(got, users) {
			t.Errorf("%s: %q %v, want %q %v", what, got, ok, users, said)
		}
	}
	must(t, bob.Typing(t.Context(), room, true, 60000))
	want("one types", f.poll(), true, "bob")
	want("nothing new", f.next(), false)
	must(t, bob.Typing(t.Context(), room, true, 60000))
	want("still", f.next(), false)
	must(t, carol.Typing(t.Context(), room, true, 60000))
	want("two type", f.poll(), true, "bob", "carol")
	want("at first", follow(t, bob, "").next(), true, "bob", "carol")
	want("filtered", follow(t, bob, `{"room":{"ephemeral":{"types":["m.receipt"]}}}`).next(), false)
	must(t, bob.Typing(t.Context(), room, false, 0))
	want("one has stopped", f.poll(), true, "carol")
	must(t, bob.Typing(t.Context(), room, false, 0))
	want("stopping again", f.next(), false)
	must(t, carol.Leave(t.Context(), room))
	want("who leaves types no more", f.poll(), true)
	want("at first", follow(t, bob, "").next(), false)
	// A timeout runs out by itself.
	must(t, bob.Typing(t.Context(), room, true, 1))
	for users, said := typers(t, f.poll().Rooms.Join[room]); !said || len(users) > 0; users, said = typers(t, f.poll().Rooms.Join[room]) {
		if len(users) > 1 {
			t.Fatalf("typing: %q", users)
		}
	}
}

func TestTypingErrors(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice)
	path := wire.RoomPath(room, "typing", string(alice.User))
	ts.want(alice, "PUT", path, `{"typing":true}`, 200, "")
	ts.want(alice, "PUT", path, `{"typing":true,"timeout":-5}`, 200, "")
	ts.want(alice, "PUT", path, `{"typing":true,"timeout":9007199254740991}`, 200, "")
	ts.want(alice, "PUT", path, `{"typing":false}`, 200, "")
	ts.want(alice, "PUT", path, `{}`, 400, matrix.MMissingParam)
	ts.want(alice, "PUT", path, `{"typing":"yes"}`, 400, matrix.MBadJSON)
	ts.want(bob, "PUT", path, `{"typing":true}`, 403, matrix.MForbidden)
	ts.want(bob, "PUT", wire.RoomPath(room, "typing", string(bob.User)), `{"typing":true}`, 403, matrix.MForbidden)
	ts.want(bob, "PUT", wire.RoomPath("!no:here.example", "typing", string(bob.User)), `{"typing":true}`, 403, matrix.MForbidden)
}
