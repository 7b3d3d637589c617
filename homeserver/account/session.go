package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// Session is one device's right to use the API as its user.
type Session struct {
	User      matrix.UserID
	Device    string
	Token     string    // the access token
	Born      store.Pos // where in the log the device was made
	Suspended bool      // the user may read and leave, not write
}

// Login says as what a user logs in.
type Login struct {
	Device  string // "" for a new one with a random id
	Name    string // for a new device; a known one keeps its own
	Refresh bool   // the client can refresh its session, so that the access token may expire
}

// Grant is a session that was just given to a client.
type Grant struct {
	Session
	RefreshToken string        // "" if the access token does not expire
	Lifetime     time.Duration // of the access token, 0 if it does not expire
}

// MaxDevices is how many devices a user may have.
const MaxDevices = 1000

// MaxDeviceID and MaxDeviceName bound what clients choose, in bytes; longer names are cut.
const MaxDeviceID, MaxDeviceName = 255, 1000

func tokenKey(token string) [sha256.Size]byte {
	var buf [64]byte // a token of ours fits, so that nothing is allocated
	return sha256.Sum256(append(buf[:0], token...))
}

func hashToken(token string) string {
	sum := tokenKey(token)
	return string(sum[:])
}

// newToken returns a token that nobody guesses.
func (a *Accounts) newToken() (string, error) {
	secret, err := a.random(32)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(secret), nil
}

// NewSession is Login for a client that does not refresh its session.
func (a *Accounts) NewSession(ctx context.Context, user matrix.UserID, device, name string) (Session, error) {
	g, err := a.Login(ctx, user, Login{Device: device, Name: name})
	return g.Session, err
}

// Login gives a user a session. A known device loses its previous one.
//
// Errors: M_INVALID_PARAM (400) for a device id that cannot be, M_USER_LIMIT_EXCEEDED (403) at MaxDevices,
// M_USER_DEACTIVATED (403), M_USER_LOCKED (401).
func (a *Accounts) Login(ctx context.Context, user matrix.UserID, l Login) (Grant, error) {
	if err := CheckDeviceID(l.Device); err != nil {
		return Grant{}, err
	}
	if l.Device == "" {
		var err error
		if l.Device, err = a.newDeviceID(); err != nil {
			return Grant{}, err
		}
	}
	g, err := a.newGrant(user, l.Device, l.Refresh)
	if err != nil {
		return Grant{}, err
	}
	unlock, err := a.lock(ctx, user)
	if err != nil {
		return Grant{}, err
	}
	defer unlock()
	d, err := a.deviceFor(ctx, user, l)
	if err != nil {
		return Grant{}, err
	}
	if err := a.begin(ctx, d, &g); err != nil {
		return Grant{}, fmt.Errorf("starting a session of %s: %w", user, err)
	}
	return g, nil
}

// newGrant makes the tokens of a session.
func (a *Accounts) newGrant(user matrix.UserID, device string, refresh bool) (g Grant, err error) {
	g.User, g.Device = user, device
	if g.Token, err = a.newToken(); err != nil || !refresh {
		return g, err
	}
	g.Lifetime = a.lifetime
	g.RefreshToken, err = a.newToken()
	return g, err
}

// deviceFor returns the device as which a locked user may log in, perhaps a new one.
func (a *Accounts) deviceFor(ctx context.Context, user matrix.UserID, l Login) (*Device, error) {
	u, err := a.User(ctx, user)
	if err != nil {
		return nil, err
	}
	if u != nil && u.refusal() != nil { // perhaps since the password was checked
		return nil, u.refusal()
	}
	d, err := a.Device(ctx, user, l.Device)
	if err != nil || d != nil {
		return d, err
	}
	if err := a.checkRoomForDevice(ctx, user); err != nil {
		return nil, err
	}
	return &Device{User: user, ID: l.Device, Name: truncate(l.Name, MaxDeviceName), Made: a.now()}, nil
}

// begin gives a device new tokens. Its user is locked.
func (a *Accounts) begin(ctx context.Context, d *Device, g *Grant) error {
	before := d.tokens
	d.Seen, d.tokens = a.now(), tokens{token: hashToken(g.Token)}
	if g.RefreshToken != "" {
		d.refresh = hashToken(g.RefreshToken)
	}
	a.endSessions(&before)
	_, err := a.apply(ctx, func(tx *store.Tx) {
		if d.Born == 0 {
			d.Born = tx.Note(store.Note{Kind: store.KindDevices, User: d.User, Device: d.ID})
		}
		deleteTokens(tx, &before)
		tx.Set(tableDevices, key(d.User, d.ID), appendDevice(nil, d))
		tx.Set(tableTokens, []byte(d.token), appendToken(nil, d, g.Lifetime))
		if d.refresh != "" {
			tx.Set(tableRefresh, []byte(d.refresh), appendRefresh(nil, d))
		}
	})
	g.Born = d.Born
	return err
}

