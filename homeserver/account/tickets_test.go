package account

import (
	"fmt"
	"testing"
	"time"

	"hearth/matrix"
)

func TestLoginTokens(t *testing.T) {
	clock := &watch{now: time.UnixMilli(1_700_000_000_000)}
	a := newAccounts(t, Options{Now: clock.Now})
	_, err := a.Create(t.Context(), "alice", "secret", NewUser{})
	wantCode(t, err, "")
	redeem := func(token, code string) {
		t.Helper()
		user, err := a.RedeemLoginToken(t.Context(), token)
		wantCode(t, err, code)
		if err == nil && user != alice {
			t.Errorf("it is %s's", user)
		}
	}
	issue := func() string {
		t.Helper()
		token, err := a.NewLoginToken(alice)
		wantCode(t, err, "")
		return token
	}
	one, two := issue(), issue()
	redeem(one, "")
	redeem(one, matrix.MForbidden)
	redeem("", matrix.MForbidden)
	clock.pass(LoginTokenLifetime)
	redeem(two, matrix.MForbidden)
	three := issue()
	wantCode(t, a.SetLocked(t.Context(), alice, true), "")
	redeem(three, matrix.MUserLocked)
	redeem(three, matrix.MForbidden)
}

func TestOpenIDTokens(t *testing.T) {
	a := withAlice(t)
	token, err := a.NewOpenIDToken(alice)
	wantCode(t, err, "")
	for range 2 {
		if user, err := a.OpenIDUser(t.Context(), token); user != alice || err != nil {
			t.Errorf("it is %q's, %v", user, err)
		}
	}
	_, err = a.OpenIDUser(t.Context(), "x")
	wantCode(t, err, matrix.MUnknownToken)
	_, err = a.RedeemLoginToken(t.Context(), token)
	wantCode(t, err, matrix.MForbidden)
	wantCode(t, a.Deactivate(t.Context(), alice, false), "")
	_, err = a.OpenIDUser(t.Context(), token)
	wantCode(t, err, matrix.MUserDeactivated)
}

// Threat 12: tokens are bounded; the newest stay.
func TestTicketsAreBounded(t *testing.T) {
	k := newTickets(time.Minute)
	now := time.UnixMilli(0)
	for i := range 2 * maxTickets {
		k.add(fmt.Sprint(i), alice, now)
	}
	if len(k.users) > maxTickets || len(k.oldest) > maxTickets {
		t.Errorf("%d tokens are kept", len(k.users))
	}
	if _, ok := k.find(fmt.Sprint(2*maxTickets-1), now, false); !ok {
		t.Error("the newest is forgotten")
	}
	k.add("late", alice, now.Add(time.Hour))
	if len(k.users) != 1 || len(k.oldest) != 1 {
		t.Errorf("%d tokens are kept when all have expired", len(k.users))
	}
}
