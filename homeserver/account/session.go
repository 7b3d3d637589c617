package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// Session is one device's right to use the API as its user.
type Session struct {
	User   matrix.UserID
	Device string
	Token  string    // the access token
	Born   store.Pos // where in the log the device was made
}

// MaxDevices is how many devices a user may have.
const MaxDevices = 1000

// MaxDeviceID and MaxDeviceName bound what clients choose, in bytes; longer names are cut.
const MaxDeviceID, MaxDeviceName = 255, 1000

func tokenKey(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// NewSession logs the user in as a device, "" for a new one with a random id. The name is for a new device; a known
// one keeps its own and loses its previous session.
//
// Errors: M_INVALID_PARAM (400) for a device id that cannot be, M_USER_LIMIT_EXCEEDED (403) at MaxDevices,
// M_USER_DEACTIVATED (403), M_USER_LOCKED (401).
func (a *Accounts) NewSession(ctx context.Context, user matrix.UserID, device, name string) (Session, error) {
	if err := CheckDeviceID(device); err != nil {
		return Session{}, err
	}
	if device == "" {
		var err error
		if device, err = a.newDeviceID(); err != nil {
			return Session{}, err
		}
	}
	secret, err := a.random(32)
	if err != nil {
		return Session{}, err
	}
	s := Session{User: user, Device: device, Token: base64.RawURLEncoding.EncodeToString(secret)}
	unlock, err := a.lock(ctx, user)
	if err != nil {
		return Session{}, err
	}
	defer unlock()
	u, err := a.User(ctx, user)
	if err != nil {
		return Session{}, err
	}
	if u != nil && u.refusal() != nil { // perhaps since the password was checked
		return Session{}, u.refusal()
	}
	d, err := a.Device(ctx, user, device)
	if err != nil {
		return Session{}, err
	}
	now := a.now()
	if d == nil {
		if err := a.checkRoomForDevice(ctx, user); err != nil {
			return Session{}, err
		}
		d = &Device{User: user, ID: device, Name: truncate(name, MaxDeviceName), Made: now}
	}
	if err := a.begin(ctx, d, &s); err != nil {
		return Session{}, fmt.Errorf("starting a session of %s: %w", user, err)
	}
	return s, nil
}

// begin gives a device a new token. Its user is locked.
func (a *Accounts) begin(ctx context.Context, d *Device, s *Session) error {
	before, token := d.token, tokenKey(s.Token)
	d.Seen, d.token = a.now(), string(token[:])
	_, err := a.apply(ctx, func(tx *store.Tx) {
		if d.Born == 0 {
			d.Born = tx.Note(store.Note{Kind: store.KindOther})
		}
		if before != "" {
			tx.Delete(tableTokens, []byte(before))
		}
		tx.Set(tableDevices, key(d.User, d.ID), appendDevice(nil, d))
		tx.Set(tableTokens, token[:], appendToken(nil, d))
	})
	if before != "" {
		a.sessions.remove([sha256.Size]byte([]byte(before)))
	}
	s.Born = d.Born
	return err
}

func appendToken(dst []byte, d *Device) []byte {
	dst = appendString(appendString(dst, d.User), d.ID)
	return appendTime(binary.AppendUvarint(dst, uint64(d.Born)), d.Seen)
}

func readToken(data []byte) (Session, error) {
	r := reader{data: data}
	s := Session{User: matrix.UserID(r.string()), Device: r.string(), Born: store.Pos(r.uvarint())}
	r.time()
	return s, r.end()
}

// Authenticate returns whose session an access token is. It is quick for a session that was used lately.
//
// Errors: M_UNKNOWN_TOKEN (401), M_USER_LOCKED (401), M_USER_DEACTIVATED (403).
// spec: client-server-api#using-access-tokens
func (a *Accounts) Authenticate(ctx context.Context, token string) (Session, error) {
	k := tokenKey(token)
	if e, ok := a.sessions.get(k); ok {
		return e.answer()
	}
	e, err := a.findSession(ctx, token, k)
	if err != nil {
		return Session{}, err
	}
	return e.answer()
}

// AuthenticateLeaver is Authenticate for those who only want to log out, which locked users may too.
// spec: client-server-api#account-locking
func (a *Accounts) AuthenticateLeaver(ctx context.Context, token string) (Session, error) {
	e, err := a.findSession(ctx, token, tokenKey(token))
	return e.session, err
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
	s, err := readToken(row)
	if err != nil {
		return known{}, fmt.Errorf("reading a session: %w", err)
	}
	// Under the lock, so that a session which ends meanwhile is not remembered.
	unlock, err := a.lock(ctx, s.User)
	if err != nil {
		return known{}, err
	}
	defer unlock()
	if row, err = a.store.Row(ctx, tableTokens, k[:]); err != nil {
		return known{}, fmt.Errorf("reading a session: %w", err)
	}
	u, err := a.User(ctx, s.User)
	if err != nil {
		return known{}, err
	}
	if row == nil || u == nil {
		return known{}, errUnknownToken()
	}
	s.Token = token
	e := known{session: s, refused: u.refusal()}
	a.sessions.put(k, e)
	return e, nil
}

func errUnknownToken() error {
	return matrix.Errorf(http.StatusUnauthorized, matrix.MUnknownToken, "Unknown access token").With("soft_logout", false)
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
	ids := make([]string, len(devices))
	for i := range devices {
		ids[i] = devices[i].ID
	}
	return ids, a.removeDevices(ctx, user, devices)
}
