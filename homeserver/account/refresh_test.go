package account

import (
	"errors"
	"sync"
	"testing"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// watch is a clock that stands until it is moved.
type watch struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (w *watch) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *watch) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// refresher is alice's device, whose session is refreshed.
type refresher struct {
	t testing.TB
	*Accounts
	clock *watch
}

func newRefresher(t testing.TB) (*refresher, Grant) {
	t.Helper()
	r := &refresher{t: t, clock: &watch{now: time.UnixMilli(1_700_000_000_000)}}
	r.Accounts = newAccounts(t, Options{Now: r.clock.Now, Lifetime: time.Minute})
	_, err := r.Create(t.Context(), "alice", "secret", NewUser{})
	wantCode(t, err, "")
	g, err := r.Login(t.Context(), alice, Login{Device: "PHONE", Refresh: true})
	wantCode(t, err, "")
	return r, g
}

func (r *refresher) refresh(token string) Grant {
	r.t.Helper()
	g, err := r.Refresh(r.t.Context(), token)
	wantCode(r.t, err, "")
	if g.User != alice || g.Device != "PHONE" || g.Lifetime != time.Minute || g.Born == 0 || g.RefreshToken == "" {
		r.t.Fatalf("refreshed to %+v", g)
	}
	return g
}

// ended fails the test unless the refresh token is refused, softly or not.
func (r *refresher) ended(token string, soft bool) {
	r.t.Helper()
	_, err := r.Refresh(r.t.Context(), token)
	wantUnknown(r.t, err, soft)
}

// dead fails the test unless the access token is refused, softly or not.
func (r *refresher) dead(token string, soft bool) {
	r.t.Helper()
	_, err := r.Authenticate(r.t.Context(), token)
	wantUnknown(r.t, err, soft)
}

func (r *refresher) alive(token string) {
	r.t.Helper()
	for range 2 {
		_, err := r.Authenticate(r.t.Context(), token)
		wantCode(r.t, err, "")
	}
}

func wantUnknown(t testing.TB, err error, soft bool) {
	t.Helper()
	wantCode(t, err, matrix.MUnknownToken)
	var m *matrix.Error
	if errors.As(err, &m); m.Status != 401 || m.Extra["soft_logout"] != soft {
		t.Fatalf("error %d %v, want soft_logout %v", m.Status, m.Extra, soft)
	}
}

// rows counts what is kept of tokens.
func (r *refresher) rows() (n int) {
	for _, table := range []string{tableTokens, tableRefresh} {
		for _, err := range r.store.Scan(r.t.Context(), wholeTable(table)) {
			wantCode(r.t, err, "")
			n++
		}
	}
	return n
}

func TestAccessTokensExpire(t *testing.T) {
	r, g := newRefresher(t)
	r.alive(g.Token)
	r.clock.pass(time.Minute - time.Millisecond)
	r.alive(g.Token)
	r.clock.pass(time.Millisecond)
	r.dead(g.Token, true)
	fresh := New(r.store, Options{Server: r.server, Cost: cheap(), Now: r.clock.Now})
	_, err := fresh.Authenticate(t.Context(), g.Token)
	wantUnknown(t, err, true)
	_, err = r.AuthenticateLeaver(t.Context(), g.Token)
	wantUnknown(t, err, true)
	g = r.refresh(g.RefreshToken)
	r.alive(g.Token)
	// Who does not refresh has a session without end.
	s, err := r.NewSession(t.Context(), alice, "LAPTOP", "")
	wantCode(t, err, "")
	r.clock.pass(1000 * time.Hour)
	r.alive(s.Token)
}

