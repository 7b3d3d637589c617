package room

import (
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// Threat 12: one user does not fill the disk with rooms; a deleted room makes room for another, and the server's own
// rooms are not counted against it.
func TestMadeRoomsAreBounded(t *testing.T) {
	k := newWorld(t)
	first := k.create(Creation{Creator: alice})
	_, err := k.store.Apply(t.Context(), func(tx *store.Tx) {
		for i := range store.RoomNum(MaxMade - 1) {
			tx.Set(tableMade, madeKey(alice, 1_000_000+i), []byte{})
		}
	})
	wantCode(t, err, "")
	_, err = k.rooms.Create(t.Context(), Creation{Creator: alice})
	wantCode(t, err, matrix.MUserLimitExceeded)
	_, err = k.rooms.Upgrade(t.Context(), first, Upgrade{Sender: alice, Version: "11"})
	wantCode(t, err, matrix.MUserLimitExceeded)
	_, err = k.rooms.Create(t.Context(), Creation{Creator: bob})
	wantCode(t, err, "")
	_, err = k.rooms.Create(t.Context(), Creation{Creator: alice, Unlimited: true})
	wantCode(t, err, "")
	_, err = k.store.Apply(t.Context(), func(tx *store.Tx) { tx.Delete(tableMade, madeKey(alice, 1_000_000)) })
	wantCode(t, err, "")
	_, err = k.rooms.Delete(t.Context(), first, "", false)
	wantCode(t, err, "")
	_, err = k.rooms.Create(t.Context(), Creation{Creator: alice})
	wantCode(t, err, "")
}

func TestJoinedRoomsAreBounded(t *testing.T) {
	k := newWorld(t)
	in := k.create(Creation{Creator: alice, Preset: "public_chat"})
	out := k.create(Creation{Creator: alice, Preset: "public_chat"})
	join := func(room *store.Room) error {
		_, err := k.rooms.SetMembership(t.Context(), room, Change{Sender: bob, Target: bob, Membership: "join"})
		return err
	}
	wantCode(t, join(in), "")
	_, err := k.store.Apply(t.Context(), func(tx *store.Tx) {
		for i := range store.RoomNum(MaxJoined - 1) {
			tx.PutMembership(bob, &store.Membership{Room: 1_000_000 + i, Membership: "join"})
		}
	})
	wantCode(t, err, "")
	wantCode(t, join(in), "")
	wantCode(t, join(out), matrix.MUserLimitExceeded)
}
