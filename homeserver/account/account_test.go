package account

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

const alice = matrix.UserID("@alice:here.example")

// cheap is a cost for tests that are not about passwords.
func cheap() Cost { return Cost{Memory: 8, Time: 1, Threads: 1} }

func openStore(t testing.TB, backend blob.Store) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), backend, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func newAccounts(t testing.TB, o Options) *Accounts {
	t.Helper()
	if o.Server == "" {
		o.Server = "here.example"
	}
	if o.Cost == (Cost{}) {
		o.Cost = cheap()
	}
	return New(openStore(t, blobtest.NewMemory()), o)
}

// withAlice returns accounts with one user, alice, whose password is "secret".
func withAlice(t testing.TB) *Accounts {
	t.Helper()
	a := newAccounts(t, Options{})
	if _, err := a.Create(t.Context(), "alice", "secret", NewUser{}); err != nil {
		t.Fatal(err)
	}
	return a
}

// wantCode fails the test unless err is a Matrix error with the code; "" wants none.
func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	var m *matrix.Error
	switch {
	case code == "" && err != nil:
		t.Fatalf("error %v, want none", err)
	case code != "" && (!errors.As(err, &m) || m.Code != code):
		t.Fatalf("error %v, want %s", err, code)
	}
}

func TestCreate(t *testing.T) {
	for _, c := range []struct{ localpart, password, id, code string }{
		{"bob", "pw", "@bob:here.example", ""},
		{"Carol", "pw", "@carol:here.example", ""},
		{"a/b+c=d.e_f-g", "pw", "@a/b+c=d.e_f-g:here.example", ""},
		{"nopassword", "", "@nopassword:here.example", ""},
		{"alice", "pw", "", matrix.MUserInUse},
		{"ALICE", "pw", "", matrix.MUserInUse},
		{"white space", "pw", "", matrix.MInvalidUsername},
		{"@full:here.example", "pw", "", matrix.MInvalidUsername},
		{"ümlaut", "pw", "", matrix.MInvalidUsername},
		{"nul\x00", "pw", "", matrix.MInvalidUsername},
		{strings.Repeat("x", 255), "pw", "", matrix.MInvalidUsername},
		{"long", strings.Repeat("x", MaxPassword+1), "", matrix.MInvalidParam},
	} {
		a := withAlice(t)
		id, err := a.Create(t.Context(), c.localpart, c.password, NewUser{})
		wantCode(t, err, c.code)
		if string(id) != c.id {
			t.Errorf("%q became %q, want %q", c.localpart, id, c.id)
		}
	}
}

func TestCreateWithoutName(t *testing.T) {
	a := newAccounts(t, Options{})
	one, err := a.Create(t.Context(), "", "pw", NewUser{})
	wantCode(t, err, "")
	two, err := a.Create(t.Context(), "", "pw", NewUser{})
	wantCode(t, err, "")
	if one == two || one.Localpart() == "" {
		t.Errorf("made %q and %q", one, two)
	}
}

func TestCreateOnlyOnce(t *testing.T) {
	a := newAccounts(t, Options{})
	var wg sync.WaitGroup
	made := make(chan error, 8)
	for range cap(made) {
		wg.Go(func() {
			_, err := a.Create(t.Context(), "alice", "pw", NewUser{})
			made <- err
		})
	}
	wg.Wait()
	close(made)
	successes := 0
	for err := range made {
		if err == nil {
			successes++
			continue
		}
		wantCode(t, err, matrix.MUserInUse)
	}
	if successes != 1 {
		t.Errorf("%d of 8 made the same user", successes)
	}
}

func TestUserIsKept(t *testing.T) {
	now := time.UnixMilli(1234567890123)
	a := newAccounts(t, Options{Now: func() time.Time { return now }})
	_, err := a.Create(t.Context(), "alice", "pw", NewUser{Admin: true, Kind: "bot", DisplayName: "Al \"the\" Ice"})
	wantCode(t, err, "")
	u, err := a.User(t.Context(), alice)
	wantCode(t, err, "")
	if !u.Admin || u.Kind != "bot" || !u.Made.Equal(now) || u.Locked || u.Suspended || u.Deactivated || u.Guest {
		t.Errorf("read %+v", u)
	}
	if admin, err := a.IsAdmin(t.Context(), alice); !admin || err != nil {
		t.Errorf("administrator: %v, %v", admin, err)
	}
	if p, err := a.Profile(t.Context(), alice); err != nil || p.DisplayName != `Al "the" Ice` {
		t.Errorf("profile %+v, %v", p, err)
	}
	for _, id := range []matrix.UserID{"@bob:here.example", "@alice:there.example", "", "@"} {
		if ok, err := a.Exists(t.Context(), id); ok || err != nil {
			t.Errorf("%q exists: %v, %v", id, ok, err)
		}
	}
}

// The record in the package comment.
func TestUserRecord(t *testing.T) {
	u := User{ID: alice, Admin: true, Made: time.UnixMilli(1000)}
	if got := appendUser(nil, &u); string(got) != "\x01\xd0\x0f\x00\x00" {
		t.Errorf("wrote %x", got)
	}
}

func TestUsersInOrder(t *testing.T) {
	a := newAccounts(t, Options{})
	for _, name := range []string{"c", "a", "b", "a.b"} {
		_, err := a.Create(t.Context(), name, "", NewUser{})
		wantCode(t, err, "")
	}
	read := func(after matrix.UserID) (names string) {
		for u, err := range a.Users(t.Context(), after) {
			wantCode(t, err, "")
			names += u.ID.Localpart() + " "
		}
		return names
	}
	if all, rest := read(""), read("@a:here.example"); all != "a.b a b c " || rest != "b c " {
		t.Errorf("read %q and %q", all, rest)
	}
}

func TestLockGivesUp(t *testing.T) {
	a := withAlice(t)
	unlock, err := a.lock(t.Context(), alice)
	wantCode(t, err, "")
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.SetData(ctx, alice, 0, "m.x", []byte("{}")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func FuzzRecords(f *testing.F) {
	f.Add(appendUser(nil, &User{Kind: "bot", password: "x"}))
	f.Add(appendDevice(nil, &Device{Name: "Phone", tokens: tokens{token: strings.Repeat("x", 32)}}))
	f.Add(appendDevice(nil, &Device{Address: "::1", tokens: tokens{token: strings.Repeat("x", 32), refresh: strings.Repeat("y", 32)}}))
	f.Add(appendToken(nil, &Device{User: alice, ID: "A"}, time.Minute))
	f.Add(appendRefresh(nil, &Device{User: alice, ID: "A"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if u, err := readUser(alice, data); err == nil {
			again, err := readUser(alice, appendUser(nil, u))
			if err != nil || *again != *u {
				t.Errorf("user %+v became %+v, %v", u, again, err)
			}
		}
		if d, err := readDevice(alice, "A", data); err == nil {
			if again, err := readDevice(alice, "A", appendDevice(nil, &d)); err != nil || again != d {
				t.Errorf("device %+v became %+v, %v", d, again, err)
			}
		}
		_, _, _ = readToken(data)
		_, _, _ = readRefresh(data)
		_, _ = readUsage(data)
	})
}