// spec: the old refresh token stays good until the new access token is used.
func TestRefreshUntilTheAccessTokenIsUsed(t *testing.T) {
	r, one := newRefresher(t)
	two := r.refresh(one.RefreshToken)
	r.alive(one.Token)
	three := r.refresh(one.RefreshToken) // the answer got lost
	r.dead(two.Token, false)
	r.ended(two.RefreshToken, false)
	r.alive(three.Token)
	r.dead(one.Token, false)
	r.ended(one.RefreshToken, true)
	four := r.refresh(three.RefreshToken)
	r.alive(four.Token)
	r.ended(three.RefreshToken, true)
	r.ended(one.RefreshToken, false)
}

// spec: or until the new refresh token is used.
func TestRefreshUntilTheRefreshTokenIsUsed(t *testing.T) {
	r, one := newRefresher(t)
	two := r.refresh(one.RefreshToken)
	three := r.refresh(two.RefreshToken)
	r.ended(one.RefreshToken, true)
	r.dead(one.Token, false)
	r.alive(two.Token)
	r.alive(three.Token)
	r.dead(two.Token, false)
}

func TestRefreshKeepsLittle(t *testing.T) {
	r, g := newRefresher(t)
	for i := range 20 {
		g = r.refresh(g.RefreshToken)
		if i%3 == 0 {
			r.alive(g.Token)
		}
		if n := r.rows(); n > 5 {
			t.Fatalf("%d rows after %d refreshes", n, i)
		}
	}
	wantCode(t, r.Logout(t.Context(), g.Session), "")
	r.ended(g.RefreshToken, false)
	if n := r.rows(); n > 0 {
		t.Errorf("%d rows are left", n)
	}
}

func TestLoginEndsRefreshing(t *testing.T) {
	r, one := newRefresher(t)
	two := r.refresh(one.RefreshToken)
	s := session(t, r.Accounts, "PHONE")
	for _, g := range []Grant{one, two} {
		r.ended(g.RefreshToken, false)
		r.dead(g.Token, false)
	}
	r.alive(s.Token)
	if n := r.rows(); n != 1 {
		t.Errorf("%d rows are left", n)
	}
}

// Threat 10: a refresh token is no access token, and opens nothing that is closed.
func TestRefreshRefuses(t *testing.T) {
	r, g := newRefresher(t)
	r.dead(g.RefreshToken, false)
	r.ended(g.Token, false)
	r.ended("", false)
	wantCode(t, r.SetLocked(t.Context(), alice, true), "")
	_, err := r.Refresh(t.Context(), g.RefreshToken)
	wantCode(t, err, matrix.MUserLocked)
	wantCode(t, r.SetLocked(t.Context(), alice, false), "")
	g = r.refresh(g.RefreshToken)
	wantCode(t, r.Deactivate(t.Context(), alice, false), "")
	r.ended(g.RefreshToken, false)
}

// A device that was written before there were refresh tokens can be read.
func TestOldDeviceRecord(t *testing.T) {
	d, err := readDevice(alice, "A", []byte("\x01x\xd0\x0f\xd0\x0f\x07\x00"))
	if err != nil || d.Name != "x" || d.Born != store.Pos(7) || d.tokens != (tokens{}) {
		t.Errorf("read %+v, %v", d, err)
	}
	s, expires, err := readToken([]byte("\x01@\x01A\x07\xd0\x0f"))
	if err != nil || s != (Session{User: "@", Device: "A", Born: 7}) || expires != 0 {
		t.Errorf("read %+v, %d, %v", s, expires, err)
	}
}

// However many ask at once, one pair is good afterwards.
func TestRefreshAtOnce(t *testing.T) {
	r, g := newRefresher(t)
	var wg sync.WaitGroup
	grants := make(chan Grant, 8)
	for range cap(grants) {
		wg.Go(func() {
			if g, err := r.Refresh(t.Context(), g.RefreshToken); err == nil {
				grants <- g
			} else {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(grants)
	good := 0
	for g := range grants {
		if _, err := r.Authenticate(t.Context(), g.Token); err == nil {
			good++
		}
	}
	if good != 1 {
		t.Errorf("%d access tokens are good", good)
	}
}
