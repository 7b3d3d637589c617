package account

import (
	"context"
	"net/http"
	"sync"
	"time"

	"hearth/matrix"
)

// maxHeld bounds how many places of registration tokens are held at once.
const maxHeld = 10_000

// invitations guards registration tokens, and counts the places that are held for those who are registering.
type invitations struct {
	turn chan struct{} // capacity 1; full while somebody reads and writes a token's row
	mu   sync.Mutex    // guards the fields below
	held map[string]map[string]time.Time
	all  int // places in held
}

func newInvitations() invitations {
	return invitations{turn: make(chan struct{}, 1), held: make(map[string]map[string]time.Time)}
}

// begin waits for the right to change tokens. The caller calls end when its change is durable.
func (i *invitations) begin(ctx context.Context) (end func(), err error) {
	select {
	case i.turn <- struct{}{}:
		return func() { <-i.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pending counts the places held for a token by others than the session, and forgets those that have ended.
func (i *invitations) pending(token, session string, now time.Time) int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.expire(token, now)
	n := int64(len(i.held[token]))
	if _, own := i.held[token][session]; own {
		n--
	}
	return n
}

// expire is called with the lock held.
func (i *invitations) expire(token string, now time.Time) {
	for session, until := range i.held[token] {
		if !now.Before(until) {
			i.drop(token, session)
		}
	}
}

// drop is called with the lock held.
func (i *invitations) drop(token, session string) {
	if _, ok := i.held[token][session]; !ok {
		return
	}
	delete(i.held[token], session)
	i.all--
	if len(i.held[token]) == 0 {
		delete(i.held, token)
	}
}

// hold holds a place, unless too many are held.
func (i *invitations) hold(token, session string, now, until time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.all >= maxHeld {
		for t := range i.held {
			i.expire(t, now)
		}
	}
	if i.all >= maxHeld {
		return false
	}
	if i.held[token] == nil {
		i.held[token] = make(map[string]time.Time)
	}
	if _, again := i.held[token][session]; !again {
		i.all++
	}
	i.held[token][session] = until
	return true
}

func (i *invitations) release(token, session string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.drop(token, session)
}

// HoldRegistrationToken keeps a place for somebody who registers with a token in a session of interactive
// authentication, until the time given at most. NewUser's Invitation and Session are what takes it.
//
// Errors: M_UNAUTHORIZED (401) if nobody can register with the token any more, M_LIMIT_EXCEEDED (429).
// spec: client-server-api#token-authenticated-registration
func (a *Accounts) HoldRegistrationToken(ctx context.Context, token, session string, until time.Time) error {
	end, err := a.invitations.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	t, err := a.RegistrationToken(ctx, token)
	if err != nil {
		return err
	}
	now := a.now()
	if t != nil {
		t.Pending = a.invitations.pending(token, session, now)
	}
	if t == nil || !t.Valid(now) {
		return errBadRegistrationToken()
	}
	if !a.invitations.hold(token, session, now, until) {
		return matrix.Errorf(http.StatusTooManyRequests, matrix.MLimitExceeded, "Too many people are registering")
	}
	return nil
}

func errBadRegistrationToken() error {
	return matrix.Errorf(http.StatusUnauthorized, matrix.MUnauthorized, "Invalid registration token")
}

// redeem returns a registration token as it is to be written with the user who registers with it; nil for none. The
// caller calls end when that is durable, or was not to be.
func (a *Accounts) redeem(ctx context.Context, token, session string) (t *RegistrationToken, end func(), err error) {
	if token == "" {
		return nil, func() {}, nil
	}
	done, err := a.invitations.begin(ctx)
	if err != nil {
		return nil, nil, err
	}
	t, err = a.RegistrationToken(ctx, token)
	if err == nil && t != nil {
		t.Pending = a.invitations.pending(token, session, a.now())
	}
	if err == nil && (t == nil || !t.Valid(a.now())) {
		err = errBadRegistrationToken()
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	t.Completed++
	return t, done, nil
}

// ReleaseRegistrationToken gives back the place that a session held, whether or not it was taken.
func (a *Accounts) ReleaseRegistrationToken(token, session string) {
	a.invitations.release(token, session)
}
