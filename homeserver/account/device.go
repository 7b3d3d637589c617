package account

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// Device is one of a user's devices.
type Device struct {
	User matrix.UserID
	ID   string
	Name string    // for people; "" if none
	Made time.Time // when it was first logged in
	Seen time.Time // when it was last seen, by and large
	Born store.Pos // where in the log it was made

	Address string // from where it was last seen, "" if that is not known

	tokens
}

// tokens are the SHA-256 sums of the tokens of one device, "" for each that it lacks. What comes after the first is
// only of devices that refresh their session; see Refresh.
type tokens struct {
	token   string // the access token
	refresh string // the refresh token
	// The pair that a refresh gave out. It replaces the first one as soon as it is used.
	nextToken, nextRefresh string
	spent                  string // the refresh token before this one
}

// each calls f with every access token, then g with every refresh token.
func (t *tokens) each(f, g func(hash string)) {
	for _, h := range []string{t.token, t.nextToken} {
		if h != "" {
			f(h)
		}
	}
	for _, h := range []string{t.refresh, t.nextRefresh, t.spent} {
		if h != "" {
			g(h)
		}
	}
}

func appendDevice(dst []byte, d *Device) []byte {
	dst = appendTime(appendTime(appendString(dst, d.Name), d.Made), d.Seen)
	dst = appendString(binary.AppendUvarint(dst, uint64(d.Born)), d.token)
	if d.refresh == "" && d.Address == "" {
		return dst
	}
	for _, h := range []string{d.refresh, d.nextToken, d.nextRefresh, d.spent} {
		dst = appendString(dst, h)
	}
	return appendString(dst, d.Address)
}

func readDevice(user matrix.UserID, id string, data []byte) (Device, error) {
	r := reader{data: data}
	d := Device{User: user, ID: id, Name: r.string(), Made: r.time(), Seen: r.time(), Born: store.Pos(r.uvarint())}
	d.token = r.string()
	if len(r.data) > 0 {
		d.refresh, d.nextToken, d.nextRefresh, d.spent = r.string(), r.string(), r.string(), r.string()
		d.Address = r.string()
		r.failed = r.failed || d.refresh == "" && d.Address == ""
	}
	err := r.end()
	for _, h := range []string{d.token, d.refresh, d.nextToken, d.nextRefresh, d.spent} {
		if h != "" && len(h) != sha256.Size {
			err = errMalformed
		}
	}
	if err != nil {
		return d, fmt.Errorf("reading device %q of %s: %w", id, user, err)
	}
	return d, nil
}

// CheckDeviceID refuses what cannot be part of a key or would break logs and other servers. Error: M_INVALID_PARAM (400).
func CheckDeviceID(id string) error {
	control := strings.ContainsFunc(id, func(r rune) bool { return r < 0x20 || r == 0x7f })
	if len(id) > MaxDeviceID || control || !utf8.ValidString(id) {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A device id has at most %d bytes and no control characters", MaxDeviceID)
	}
	return nil
}

// newDeviceID returns ten random capital letters, easy to compare by eye.
func (a *Accounts) newDeviceID() (string, error) {
	b, err := a.random(16)
	if err != nil {
		return "", err
	}
	n := binary.BigEndian.Uint64(b)
	id := make([]byte, 10)
	for i := range id {
		id[i] = 'A' + byte(n%26)
		n /= 26
	}
	return string(id), nil
}

// Device returns a user's device, nil if there is none of that id.
func (a *Accounts) Device(ctx context.Context, user matrix.UserID, id string) (*Device, error) {
	d, err := a.storedDevice(ctx, user, id)
	if d != nil {
		a.seen.update(d)
	}
	return d, err
}

// storedDevice returns a device as it was last written.
func (a *Accounts) storedDevice(ctx context.Context, user matrix.UserID, id string) (*Device, error) {
	if !a.local(user) || CheckDeviceID(id) != nil || id == "" {
		return nil, nil
	}
	row, err := a.store.Row(ctx, tableDevices, key(user, id))
	if err != nil {
		return nil, fmt.Errorf("reading device %q of %s: %w", id, user, err)
	}
	if row == nil {
		return nil, nil
	}
	d, err := readDevice(user, id, row)
	return &d, err
}

// Devices returns a user's devices in order of their ids.
func (a *Accounts) Devices(ctx context.Context, user matrix.UserID) ([]Device, error) {
	if !a.local(user) {
		return nil, nil
	}
	prefix := key(user)
	var devices []Device
	for row, err := range a.store.Scan(ctx, blob.Prefix(tableDevices, prefix)) {
		if err != nil {
			return nil, fmt.Errorf("reading the devices of %s: %w", user, err)
		}
		d, err := readDevice(user, string(row.Key[len(prefix):]), row.Value)
		if err != nil {
			return nil, err
		}
		a.seen.update(&d)
		devices = append(devices, d)
	}
	return devices, nil
}

