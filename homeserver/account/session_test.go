package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

func wholeTable(name string) blob.Range { return blob.Range{Table: name} }

func session(t testing.TB, a *Accounts, device string) Session {
	t.Helper()
	s, err := a.NewSession(t.Context(), alice, device, device+"'s name")
	wantCode(t, err, "")
	return s
}

// valid reports whether a token is accepted, by the cache and without it.
func valid(t testing.TB, a *Accounts, token string) bool {
	t.Helper()
	_, cached := a.Authenticate(t.Context(), token)
	fresh := New(a.store, Options{Server: a.server, Cost: cheap()})
	s, err := fresh.Authenticate(t.Context(), token)
	if (cached == nil) != (err == nil) {
		t.Fatalf("in memory: %v; on disk: %v", cached, err)
	}
	if err == nil && (s.User != alice || s.Token != token || s.Device == "" || s.Born == 0) {
		t.Fatalf("authenticated as %+v", s)
	}
	return err == nil
}

func TestAuthenticate(t *testing.T) {
	a := withAlice(t)
	s := session(t, a, "PHONE")
	for range 2 { // from the disk, then from memory
		got, err := a.Authenticate(t.Context(), s.Token)
		if err != nil || got != s {
			t.Errorf("authenticated as %+v, %v, want %+v", got, err, s)
		}
	}
	for _, token := range []string{"", "x", s.Token + "x", s.Token[1:], strings.Repeat("x", 100_000)} {
		_, err := a.Authenticate(t.Context(), token)
		wantCode(t, err, matrix.MUnknownToken)
	}
}

func TestTokensAreLongAndDifferent(t *testing.T) {
	a := withAlice(t)
	one, two := session(t, a, ""), session(t, a, "")
	if one.Token == two.Token || one.Device == two.Device || len(one.Token) < 43 || len(one.Device) != 10 {
		t.Errorf("sessions %+v and %+v", one, two)
	}
}

func TestNewSessionEndsTheOldOneOfTheDevice(t *testing.T) {
	a := withAlice(t)
	one, other := session(t, a, "PHONE"), session(t, a, "LAPTOP")
	valid(t, a, one.Token)
	two, err := a.NewSession(t.Context(), alice, "PHONE", "ignored")
	wantCode(t, err, "")
	if valid(t, a, one.Token) || !valid(t, a, two.Token) || !valid(t, a, other.Token) {
		t.Error("the wrong session ended")
	}
	d, err := a.Device(t.Context(), alice, "PHONE")
	wantCode(t, err, "")
	if d.Name != "PHONE's name" || d.Born != one.Born || two.Born != one.Born {
		t.Errorf("the device is %+v", d)
	}
}

func TestBadDeviceIDs(t *testing.T) {
	a := withAlice(t)
	for _, id := range []string{"a\x00b", "a\nb", "\x7f", strings.Repeat("x", 256), "\xff"} {
		_, err := a.NewSession(t.Context(), alice, id, "")
		wantCode(t, err, matrix.MInvalidParam)
		if d, err := a.Device(t.Context(), alice, id); d != nil || err != nil {
			t.Errorf("device %q: %v, %v", id, d, err)
		}
	}
}

func TestLogout(t *testing.T) {
	a := withAlice(t)
	one, two := session(t, a, "PHONE"), session(t, a, "LAPTOP")
	valid(t, a, one.Token)
	wantCode(t, a.Logout(t.Context(), one), "")
	if valid(t, a, one.Token) || !valid(t, a, two.Token) {
		t.Error("the wrong session ended")
	}
	devices, err := a.Devices(t.Context(), alice)
	wantCode(t, err, "")
	if len(devices) != 1 || devices[0].ID != "LAPTOP" {
		t.Errorf("left: %+v", devices)
	}
	wantCode(t, a.Logout(t.Context(), one), "")
	again := session(t, a, "PHONE")
	if again.Born <= one.Born {
		t.Errorf("the new device was born at %d, the old one at %d", again.Born, one.Born)
	}
}

func TestLogoutAll(t *testing.T) {
	a := withAlice(t)
	_, err := a.Create(t.Context(), "alice.2", "", NewUser{})
	wantCode(t, err, "")
	other, err := a.NewSession(t.Context(), "@alice.2:here.example", "", "")
	wantCode(t, err, "")
	one, two := session(t, a, "PHONE"), session(t, a, "LAPTOP")
	valid(t, a, one.Token)
	ids, err := a.LogoutAll(t.Context(), alice)
	wantCode(t, err, "")
	if fmt.Sprint(ids) != "[LAPTOP PHONE]" {
		t.Errorf("logged out %v", ids)
	}
	if valid(t, a, one.Token) || valid(t, a, two.Token) {
		t.Error("a session goes on")
	}
	_, err = a.Authenticate(t.Context(), other.Token)
	wantCode(t, err, "")
	ids, err = a.LogoutAll(t.Context(), alice)
	if len(ids) != 0 || err != nil {
		t.Errorf("logged out %v, %v", ids, err)
	}
}