// appendToken writes the record of an access token of a device that was seen just now.
func appendToken(dst []byte, d *Device, lifetime time.Duration) []byte {
	dst = appendString(appendString(dst, d.User), d.ID)
	dst = appendTime(binary.AppendUvarint(dst, uint64(d.Born)), d.Seen)
	if lifetime == 0 {
		return dst
	}
	return appendTime(dst, d.Seen.Add(lifetime))
}

// readToken returns the session of an access token without the token, and when it expires, in ms since 1970; 0 for never.
func readToken(data []byte) (s Session, expires int64, err error) {
	r := reader{data: data}
	s = Session{User: matrix.UserID(r.string()), Device: r.string(), Born: store.Pos(r.uvarint())}
	r.time()
	if len(r.data) > 0 {
		expires = r.time().UnixMilli()
	}
	return s, expires, r.end()
}

// Authenticate returns whose session an access token is. It is quick for a session that was used lately.
//
// Errors: M_UNKNOWN_TOKEN (401), M_USER_LOCKED (401), M_USER_DEACTIVATED (403).
// spec: client-server-api#using-access-tokens
func (a *Accounts) Authenticate(ctx context.Context, token string) (Session, error) {
	k := tokenKey(token)
	if e, ok := a.sessions.get(k); ok {
		return e.answer(a.now)
	}
	e, err := a.findSession(ctx, token, k)
	if err != nil {
		return Session{}, err
	}
	return e.answer(a.now)
}

// AuthenticateLeaver is Authenticate for those who only want to log out, which locked users may too.
// spec: client-server-api#account-locking
func (a *Accounts) AuthenticateLeaver(ctx context.Context, token string) (Session, error) {
	e, err := a.findSession(ctx, token, tokenKey(token))
	if err != nil {
		return Session{}, err
	}
	e.refused = nil
	return e.answer(a.now)
}

// findSession reads a session from the disk and remembers it.
func (a *Accounts) findSession(ctx context.Context, token string, k [sha256.Size]byte) (known, error) {
	row, err := a.store.Row(ctx, tableTokens, k[:])
	if err != nil {
		return known{}, fmt.Errorf("reading a session: %w", err)
	}
	if row == nil {
		return known{}, errUnknownToken()
	}
	s, _, err := readToken(row)
	if err != nil {
		return known{}, fmt.Errorf("reading a session: %w", err)
	}
	// Under the lock, so that a session which ends meanwhile is not remembered.
	unlock, err := a.lock(ctx, s.User)
	if err != nil {
		return known{}, err
	}
	defer unlock()
	e, err := a.currentSession(ctx, k, s.User, s.Device)
	if err != nil {
		return known{}, err
	}
	e.session.Token = token
	a.sessions.put(k, e)
	return e, nil
}

// currentSession reads a session of a locked user, without its token. If it was refreshed and is used for the first
// time then it replaces the one before.
func (a *Accounts) currentSession(ctx context.Context, k [sha256.Size]byte, user matrix.UserID, device string) (known, error) {
	rows, err := a.store.Rows(ctx,
		blob.RowKey{Table: tableTokens, Key: k[:]},
		blob.RowKey{Table: tableDevices, Key: key(user, device)},
		blob.RowKey{Table: tableUsers, Key: []byte(user)})
	if err != nil {
		return known{}, fmt.Errorf("reading a session: %w", err)
	}
	if rows[0] == nil || rows[1] == nil || rows[2] == nil {
		return known{}, errUnknownToken()
	}
	s, expires, err := readToken(rows[0])
	if err != nil {
		return known{}, fmt.Errorf("reading a session: %w", err)
	}
	d, err := readDevice(user, device, rows[1])
	if err != nil {
		return known{}, err
	}
	u, err := readUser(user, rows[2])
	if err != nil {
		return known{}, err
	}
	s.Suspended = u.Suspended
	e := known{session: s, refused: u.refusal(), expires: expires}
	if _, err := e.answer(a.now); err == nil && d.nextToken == string(k[:]) {
		return e, a.promote(ctx, &d)
	}
	return e, nil
}

func errUnknownToken() error {
	return matrix.Errorf(http.StatusUnauthorized, matrix.MUnknownToken, "Unknown access token").With("soft_logout", false)
}

// errExpired says that the device is still there and may log in or refresh its session.
// spec: client-server-api#soft-logout
func errExpired() error {
	return matrix.Errorf(http.StatusUnauthorized, matrix.MUnknownToken, "The access token has expired").With("soft_logout", true)
}

// Logout ends a session and removes its device.
// spec: client-server-api#post_matrixclientv3logout
func (a *Accounts) Logout(ctx context.Context, s Session) error {
	return a.RemoveDevices(ctx, s.User, s.Device)
}

// LogoutAll ends all sessions of a user, removes all devices and returns their ids.
// spec: client-server-api#post_matrixclientv3logoutall
func (a *Accounts) LogoutAll(ctx context.Context, user matrix.UserID) ([]string, error) {
	unlock, err := a.lock(ctx, user)
	if err != nil {
		return nil, err
	}
	defer unlock()
	devices, err := a.Devices(ctx, user)
	if err != nil {
		return nil, err
	}
	return idsOf(devices), a.removeDevices(ctx, user, devices)
}
