package room

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"hearth/homeserver/account"
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

// setName changes bob's profile as a request does, and is killed before the rooms show it.
func (w *world) setName(name string) {
	w.t.Helper()
	_, err := w.accounts.SetProfileField(w.t.Context(), bob, "displayname", fmt.Appendf(nil, "%q", name), func(tx *store.Tx, pos store.Pos) { MarkProfile(tx, bob, pos) })
	if err != nil {
		w.t.Fatal(err)
	}
}

// showing counts the rooms that show bob by a name.
func (w *world) showing(rooms []*store.Room, name string) int {
	w.t.Helper()
	n := 0
	for _, r := range rooms {
		if field(w.t, w.state(r, "m.room.member", string(bob)), "displayname") == name {
			n++
		}
	}
	return n
}

func (w *world) unshown() int {
	w.t.Helper()
	marks, err := w.rooms.marks(w.t.Context(), bob)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(marks)
}

// A change that was acknowledged by nobody since the server died, or the disk was full, half way through the rooms is
// finished later.
func TestProfileResumes(t *testing.T) {
	w := newWorld(t, Options{Hot: 4})
	var rooms []*store.Room
	for range 30 {
		r := w.create(Creation{Preset: "public_chat"})
		w.join(r, bob)
		rooms = append(rooms, r)
	}
	if n, err := w.rooms.ShowProfiles(t.Context()); n != 0 || err != nil {
		t.Errorf("%d users, %v", n, err)
	}
	w.setName("Robert")
	w.open() // killed before the first room
	if n, err := w.rooms.ShowProfiles(t.Context()); n != 1 || err != nil || w.showing(rooms, "Robert") != 30 {
		t.Errorf("%d users, %v, %d rooms", n, err, w.showing(rooms, "Robert"))
	}
	w.setName("Bob")
	w.setName("Bobby")
	var good atomic.Int64
	w.backend.set(func() error {
		if good.Add(1) > 2 {
			return full()
		}
		return nil
	})
	if err := w.rooms.ProfileChanged(t.Context(), bob); err == nil {
		t.Error("acknowledged on a full disk")
	}
	w.backend.set(nil)
	w.open()
	if n := w.showing(rooms, "Bobby"); n == 0 || n == 30 || w.unshown() != 2 {
		t.Errorf("%d rooms show the change, %d marks", n, w.unshown())
	}
	if n, err := w.rooms.ShowProfiles(t.Context()); n != 1 || err != nil || w.showing(rooms, "Bobby") != 30 {
		t.Errorf("%d users, %v, %d rooms", n, err, w.showing(rooms, "Bobby"))
	}
	w.open()
	if n, err := w.rooms.ShowProfiles(t.Context()); n != 0 || err != nil || w.unshown() != 0 {
		t.Errorf("%d users, %v, %d marks", n, err, w.unshown())
	}
	for _, r := range rooms {
		w.timeline(r)
	}
}

// Many changes at once go through the rooms twice at most.
func TestProfilesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.create(Creation{Preset: "public_chat"})
		w.join(r, bob)
		n := len(w.timeline(r))
		w.setName("first")
		release := w.backend.hold()
		done := make(chan error, 50)
		go func() { done <- w.rooms.ProfileChanged(t.Context(), bob) }()
		synctest.Wait()
		for range 49 {
			go func() { done <- w.rooms.ProfileChanged(t.Context(), bob) }()
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.rooms.ProfileChanged(cancelled, bob); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		synctest.Wait()
		if len(done) != 0 {
			t.Fatalf("%d did not wait until it was durable", len(done))
		}
		w.rooms.mu.Lock()
		if s := w.rooms.spreads[bob]; s == nil || s.asked != 51 {
			t.Errorf("spreading %+v", s)
		}
		w.rooms.mu.Unlock()
		release()
		for range 50 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if len(w.timeline(r)) != n+1 || len(w.rooms.spreads) != 0 {
			t.Errorf("%d events more, %d spreads", len(w.timeline(r))-n, len(w.rooms.spreads))
		}
		w.store.Close()
	})
}

// BenchmarkProfile changes the name of a user who is in 1,000 rooms.
func BenchmarkProfile(b *testing.B) {
	w := &world{t: b}
	w.start(onDisk(b))
	if _, err := w.accounts.Create(b.Context(), "bob", "", account.NewUser{}); err != nil {
		b.Fatal(err)
	}
	var rooms []*store.Room
	for range 1000 {
		r := w.create(Creation{Preset: "public_chat"})
		w.join(r, bob)
		rooms = append(rooms, r)
	}
	n := 0
	for b.Loop() {
		n++
		w.setName(fmt.Sprint("name ", n))
		if err := w.rooms.ProfileChanged(b.Context(), bob); err != nil {
			b.Fatal(err)
		}
	}
	if got := w.showing(rooms, fmt.Sprint("name ", n)); got != len(rooms) {
		b.Errorf("%d rooms show the name", got)
	}
}
