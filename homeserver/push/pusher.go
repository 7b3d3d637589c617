package push

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

const (
	tablePushers  = "pusher"
	tablePushKeys = "pushkey"
)

// The limits of pushers.
const (
	maxPushers    = 100 // of a user
	maxAppID      = 64  // characters
	maxPushKey    = 512 // bytes
	maxPusherText = 255 // bytes of a name, a language, a tag
	maxPusherData = 8 << 10
)

// gatewayPath is the path of every push gateway's URL.
const gatewayPath = "/_matrix/push/v1/notify"

// Pusher tells how one of a user's apps is notified.
// spec: client-server-api#get_matrixclientv3pushers
type Pusher struct {
	PushKey    string          `json:"pushkey"`
	Kind       string          `json:"kind"`
	AppID      string          `json:"app_id"`
	AppName    string          `json:"app_display_name"`
	DeviceName string          `json:"device_display_name"`
	ProfileTag string          `json:"profile_tag,omitempty"`
	Lang       string          `json:"lang"`
	Data       json.RawMessage `json:"data"` // an object
}

// storedPusher is a pusher as it is on the disk.
type storedPusher struct {
	Pusher
	Device string `json:"device"` // whose session set it
}

// Check refuses what cannot be a pusher.
//
// Errors: M_INVALID_PARAM (400).
func (d *Pusher) Check() error {
	bad := func(format string, args ...any) error {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, format, args...)
	}
	if err := checkPusherKey(d.AppID, d.PushKey); err != nil {
		return err
	}
	for _, text := range []string{d.AppName, d.DeviceName, d.ProfileTag, d.Lang} {
		if len(text) > maxPusherText {
			return bad("A pusher's names, language and profile tag have at most %d bytes each", maxPusherText)
		}
	}
	if !matrix.IsObject(d.Data) || len(d.Data) > maxPusherData {
		return bad("A pusher's data is an object of at most %d bytes", maxPusherData)
	}
	if d.Kind != "http" { // this server sends no e-mail
		return bad("This server has no pushers of kind %.100q", d.Kind)
	}
	address, ok := matrix.StringField(d.Data, "url")
	if !ok {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "A pusher's data needs the url of its push gateway")
	}
	// spec: client-server-api#post_matrixclientv3pushersset ("MUST be an HTTPS URL with a path of")
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Path != gatewayPath {
		return bad("A push gateway's url begins with https:// and has the path %s", gatewayPath)
	}
	return nil
}

func checkPusherKey(app, key string) error {
	if app == "" || len([]rune(app)) > maxAppID || strings.Contains(app, "\x00") {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "An app_id has 1 to %d characters", maxAppID)
	}
	if key == "" || len(key) > maxPushKey || strings.Contains(key, "\x00") {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A pushkey has 1 to %d bytes", maxPushKey)
	}
	return nil
}

func pusherKey(user matrix.UserID, app, key string) []byte {
	return []byte(string(user) + "\x00" + app + "\x00" + key)
}

func pushKeyKey(app, key string, user matrix.UserID) []byte {
	return []byte(app + "\x00" + key + "\x00" + string(user))
}

// Pushers returns a user's pushers.
func (p *Push) Pushers(ctx context.Context, user matrix.UserID) ([]Pusher, error) {
	out := []Pusher{}
	for d, err := range p.pushers(ctx, user) {
		if err != nil {
			return nil, err
		}
		out = append(out, d.Pusher)
	}
	return out, nil
}

