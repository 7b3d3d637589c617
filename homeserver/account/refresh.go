package account

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"

	"hearth/homeserver/store"
	"hearth/matrix"
)

func appendRefresh(dst []byte, d *Device) []byte {
	return appendString(appendString(dst, d.User), d.ID)
}

func readRefresh(data []byte) (user matrix.UserID, device string, err error) {
	r := reader{data: data}
	user, device = matrix.UserID(r.string()), r.string()
	return user, device, r.end()
}

// Refresh gives the device of a refresh token a new pair of tokens. The pair before it stays good until one of the
// new ones is used, so that a client which did not get the answer can ask again; it gets another pair then, and the
// one that it never saw is good for nothing.
//
// Errors: M_UNKNOWN_TOKEN (401), with soft_logout if the token was replaced and its device is still there;
// M_USER_LOCKED (401), M_USER_DEACTIVATED (403).
// spec: client-server-api#post_matrixclientv3refresh
func (a *Accounts) Refresh(ctx context.Context, token string) (Grant, error) {
	k := tokenKey(token)
	row, err := a.store.Row(ctx, tableRefresh, k[:])
	if err != nil {
		return Grant{}, fmt.Errorf("reading a refresh token: %w", err)
	}
	if row == nil {
		return Grant{}, errUnknownRefreshToken(false)
	}
	user, device, err := readRefresh(row)
	if err != nil {
		return Grant{}, fmt.Errorf("reading a refresh token: %w", err)
	}
	g, err := a.newGrant(user, device, true)
	if err != nil {
		return Grant{}, err
	}
	unlock, err := a.lock(ctx, user)
	if err != nil {
		return Grant{}, err
	}
	defer unlock()
	d, err := a.refreshable(ctx, user, device, k)
	if err != nil {
		return Grant{}, err
	}
	g.Born = d.Born
	if err := a.offer(ctx, d, &g, d.nextRefresh == string(k[:])); err != nil {
		return Grant{}, fmt.Errorf("refreshing a session of %s: %w", user, err)
	}
	return g, nil
}

// refreshable returns a locked user's device if the refresh token is good.
func (a *Accounts) refreshable(ctx context.Context, user matrix.UserID, device string, k [sha256.Size]byte) (*Device, error) {
	d, err := a.Device(ctx, user, device)
	if err != nil {
		return nil, err
	}
	u, err := a.User(ctx, user)
	switch {
	case err != nil:
		return nil, err
	case d == nil || u == nil:
		return nil, errUnknownRefreshToken(false)
	case u.refusal() != nil:
		return nil, u.refusal()
	case d.refresh != string(k[:]) && d.nextRefresh != string(k[:]):
		return nil, errUnknownRefreshToken(d.spent == string(k[:]))
	}
	return d, nil
}

func errUnknownRefreshToken(soft bool) error {
	return matrix.Errorf(http.StatusUnauthorized, matrix.MUnknownToken, "The refresh token is unknown, or was used already").With("soft_logout", soft)
}

// offer gives a device its next pair of tokens, in place of one that was never used, or after that one has become
// the device's pair.
func (a *Accounts) offer(ctx context.Context, d *Device, g *Grant, used bool) error {
	gone := tokens{token: d.nextToken, refresh: d.nextRefresh}
	if used {
		gone = d.advance()
	}
	d.nextToken, d.nextRefresh, d.Seen = hashToken(g.Token), hashToken(g.RefreshToken), a.now()
	a.endSessions(&gone)
	_, err := a.apply(ctx, func(tx *store.Tx) {
		deleteTokens(tx, &gone)
		tx.Set(tableDevices, key(d.User, d.ID), appendDevice(nil, d))
		tx.Set(tableTokens, []byte(d.nextToken), appendToken(nil, d, g.Lifetime))
		tx.Set(tableRefresh, []byte(d.nextRefresh), appendRefresh(nil, d))
	})
	return err
}

// advance makes the next pair the present one and returns what is good for nothing from then on. The refresh token
// that was replaced is remembered, to be told from one that never was.
func (t *tokens) advance() (gone tokens) {
	gone = tokens{token: t.token, refresh: t.spent}
	*t = tokens{token: t.nextToken, refresh: t.nextRefresh, spent: t.refresh}
	return gone
}

// promote is called when an access token is used for the first time after a refresh: the one before ends.
func (a *Accounts) promote(ctx context.Context, d *Device) error {
	gone := d.advance()
	a.endSessions(&gone)
	_, err := a.apply(ctx, func(tx *store.Tx) {
		deleteTokens(tx, &gone)
		tx.Set(tableDevices, key(d.User, d.ID), appendDevice(nil, d))
	})
	if err != nil {
		return fmt.Errorf("refreshing a session of %s: %w", d.User, err)
	}
	return nil
}
