package account

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/matrix"
)

func invite(t testing.TB, a *Accounts, r RegistrationToken) *RegistrationToken {
	t.Helper()
	made, err := a.CreateRegistrationToken(t.Context(), r)
	wantCode(t, err, "")
	return made
}

func TestRegistrationTokens(t *testing.T) {
	a := newAccounts(t, Options{})
	soon := time.UnixMilli(time.Now().Add(time.Hour).UnixMilli())
	invite(t, a, RegistrationToken{Token: "b", Uses: 3, Completed: 7, Pending: 7})
	invite(t, a, RegistrationToken{Token: "a", Uses: AnyUses, Expires: soon})
	if random := invite(t, a, RegistrationToken{Uses: AnyUses}); len(random.Token) != 16 {
		t.Errorf("made %+v", random)
	} else {
		wantCode(t, a.DeleteRegistrationToken(t.Context(), random.Token), "")
	}
	var all []string
	for r, err := range a.RegistrationTokens(t.Context()) {
		wantCode(t, err, "")
		all = append(all, fmt.Sprint(r.Token, " ", r.Uses, " ", r.Pending, " ", r.Completed, " ", r.Expires.Equal(soon)))
	}
	if got := strings.Join(all, ", "); got != "a -1 0 0 true, b 3 0 0 false" {
		t.Errorf("all: %s", got)
	}
	changed, err := a.ChangeRegistrationToken(t.Context(), "b", func(r *RegistrationToken) { r.Uses, r.Completed, r.Token = 1, 9, "c" })
	wantCode(t, err, "")
	if again, err := a.RegistrationToken(t.Context(), "b"); err != nil || *again != *changed || *changed != (RegistrationToken{Token: "b", Uses: 1}) {
		t.Errorf("changed to %+v, read %+v, %v", changed, again, err)
	}
	for _, bad := range []RegistrationToken{{Token: "a"}, {Token: "a b"}, {Token: strings.Repeat("x", 65)}, {Token: "ä"}, {Uses: -2}} {
		_, err := a.CreateRegistrationToken(t.Context(), bad)
		wantCode(t, err, matrix.MInvalidParam)
	}
	_, err = a.ChangeRegistrationToken(t.Context(), "b", func(r *RegistrationToken) { r.Uses = -3 })
	wantCode(t, err, matrix.MInvalidParam)
	_, err = a.ChangeRegistrationToken(t.Context(), "x", func(*RegistrationToken) {})
	wantCode(t, err, matrix.MNotFound)
	wantCode(t, a.DeleteRegistrationToken(t.Context(), "b"), "")
	wantCode(t, a.DeleteRegistrationToken(t.Context(), "b"), matrix.MNotFound)
}

// The record in the package comment.
func TestRegistrationTokenRecord(t *testing.T) {
	r := RegistrationToken{Token: "x", Uses: 2, Completed: 1, Expires: time.UnixMilli(1000)}
	if got := appendRegistrationToken(nil, &r); string(got) != "\x03\x02\x01\xd0\x0f" {
		t.Errorf("wrote %x", got)
	}
}

func TestRegistrationTokenIsUsedUp(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	a := newAccounts(t, Options{Now: func() time.Time { return now }})
	invite(t, a, RegistrationToken{Token: "two", Uses: 2})
	hold := func(session, code string) {
		t.Helper()
		wantCode(t, a.HoldRegistrationToken(t.Context(), "two", session, now.Add(time.Minute)), code)
	}
	hold("1", "")
	hold("1", "")
	hold("2", "")
	hold("3", matrix.MUnauthorized)
	_, err := a.Create(t.Context(), "alice", "pw", NewUser{Invitation: "two", Session: "1"})
	wantCode(t, err, "")
	a.ReleaseRegistrationToken("two", "1")
	r, err := a.RegistrationToken(t.Context(), "two")
	wantCode(t, err, "")
	if r.Pending != 1 || r.Completed != 1 {
		t.Errorf("the token is %+v", r)
	}
	hold("3", matrix.MUnauthorized)
	now = now.Add(time.Minute) // the second one gave up
	hold("3", "")
	_, err = a.Create(t.Context(), "bob", "pw", NewUser{Invitation: "two", Session: "2"})
	wantCode(t, err, matrix.MUnauthorized)
	_, err = a.Create(t.Context(), "carol", "pw", NewUser{Invitation: "two", Session: "3"})
	wantCode(t, err, "")
	a.ReleaseRegistrationToken("two", "3")
	a.ReleaseRegistrationToken("two", "3")
	_, err = a.Create(t.Context(), "dan", "pw", NewUser{Invitation: "two", Session: "3"})
	wantCode(t, err, matrix.MUnauthorized)
	if ok, err := a.Exists(t.Context(), "@dan:here.example"); ok || err != nil {
		t.Errorf("dan exists: %v, %v", ok, err)
	}
	if n := a.invitations.all; n != 0 {
		t.Errorf("%d places are held", n)
	}
}

func TestRegistrationTokenExpires(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	a := newAccounts(t, Options{Now: func() time.Time { return now }})
	invite(t, a, RegistrationToken{Token: "x", Uses: AnyUses, Expires: now.Add(time.Second)})
	wantCode(t, a.HoldRegistrationToken(t.Context(), "x", "s", now.Add(time.Hour)), "")
	now = now.Add(time.Second)
	wantCode(t, a.HoldRegistrationToken(t.Context(), "x", "s", now.Add(time.Hour)), matrix.MUnauthorized)
	_, err := a.Create(t.Context(), "alice", "pw", NewUser{Invitation: "x", Session: "s"})
	wantCode(t, err, matrix.MUnauthorized)
	wantCode(t, a.HoldRegistrationToken(t.Context(), "y", "s", now), matrix.MUnauthorized)
	wantCode(t, a.HoldRegistrationToken(t.Context(), "", "s", now), matrix.MUnauthorized)
}

// However many register at once, a token lets in no more than it says.
func TestRegistrationTokenAtOnce(t *testing.T) {
	a := newAccounts(t, Options{})
	invite(t, a, RegistrationToken{Token: "x", Uses: 3})
	var wg sync.WaitGroup
	made := make(chan error, 12)
	for i := range cap(made) {
		wg.Go(func() {
			_, err := a.Create(t.Context(), fmt.Sprint("user", i), "pw", NewUser{Invitation: "x", Session: fmt.Sprint(i)})
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
		wantCode(t, err, matrix.MUnauthorized)
	}
	if successes != 3 {
		t.Errorf("%d registered", successes)
	}
}

// Threat 12: who knows a token cannot fill the memory.
func TestHeldPlacesAreBounded(t *testing.T) {
	i := newInvitations()
	now := time.UnixMilli(0)
	for n := range maxHeld + 10 {
		if ok := i.hold("x", fmt.Sprint(n), now, now.Add(time.Minute)); ok != (n < maxHeld) {
			t.Fatalf("place %d: %v", n, ok)
		}
	}
	if !i.hold("y", "z", now.Add(time.Minute), now.Add(time.Hour)) || i.all != 1 {
		t.Errorf("%d places are held", i.all)
	}
}

func FuzzRegistrationToken(f *testing.F) {
	f.Add([]byte("\x03\x02\x01\xd0\x0f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := readRegistrationToken("x", data)
		if err != nil {
			return
		}
		if again, err := readRegistrationToken("x", appendRegistrationToken(nil, r)); err != nil || *again != *r {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}