// Threat 12: a user cannot make devices without end.
func TestDevicesAreLimited(t *testing.T) {
	a := withAlice(t)
	_, err := a.store.Apply(t.Context(), func(tx *store.Tx) {
		for i := range MaxDevices {
			id := fmt.Sprint("D", i)
			tx.Set(tableDevices, key(alice, id), appendDevice(nil, &Device{User: alice, ID: id}))
		}
	})
	wantCode(t, err, "")
	_, err = a.NewSession(t.Context(), alice, "", "")
	wantCode(t, err, matrix.MUserLimitExceeded)
	session(t, a, "D7")
}

// However logging in, logging out and asking meet, a session that ended is not remembered.
func TestLogoutWinsAgainstAuthenticate(t *testing.T) {
	a := withAlice(t)
	for range 50 {
		s := session(t, a, "PHONE")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { _, _ = a.Authenticate(t.Context(), s.Token) })
		}
		wg.Go(func() {
			if err := a.Logout(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		_, err := a.Authenticate(t.Context(), s.Token)
		wantCode(t, err, matrix.MUnknownToken)
	}
}

func TestSessionsInMemoryAreBounded(t *testing.T) {
	s := newSessions(8)
	keys := make([][32]byte, 100)
	for i := range keys {
		keys[i] = tokenKey(fmt.Sprint(i))
		s.put(keys[i], known{session: Session{User: alice}})
		if n := len(s.young) + len(s.old); n > 8 {
			t.Fatalf("%d are remembered", n)
		}
		if _, ok := s.get(keys[0]); !ok {
			t.Fatalf("the one that is always used was forgotten after %d", i)
		}
	}
	s.removeUser(alice)
	for _, k := range keys {
		if _, ok := s.get(k); ok {
			t.Fatal("a session of the user is still there")
		}
	}
}

// failing refuses batches while it is told to.
type failing struct {
	*blobtest.Memory
	mu  sync.Mutex // guards err
	err error
}

func (f *failing) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *failing) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *failing) Apply(ctx context.Context, b *blob.Batch) error {
	if err := f.failure(); err != nil {
		return err
	}
	return f.Memory.Apply(ctx, b)
}

func (f *failing) ApplyAsync(b *blob.Batch, done func(error)) {
	if err := f.failure(); err != nil {
		go done(err)
		return
	}
	f.Memory.ApplyAsync(b, done)
}

// A write that failed was not acknowledged, and what it would have changed is as it was, also in memory.
func TestFailedWritesChangeNothing(t *testing.T) {
	backend := &failing{Memory: blobtest.NewMemory()}
	a := New(openStore(t, backend), Options{Server: "here.example", Cost: cheap()})
	_, err := a.Create(t.Context(), "alice", "secret", NewUser{})
	wantCode(t, err, "")
	s := session(t, a, "PHONE")
	valid(t, a, s.Token)
	full := errors.New("disk full")
	backend.set(full)
	for name, try := range map[string]func() error{
		"logout": func() error { return a.Logout(t.Context(), s) },
		"login":  func() error { _, err := a.NewSession(t.Context(), alice, "PHONE", ""); return err },
		"profile": func() error {
			_, err := a.SetProfileField(t.Context(), alice, "displayname", []byte(`"A"`))
			return err
		},
		"data":   func() error { _, err := a.SetData(t.Context(), alice, 0, "m.x", []byte("{}")); return err },
		"filter": func() error { _, err := a.PutFilter(t.Context(), alice, []byte("{}")); return err },
		"create": func() error { _, err := a.Create(t.Context(), "bob", "pw", NewUser{}); return err },
	} {
		if err := try(); !errors.Is(err, full) {
			t.Errorf("%s: error %v, want %v", name, err, full)
		}
	}
	backend.set(nil)
	if !valid(t, a, s.Token) {
		t.Error("the session ended")
	}
	if p, err := a.Profile(t.Context(), alice); err != nil || !p.Empty() {
		t.Errorf("profile %s, %v", p.JSON, err)
	}
	if ok, err := a.Exists(t.Context(), "@bob:here.example"); ok || err != nil {
		t.Errorf("bob exists: %v, %v", ok, err)
	}
}

// Whoever the log tells of a logout does not find the session any more, also in memory.
func TestLogoutIsTrueWhenItIsTold(t *testing.T) {
	a := withAlice(t)
	for range 50 {
		s := session(t, a, "PHONE")
		valid(t, a, s.Token)
		since := a.store.Durable()
		told := make(chan error, 1)
		go func() {
			_, err := a.store.Follow(t.Context(), since)
			if err == nil {
				_, err = a.Authenticate(t.Context(), s.Token)
			}
			told <- err
		}()
		wantCode(t, a.Logout(t.Context(), s), "")
		wantCode(t, <-told, matrix.MUnknownToken)
	}
}