// RenameDevice changes a device's name.
//
// Errors: M_NOT_FOUND (404), M_TOO_LARGE (400).
// spec: client-server-api#put_matrixclientv3devicesdeviceid
func (a *Accounts) RenameDevice(ctx context.Context, user matrix.UserID, id, name string) error {
	if len(name) > MaxDeviceName {
		return matrix.Errorf(http.StatusBadRequest, matrix.MTooLarge, "The name of a device has at most %d bytes", MaxDeviceName)
	}
	unlock, err := a.lock(ctx, user)
	if err != nil {
		return err
	}
	defer unlock()
	d, err := a.Device(ctx, user, id)
	if err != nil {
		return err
	}
	if d == nil {
		return ErrNoDevice()
	}
	if d.Name == name {
		return nil
	}
	d.Name = name
	_, err = a.apply(ctx, func(tx *store.Tx) {
		tx.Set(tableDevices, key(user, id), appendDevice(nil, d))
		tx.Note(store.Note{Kind: store.KindDevices, User: user, Device: id})
	})
	if err != nil {
		return fmt.Errorf("renaming device %q of %s: %w", id, user, err)
	}
	return nil
}

// ErrNoDevice says that the user has no such device.
func ErrNoDevice() error {
	return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "You have no such device")
}

// otherDevices returns a user's devices but one.
func (a *Accounts) otherDevices(ctx context.Context, user matrix.UserID, but string) ([]Device, error) {
	devices, err := a.Devices(ctx, user)
	return slices.DeleteFunc(devices, func(d Device) bool { return d.ID == but }), err
}

func idsOf(devices []Device) []string {
	ids := make([]string, len(devices))
	for i := range devices {
		ids[i] = devices[i].ID
	}
	return ids
}

func (a *Accounts) checkRoomForDevice(ctx context.Context, user matrix.UserID) error {
	devices, err := a.Devices(ctx, user)
	if err != nil {
		return err
	}
	if len(devices) >= MaxDevices {
		return a.errUserLimit("You have %d devices: log out of some", MaxDevices)
	}
	return nil
}

// errUserLimit says that the account is at a limit of its own, which does not go away by waiting.
// spec: client-server-api#common-error-codes
func (a *Accounts) errUserLimit(format string, args ...any) error {
	return matrix.Errorf(http.StatusForbidden, matrix.MUserLimitExceeded, format, args...).With("info_uri", "https://"+string(a.server)+"/")
}

// RemoveDevices removes devices of a user and ends their sessions. Devices that do not exist are passed over. What
// others keep for a device is not removed here: see Departing.
func (a *Accounts) RemoveDevices(ctx context.Context, user matrix.UserID, ids ...string) error {
	unlock, err := a.lock(ctx, user)
	if err != nil {
		return err
	}
	defer unlock()
	var devices []Device
	for _, id := range ids {
		d, err := a.Device(ctx, user, id)
		if err != nil {
			return err
		}
		if d != nil {
			devices = append(devices, *d)
		}
	}
	return a.removeDevices(ctx, user, devices)
}

// removeDevices removes devices of a locked user.
func (a *Accounts) removeDevices(ctx context.Context, user matrix.UserID, devices []Device) error {
	if len(devices) == 0 {
		return nil
	}
	for i := range devices {
		a.endSessions(&devices[i].tokens)
	}
	_, err := a.apply(ctx, func(tx *store.Tx) { deleteDevices(tx, user, devices) })
	if err != nil {
		return fmt.Errorf("removing devices of %s: %w", user, err)
	}
	return nil
}

func deleteDevices(tx *store.Tx, user matrix.UserID, devices []Device) {
	for i := range devices {
		d := &devices[i]
		deleteTokens(tx, &d.tokens)
		tx.Delete(tableDevices, key(user, d.ID))
		tx.Set(tableDeparting, key(user, d.ID), []byte{})
		tx.Note(store.Note{Kind: store.KindDevices, User: user, Device: d.ID})
	}
}

// endSessions forgets the sessions of a locked user's tokens, which are about to be deleted. It comes before that, so
// that whoever is told of the change does not find them any more; who looks meanwhile waits for the user's lock.
func (a *Accounts) endSessions(t *tokens) { t.each(a.sessions.removeHash, func(string) {}) }

func deleteTokens(tx *store.Tx, t *tokens) {
	t.each(
		func(h string) { tx.Delete(tableTokens, []byte(h)) },
		func(h string) { tx.Delete(tableRefresh, []byte(h)) },
	)
}

// truncate shortens s to at most n bytes without cutting a character.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
