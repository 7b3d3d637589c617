package clientapi

import (
	"slices"
	"testing"

	"hearth/matrix"
)

// spec: client-server-api#get_matrixclientv3joined_rooms
func TestJoinedRooms(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	want := func(rooms ...matrix.RoomID) {
		t.Helper()
		got, err := bob.JoinedRooms(t.Context())
		must(t, err)
		slices.Sort(got)
		slices.Sort(rooms)
		if !slices.Equal(got, rooms) {
			t.Errorf("joined %v, want %v", got, rooms)
		}
	}
	if got := ts.want(bob, "GET", v3+"/joined_rooms", "", 200, ""); got != `{"joined_rooms":[]}` {
		t.Errorf("answer %s", got)
	}
	var rooms []matrix.RoomID
	for range 3 {
		rooms = append(rooms, ts.createRoom(alice, `{"preset":"public_chat","invite":["@bob:here.example"]}`))
	}
	want()
	for _, r := range rooms {
		_, err := bob.Join(t.Context(), string(r))
		must(t, err)
	}
	own := ts.createRoom(bob, `{}`)
	want(rooms[0], rooms[1], rooms[2], own)
	must(t, bob.Leave(t.Context(), rooms[0]))
	must(t, alice.Kick(t.Context(), rooms[1], bob.User, ""))
	must(t, alice.Ban(t.Context(), rooms[2], bob.User, ""))
	want(own)
}