func (p *Push) pushers(ctx context.Context, user matrix.UserID) iter.Seq2[*storedPusher, error] {
	return func(yield func(*storedPusher, error) bool) {
		for row, err := range p.store.Scan(ctx, blob.Prefix(tablePushers, []byte(string(user)+"\x00"))) {
			d := new(storedPusher)
			if err == nil {
				err = json.Unmarshal(row.Value, d)
			}
			if err != nil {
				yield(nil, fmt.Errorf("reading the pushers of %s: %w", user, err))
				return
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

// SetPusher adds or replaces the pusher with d's app and key, which a device's session sets, and returns once that is
// durable. Unless it is to be appended, the same app and key push for no other user from now on.
//
// Errors: M_INVALID_PARAM and M_MISSING_PARAM (400), M_TOO_LARGE (400) if the user has too many.
// spec: client-server-api#post_matrixclientv3pushersset
func (p *Push) SetPusher(ctx context.Context, user matrix.UserID, device string, d Pusher, appended bool) error {
	if err := d.Check(); err != nil {
		return err
	}
	value, err := json.Marshal(storedPusher{d, device})
	if err != nil {
		return fmt.Errorf("encoding a pusher of %s: %w", user, err)
	}
	p.pusherChanges.Lock()
	defer p.pusherChanges.Unlock()
	if err := p.checkRoomForPusher(ctx, user, &d); err != nil {
		return err
	}
	var others []matrix.UserID
	if !appended {
		if others, err = p.pusherOwners(ctx, d.AppID, d.PushKey); err != nil {
			return err
		}
	}
	_, err = p.apply(ctx, func(tx *store.Tx) {
		for _, other := range others {
			deletePusher(tx, other, d.AppID, d.PushKey)
		}
		tx.Set(tablePushers, pusherKey(user, d.AppID, d.PushKey), value)
		tx.Set(tablePushKeys, pushKeyKey(d.AppID, d.PushKey, user), nil)
	})
	if err != nil {
		return fmt.Errorf("writing a pusher of %s: %w", user, err)
	}
	return nil
}

// checkRoomForPusher refuses a new pusher of a user who has too many.
func (p *Push) checkRoomForPusher(ctx context.Context, user matrix.UserID, d *Pusher) error {
	all, err := p.Pushers(ctx, user)
	if err != nil || len(all) < maxPushers {
		return err
	}
	if slices.ContainsFunc(all, func(o Pusher) bool { return o.AppID == d.AppID && o.PushKey == d.PushKey }) {
		return nil
	}
	return matrix.Errorf(http.StatusBadRequest, matrix.MTooLarge, "You have %d pushers; remove some first", len(all))
}

// pusherOwners returns the users for whom an app and key push.
func (p *Push) pusherOwners(ctx context.Context, app, key string) ([]matrix.UserID, error) {
	var users []matrix.UserID
	prefix := pushKeyKey(app, key, "")
	for row, err := range p.store.Scan(ctx, blob.Prefix(tablePushKeys, prefix)) {
		if err != nil {
			return nil, fmt.Errorf("finding whose pusher it is: %w", err)
		}
		users = append(users, matrix.UserID(bytes.TrimPrefix(row.Key, prefix)))
	}
	return users, nil
}

func deletePusher(tx *store.Tx, user matrix.UserID, app, key string) {
	tx.Delete(tablePushers, pusherKey(user, app, key))
	tx.Delete(tablePushKeys, pushKeyKey(app, key, user))
}

// DeletePusher removes a user's pusher; one that is not there is none that must be removed.
func (p *Push) DeletePusher(ctx context.Context, user matrix.UserID, app, key string) error {
	if err := checkPusherKey(app, key); err != nil {
		return err
	}
	return p.deletePushers(ctx, user, func(d *storedPusher) bool { return d.AppID == app && d.PushKey == key })
}

// ForgetPushers removes the pushers that a device's session set: the device is no more.
func (p *Push) ForgetPushers(ctx context.Context, user matrix.UserID, device string) error {
	return p.deletePushers(ctx, user, func(d *storedPusher) bool { return d.Device == device })
}

// Forget removes the rules and pushers of a user who is no more.
func (p *Push) Forget(ctx context.Context, user matrix.UserID) error {
	if err := p.deletePushers(ctx, user, func(*storedPusher) bool { return true }); err != nil {
		return err
	}
	return p.forgetRules(ctx, user)
}

func (p *Push) deletePushers(ctx context.Context, user matrix.UserID, selects func(*storedPusher) bool) error {
	p.pusherChanges.Lock()
	defer p.pusherChanges.Unlock()
	var doomed []*storedPusher
	for d, err := range p.pushers(ctx, user) {
		if err != nil {
			return err
		}
		if selects(d) {
			doomed = append(doomed, d)
		}
	}
	if len(doomed) == 0 {
		return nil
	}
	_, err := p.apply(ctx, func(tx *store.Tx) {
		for _, d := range doomed {
			deletePusher(tx, user, d.AppID, d.PushKey)
		}
	})
	if err != nil && !errors.Is(err, store.ErrClosed) {
		return fmt.Errorf("removing pushers of %s: %w", user, err)
	}
	return err
}
