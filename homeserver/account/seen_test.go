package account

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"hearth/matrix"
	"hearth/storage/blobtest"
)

func TestSeen(t *testing.T) {
	clock := &watch{now: time.UnixMilli(1_700_000_000_000)}
	a := newAccounts(t, Options{Now: clock.Now})
	_, err := a.Create(t.Context(), "alice", "secret", NewUser{})
	wantCode(t, err, "")
	s := session(t, a, "PHONE")
	began := clock.Now()
	seen := func(a *Accounts, at time.Time, from string) {
		t.Helper()
		d, err := a.Device(t.Context(), alice, "PHONE")
		wantCode(t, err, "")
		if !d.Seen.Equal(at) || d.Address != from {
			t.Errorf("seen at %v from %q, want %v from %q", d.Seen, d.Address, at, from)
		}
	}
	fresh := func() *Accounts { return New(a.store, Options{Server: a.server, Cost: cheap()}) }
	seen(a, began, "")
	clock.pass(time.Hour)
	a.Saw(s, netip.MustParseAddr("192.0.2.7"))
	seen(a, clock.Now(), "192.0.2.7")
	seen(fresh(), began, "")
	wantCode(t, a.WriteSeen(t.Context()), "")
	seen(fresh(), clock.Now(), "192.0.2.7")
	wantCode(t, a.RenameDevice(t.Context(), alice, "PHONE", "new"), "")
	seen(fresh(), clock.Now(), "192.0.2.7")
	// A device that is gone does not come back.
	a.Saw(s, netip.Addr{})
	wantCode(t, a.Logout(t.Context(), s), "")
	wantCode(t, a.WriteSeen(t.Context()), "")
	if d, err := a.Device(t.Context(), alice, "PHONE"); d != nil || err != nil {
		t.Errorf("the device is %+v, %v", d, err)
	}
}

func TestSeenIsWrittenNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := &failing{Memory: blobtest.NewMemory()}
		a := New(openStore(t, backend), Options{Server: "here.example", Cost: cheap()})
		_, err := a.Create(t.Context(), "alice", "secret", NewUser{})
		wantCode(t, err, "")
		s := session(t, a, "PHONE")
		at := func(want string) {
			t.Helper()
			if d, err := a.storedDevice(t.Context(), alice, "PHONE"); err != nil || d.Address != want {
				t.Errorf("stored: %+v, %v, want %q", d, err, want)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		var failures []error
		done := make(chan struct{})
		go func() { defer close(done); a.KeepSeen(ctx, func(err error) { failures = append(failures, err) }) }()
		a.Saw(s, netip.MustParseAddr("192.0.2.1"))
		at("")
		time.Sleep(seenPause)
		synctest.Wait()
		at("192.0.2.1")
		a.Saw(s, netip.MustParseAddr("192.0.2.2"))
		stop()
		<-done
		at("192.0.2.2")
		if len(failures) > 0 {
			t.Error(failures)
		}
		full := errors.New("disk full")
		backend.set(full)
		a.Saw(s, netip.MustParseAddr("192.0.2.3"))
		if err := a.WriteSeen(t.Context()); !errors.Is(err, full) {
			t.Errorf("error %v", err)
		}
		backend.set(nil)
	})
}

// Threat 12: the sightings are bounded.
func TestSeenIsBounded(t *testing.T) {
	a := newAccounts(t, Options{})
	for i := range 2 * maxSeen {
		a.Saw(Session{User: alice, Device: fmt.Sprint(i)}, netip.Addr{})
	}
	select {
	case <-a.seen.full:
	default:
		t.Error("nobody is told that there are enough")
	}
	if n := len(a.seen.take()); n != maxSeen {
		t.Errorf("%d are remembered", n)
	}
}

func TestSawAllocatesNothing(t *testing.T) {
	a := newAccounts(t, Options{})
	s, from := Session{User: alice, Device: "PHONE"}, netip.MustParseAddr("2001:db8::1")
	a.Saw(s, from)
	if n := testing.AllocsPerRun(100, func() { a.Saw(s, from) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRenameDevice(t *testing.T) {
	a := withAlice(t)
	session(t, a, "PHONE")
	wantCode(t, a.RenameDevice(t.Context(), alice, "PHONE", "My phone"), "")
	d, err := a.Device(t.Context(), alice, "PHONE")
	wantCode(t, err, "")
	if d.Name != "My phone" {
		t.Errorf("it is called %q", d.Name)
	}
	wantCode(t, a.RenameDevice(t.Context(), alice, "OTHER", "x"), matrix.MNotFound)
	wantCode(t, a.RenameDevice(t.Context(), alice, "PHONE", string(make([]byte, MaxDeviceName+1))), matrix.MTooLarge)
}

// The others go in the same change as the old password.
func TestChangePassword(t *testing.T) {
	a := withAlice(t)
	kept, other := session(t, a, "PHONE"), session(t, a, "LAPTOP")
	valid(t, a, kept.Token)
	valid(t, a, other.Token)
	gone, err := a.ChangePassword(t.Context(), alice, "new", "PHONE")
	wantCode(t, err, "")
	if len(gone) != 1 || gone[0] != "LAPTOP" || !valid(t, a, kept.Token) || valid(t, a, other.Token) {
		t.Errorf("removed %v", gone)
	}
	wantCode(t, a.CheckPassword(t.Context(), alice, "secret"), matrix.MForbidden)
	wantCode(t, a.CheckPassword(t.Context(), alice, "new"), "")
	_, err = a.ChangePassword(t.Context(), alice, "", "")
	wantCode(t, err, matrix.MWeakPassword)
	_, err = a.ChangePassword(t.Context(), "@nobody:here.example", "x", "")
	wantCode(t, err, matrix.MNotFound)
}
