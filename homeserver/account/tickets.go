package account

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"sync"
	"time"

	"hearth/matrix"
)

// The lives of the tokens that are kept in memory, and how many of each there are at once.
const (
	LoginTokenLifetime = 2 * time.Minute
	OpenIDLifetime     = time.Hour
	maxTickets         = 10_000
)

// tickets are tokens that stand for a user for a short time. They are kept in memory, about 200 bytes each, and good
// for nothing after a restart; if there are too many the oldest make room.
type tickets struct {
	lifetime time.Duration

	mu     sync.Mutex // guards the fields below
	users  map[[sha256.Size]byte]ticket
	oldest [][sha256.Size]byte // all that are in users and some that are not any more, by age
}

type ticket struct {
	user    matrix.UserID
	expires time.Time
}

func newTickets(lifetime time.Duration) *tickets {
	return &tickets{lifetime: lifetime, users: make(map[[sha256.Size]byte]ticket)}
}

func (t *tickets) add(token string, user matrix.UserID, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.oldest) > 0 {
		if _, there := t.look(t.oldest[0], now); there && len(t.oldest) < maxTickets {
			break
		}
		delete(t.users, t.oldest[0])
		t.oldest = t.oldest[1:]
	}
	k := tokenKey(token)
	t.users[k] = ticket{user, now.Add(t.lifetime)}
	t.oldest = append(t.oldest, k)
}

// look is called with the lock held.
func (t *tickets) look(k [sha256.Size]byte, now time.Time) (matrix.UserID, bool) {
	e, ok := t.users[k]
	return e.user, ok && now.Before(e.expires)
}

// find returns whose token it is. If it is taken then nobody finds it again.
func (t *tickets) find(token string, now time.Time, take bool) (matrix.UserID, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := tokenKey(token)
	user, ok := t.look(k, now)
	if take {
		delete(t.users, k)
	}
	return user, ok
}

func (a *Accounts) issue(t *tickets, user matrix.UserID) (string, error) {
	token, err := a.newToken()
	if err != nil {
		return "", err
	}
	t.add(token, user, a.now())
	return token, nil
}

// NewLoginToken returns a token by which another device can log in as the user, once, within LoginTokenLifetime.
// spec: client-server-api#post_matrixclientv1loginget_token
func (a *Accounts) NewLoginToken(user matrix.UserID) (string, error) {
	return a.issue(a.loginTokens, user)
}

// RedeemLoginToken returns whose login token it was; it is good for nothing from then on.
//
// Errors: M_FORBIDDEN (403), M_USER_DEACTIVATED (403), M_USER_LOCKED (401).
func (a *Accounts) RedeemLoginToken(ctx context.Context, token string) (matrix.UserID, error) {
	user, ok := a.loginTokens.find(token, a.now(), true)
	if !ok {
		return "", matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "The login token is unknown, has expired, or was used already")
	}
	return user, a.usable(ctx, user)
}

// NewOpenIDToken returns a token by which another service learns who the user is, within OpenIDLifetime.
// spec: client-server-api#post_matrixclientv3useruseridopenidrequest_token
func (a *Accounts) NewOpenIDToken(user matrix.UserID) (string, error) {
	return a.issue(a.openIDTokens, user)
}

// OpenIDUser returns whose OpenID token it is. Errors: M_UNKNOWN_TOKEN (401), M_USER_DEACTIVATED (403), M_USER_LOCKED (401).
// spec: server-server-api#get_matrixfederationv1openiduserinfo
func (a *Accounts) OpenIDUser(ctx context.Context, token string) (matrix.UserID, error) {
	user, ok := a.openIDTokens.find(token, a.now(), false)
	if !ok {
		return "", matrix.Errorf(http.StatusUnauthorized, matrix.MUnknownToken, "Unknown or expired OpenID token")
	}
	return user, a.usable(ctx, user)
}

// usable returns why a user may not use the API, nil if nothing speaks against it.
func (a *Accounts) usable(ctx context.Context, id matrix.UserID) error {
	u, err := a.User(ctx, id)
	if err != nil {
		return err
	}
	if u == nil {
		return fmt.Errorf("user %s is gone", id)
	}
	return u.refusal()
}
