package account

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"hearth/matrix"
)

func TestCheckPassword(t *testing.T) {
	a := withAlice(t)
	_, err := a.Create(t.Context(), "none", "", NewUser{})
	wantCode(t, err, "")
	for _, c := range []struct {
		user           matrix.UserID
		password, code string
	}{
		{alice, "secret", ""},
		{alice, "Secret", matrix.MForbidden},
		{alice, "secret\x00", matrix.MForbidden},
		{alice, "", matrix.MForbidden},
		{alice, strings.Repeat("x", 10_000), matrix.MForbidden},
		{"@nobody:here.example", "secret", matrix.MForbidden},
		{"@alice:there.example", "secret", matrix.MForbidden},
		{"@none:here.example", "", matrix.MForbidden},
		{"", "", matrix.MForbidden},
	} {
		wantCode(t, a.CheckPassword(t.Context(), c.user, c.password), c.code)
	}
}

// Threat 10: unknown users cost what known ones do. The hash of the decoy does not open anything.
func TestUnknownUsersCostTheSame(t *testing.T) {
	a := withAlice(t)
	cost, salt, _, err := parsePassword(a.hasher.decoy)
	wantCode(t, err, "")
	u, err := a.User(t.Context(), alice)
	wantCode(t, err, "")
	known, knownSalt, _, err := parsePassword(u.password)
	wantCode(t, err, "")
	if cost != known || len(salt) != len(knownSalt) {
		t.Errorf("an unknown user costs %v, a known one %v", cost, known)
	}
}

func TestLongestPassword(t *testing.T) {
	a := newAccounts(t, Options{})
	longest := strings.Repeat("ä", MaxPassword/2)
	_, err := a.Create(t.Context(), "alice", longest, NewUser{})
	wantCode(t, err, "")
	wantCode(t, a.CheckPassword(t.Context(), alice, longest), "")
	wantCode(t, a.CheckPassword(t.Context(), alice, longest+"x"), matrix.MForbidden)
}

func TestSetPassword(t *testing.T) {
	a := withAlice(t)
	s, err := a.NewSession(t.Context(), alice, "", "")
	wantCode(t, err, "")
	wantCode(t, a.SetPassword(t.Context(), alice, "new"), "")
	wantCode(t, a.CheckPassword(t.Context(), alice, "secret"), matrix.MForbidden)
	wantCode(t, a.CheckPassword(t.Context(), alice, "new"), "")
	_, err = a.Authenticate(t.Context(), s.Token)
	wantCode(t, err, "")
	wantCode(t, a.SetPassword(t.Context(), alice, ""), "")
	wantCode(t, a.CheckPassword(t.Context(), alice, ""), matrix.MForbidden)
	wantCode(t, a.SetPassword(t.Context(), "@nobody:here.example", "x"), matrix.MNotFound)
}

// Passwords are kept by what they were made with, whatever new ones are made with.
func TestCostIsOfThePassword(t *testing.T) {
	a := withAlice(t)
	other := New(a.store, Options{Server: a.server, Cost: Cost{Memory: 16, Time: 2, Threads: 2}})
	wantCode(t, other.CheckPassword(t.Context(), alice, "secret"), "")
	wantCode(t, other.SetPassword(t.Context(), alice, "new"), "")
	wantCode(t, a.CheckPassword(t.Context(), alice, "new"), "")
}

// The reference implementation's own vector: echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 32.
func TestReferencePassword(t *testing.T) {
	const stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	a := withAlice(t)
	wantCode(t, a.edit(t.Context(), alice, func(u *User) { u.password = stored }), "")
	wantCode(t, a.CheckPassword(t.Context(), alice, "password"), "")
	wantCode(t, a.CheckPassword(t.Context(), alice, "Password"), matrix.MForbidden)
}

func TestDamagedPasswordOpensNothing(t *testing.T) {
	a := withAlice(t)
	for _, stored := range []string{
		"secret", "$", "$argon2id$v=19$m=8,t=1,p=1$$", "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=8,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	} {
		wantCode(t, a.edit(t.Context(), alice, func(u *User) { u.password = stored }), "")
		err := a.CheckPassword(t.Context(), alice, "secret")
		if !errors.Is(err, errPasswordFormat) {
			t.Errorf("%q: error %v", stored, err)
		}
	}
}

// Threat 10: deactivated and locked users do not log in, and who lacks the password does not learn of it.
func TestRefusedUsers(t *testing.T) {
	a := withAlice(t)
	s, err := a.NewSession(t.Context(), alice, "", "")
	wantCode(t, err, "")
	_, err = a.Authenticate(t.Context(), s.Token)
	wantCode(t, err, "")
	for _, c := range []struct {
		change func(*User)
		code   string
	}{
		{func(u *User) { u.Locked = true }, matrix.MUserLocked},
		{func(u *User) { u.Locked = false }, ""},
		{func(u *User) { u.Deactivated = true }, matrix.MUserDeactivated},
	} {
		wantCode(t, a.edit(t.Context(), alice, c.change), "")
		wantCode(t, a.CheckPassword(t.Context(), alice, "secret"), c.code)
		wantCode(t, a.CheckPassword(t.Context(), alice, "guess"), matrix.MForbidden)
		_, err := a.Authenticate(t.Context(), s.Token)
		wantCode(t, err, c.code)
		_, err = a.AuthenticateLeaver(t.Context(), s.Token)
		wantCode(t, err, "")
	}
	var m *matrix.Error
	if err := errLocked(); !errors.As(err, &m) || m.Status != 401 || m.Extra["soft_logout"] != true {
		t.Errorf("a locked user is answered %+v", m)
	}
}

func TestWaitingForTheHasherGivesUp(t *testing.T) {
	a := withAlice(t)
	a.hasher.turns <- struct{}{}
	a.hasher.turns <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	u, err := a.User(ctx, alice)
	wantCode(t, err, "")
	_, salt, _, err := parsePassword(u.password)
	wantCode(t, err, "")
	cancel()
	if _, err := a.hasher.sum(ctx, "secret", salt, cheap()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// Threat 10: nothing secret is on the disk as it is.
func TestNothingSecretIsWritten(t *testing.T) {
	a := withAlice(t)
	s, err := a.Login(t.Context(), alice, Login{Device: "PHONE", Refresh: true})
	wantCode(t, err, "")
	next, err := a.Refresh(t.Context(), s.RefreshToken)
	wantCode(t, err, "")
	secrets := []string{"secret", s.Token, s.RefreshToken, next.Token, next.RefreshToken}
	for _, table := range []string{tableUsers, tableDevices, tableTokens, tableRefresh} {
		for row, err := range a.store.Scan(t.Context(), wholeTable(table)) {
			wantCode(t, err, "")
			all := string(row.Key) + string(row.Value)
			if slices.ContainsFunc(secrets, func(secret string) bool { return strings.Contains(all, secret) }) {
				t.Errorf("table %s holds a secret", table)
			}
		}
	}
}

func FuzzParsePassword(f *testing.F) {
	f.Add(formatPassword(DefaultCost(), make([]byte, saltSize), make([]byte, hashSize)))
	f.Add("$argon2id$v=19$m=8,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		c, salt, sum, err := parsePassword(s)
		if err != nil {
			return
		}
		if c.Memory == 0 || c.Memory > maxCostMemory || c.Time == 0 || c.Threads == 0 {
			t.Errorf("%q costs %+v", s, c)
		}
		again, _, _, err := parsePassword(formatPassword(c, salt, sum))
		if err != nil || again != c {
			t.Errorf("%q became %+v, %v", s, again, err)
		}
	})
}
