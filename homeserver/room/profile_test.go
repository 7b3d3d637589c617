package room

import (
	"fmt"
	"sync"
	"testing"

	"hearth/homeserver/store"
)

func (w *world) rename(name string) {
	w.t.Helper()
	if _, err := w.accounts.SetProfileField(w.t.Context(), bob, "displayname", fmt.Appendf(nil, "%q", name)); err != nil {
		w.t.Fatal(err)
	}
}

// A new name goes to all rooms that the user has joined, and to no other.
// spec: client-server-api#events-on-change-of-profile-information
func TestProfileChanged(t *testing.T) {
	w := newWorld(t, Options{Hot: 2})
	var in []*store.Room
	for range 5 {
		r := w.create(Creation{Preset: "public_chat"})
		w.join(r, bob)
		in = append(in, r)
	}
	left, invited := w.create(Creation{Preset: "public_chat"}), w.create(Creation{})
	w.join(left, bob)
	if err := w.change(left, bob, bob, "leave"); err != nil {
		t.Fatal(err)
	}
	if err := w.change(invited, alice, bob, "invite"); err != nil {
		t.Fatal(err)
	}
	w.rename("Robert")
	if err := w.rooms.ProfileChanged(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	for _, r := range in {
		if got := w.state(r, "m.room.member", string(bob)); got != `{"displayname":"Robert","membership":"join"}` {
			t.Errorf("content %s", got)
		}
		if m := w.membership(bob, r); m.Since != 7 || m.Order != 8 {
			t.Errorf("membership %+v", m)
		}
	}
	for r, want := range map[*store.Room]string{left: `{"membership":"leave"}`, invited: `{"membership":"invite"}`} {
		if got := w.state(r, "m.room.member", string(bob)); got != want {
			t.Errorf("content %s, want %s", got, want)
		}
	}
	before := w.store.Durable()
	if err := w.rooms.ProfileChanged(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	if w.store.Durable() != before {
		t.Error("a profile that did not change was written")
	}
}

// When names change at the same time, all rooms end with the one that the profile has.
func TestConcurrentProfiles(t *testing.T) {
	w := newWorld(t)
	var rooms []*store.Room
	for range 4 {
		r := w.create(Creation{Preset: "public_chat"})
		w.join(r, bob)
		rooms = append(rooms, r)
	}
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			w.rename(fmt.Sprint("name ", i))
			if err := w.rooms.ProfileChanged(t.Context(), bob); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	p, err := w.accounts.Profile(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rooms {
		if got := field(t, w.state(r, "m.room.member", string(bob)), "displayname"); got != p.DisplayName {
			t.Errorf("a room shows %q, the profile %q", got, p.DisplayName)
		}
		w.timeline(r)
	}
}

// A room that refuses is left as it is, and a write that fails is reported.
func TestRefusedProfile(t *testing.T) {
	w := newWorld(t)
	good := w.create(Creation{Preset: "public_chat"})
	strict := w.create(Creation{Preset: "public_chat", Version: "11"})
	w.join(strict, bob)
	w.join(good, bob)
	// Joined users stay so, but a join rule that nobody knows lets nobody join again.
	w.setState(strict, alice, "m.room.join_rules", "", `{"join_rule":"strange"}`)
	w.rename("Bobby")
	if err := w.rooms.ProfileChanged(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	if got := field(t, w.state(good, "m.room.member", string(bob)), "displayname"); got != "Bobby" {
		t.Errorf("name %q", got)
	}
	if got := field(t, w.state(strict, "m.room.member", string(bob)), "displayname"); got != "" {
		t.Errorf("name %q", got)
	}
	w.rename("Bo")
	w.backend.set(full)
	if err := w.rooms.ProfileChanged(t.Context(), bob); err == nil {
		t.Error("acknowledged on a full disk")
	}
	w.backend.set(nil)
	if err := w.rooms.ProfileChanged(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	if got := field(t, w.state(good, "m.room.member", string(bob)), "displayname"); got != "Bo" {
		t.Errorf("name %q", got)
	}
}
