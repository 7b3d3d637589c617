package room

import (
	"testing"

	"hearth/homeserver/store"
)

// An alias and its mention go together or not at all.
func TestDropAlias(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{Alias: "#a:here.example", Preset: "public_chat"})
	w.join(r, bob)
	done := func(tx *store.Tx) { tx.Set("test", []byte("gone"), []byte("yes")) }
	gone := func() bool {
		t.Helper()
		v, err := w.store.Row(t.Context(), "test", []byte("gone"))
		if err != nil {
			t.Fatal(err)
		}
		return v != nil
	}
	w.backend.set(full)
	if err := w.rooms.DropAlias(t.Context(), r, alice, "#a:here.example", done); err == nil || gone() {
		t.Error("acknowledged on a full disk")
	}
	w.backend.set(nil)
	const named = `{"alias":"#a:here.example"}`
	if got := w.state(r, aliasType, ""); got != named {
		t.Errorf("the room names %s", got)
	}
	if err := w.rooms.DropAlias(t.Context(), r, bob, "#a:here.example", done); err != nil || !gone() || w.state(r, aliasType, "") != named {
		t.Errorf("bob, who may not change the room: %v, %t, %s", err, gone(), w.state(r, aliasType, ""))
	}
	if err := w.rooms.DropAlias(t.Context(), r, alice, "#other:here.example", done); err != nil || w.state(r, aliasType, "") != named {
		t.Errorf("another alias: %v, %s", err, w.state(r, aliasType, ""))
	}
	if err := w.rooms.DropAlias(t.Context(), r, alice, "#a:here.example", done); err != nil || w.state(r, aliasType, "") != "{}" {
		t.Errorf("alice: %v, %s", err, w.state(r, aliasType, ""))
	}
	w.timeline(r)
}
