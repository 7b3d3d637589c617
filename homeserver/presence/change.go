package presence

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
)

// MaxMessage is the longest status message, in bytes.
const MaxMessage = 1024

// news is what happened to a user's status.
type news struct {
	user          matrix.UserID
	changed, loud bool
	save          bool // write down when the user was active
}

// tell lets the listeners know. Called without the lock.
func (t *Tracker) tell(n news) {
	if n.save {
		t.save(n.user)
	}
	if !n.changed {
		return
	}
	t.mu.Lock()
	listeners := t.listeners
	t.mu.Unlock()
	for _, f := range listeners {
		f(n.user, n.loud)
	}
}

// save writes down when a user was active. It need not be durable: what is lost is the time of one absence.
func (t *Tracker) save(id matrix.UserID) {
	done, err := t.turn(t.ctx, id)
	if err != nil {
		return // the end
	}
	defer done()
	t.mu.Lock()
	u := t.users[id]
	if u == nil {
		t.mu.Unlock()
		return
	}
	row := appendRow(nil, u.active, u.message)
	u.written = u.active
	t.mu.Unlock()
	_, err = t.store.Append(t.ctx, func(tx *store.Tx) { tx.Set(table, []byte(id), row) })
	if err != nil && t.ctx.Err() == nil {
		t.log.Warn("writing down when a user was active", "err", err)
	}
}

// load makes sure that a user is known; ok is false if there are too many.
func (t *Tracker) load(ctx context.Context, id matrix.UserID) (ok bool, err error) {
	t.mu.Lock()
	known := t.users[id] != nil
	t.mu.Unlock()
	if known {
		return true, nil
	}
	row, err := t.store.Row(ctx, table, []byte(id))
	if err != nil {
		return false, fmt.Errorf("reading when %s was active: %w", id, err)
	}
	active, message, err := readRow(row)
	if err != nil {
		return false, fmt.Errorf("reading when %s was active: %w", id, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.users[id] == nil && len(t.users) >= maxUsers && !t.forget() {
		return false, nil
	}
	if t.users[id] == nil {
		t.users[id] = &user{
			message: message, active: active, written: active,
			devices: make(map[string]*device), told: told{state: Offline, message: message},
		}
	}
	return true, nil
}

// forget makes room for another user: of one who is offline everything is on the disk, but for the time of the last
// absence. Called with the lock held.
func (t *Tracker) forget() bool {
	for id, u := range t.users {
		if len(u.devices) == 0 {
			if u.timer != nil {
				u.timer.Stop()
			}
			delete(t.users, id)
			return true
		}
	}
	return false
}

// Sync notes that a device syncs, and says what of itself: Online, Unavailable, or nothing if it is Offline. asserted
// says that the device chose the state, and not that it left it out. The caller calls done when the sync has ended.
// spec: client-server-api#get_matrixclientv3sync (set_presence)
func (t *Tracker) Sync(ctx context.Context, s account.Session, state string, asserted bool) (done func(), err error) {
	nothing := func() {}
	if state == Offline {
		return nothing, nil
	}
	d := t.syncs(s, state, asserted)
	if d == nil {
		ok, err := t.load(ctx, s.User)
		if err != nil || !ok {
			return nothing, err
		}
		if d = t.syncs(s, state, asserted); d == nil {
			return nothing, nil
		}
	}
	return func() { t.synced(s, d) }, nil
}

// syncs begins a sync of a known user; the device is nil if it is not to be known.
func (t *Tracker) syncs(s account.Session, state string, asserted bool) *device {
	t.mu.Lock()
	u := t.users[s.User]
	if u == nil || t.closed {
		t.mu.Unlock()
		return nil
	}
	d := u.device(s.Device)
	if d == nil {
		t.mu.Unlock()
		return nil
	}
	now := t.now()
	if state == Online && (asserted || d.state != Online) {
		u.act(d, now)
	}
	d.state = state
	d.syncs++
	n := t.settle(s.User, u, now)
	t.mu.Unlock()
	t.tell(n)
	return d
}

func (t *Tracker) synced(s account.Session, d *device) {
	t.mu.Lock()
	now := t.now()
	d.syncs--
	d.seen = now
	var n news
	if u := t.users[s.User]; u != nil {
		n = t.settle(s.User, u, now)
	}
	t.mu.Unlock()
	t.tell(n)
}

// Acts notes that the person at a device did something. A device that is not connected stays so.
// spec: client-server-api#last-active-ago
func (t *Tracker) Acts(s account.Session) {
	t.mu.Lock()
	u := t.users[s.User]
	if u == nil || t.closed {
		t.mu.Unlock()
		return
	}
	now := t.now()
	u.active = now
	if d := u.devices[s.Device]; d != nil && d.state != Offline {
		d.state = Online
		u.act(d, now)
	}
	n := t.settle(s.User, u, now)
	t.mu.Unlock()
	t.tell(n)
}

// Check refuses what no status can be. Error: M_INVALID_PARAM (400).
func Check(state, message string) error {
	if state != Online && state != Unavailable && state != Offline {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "presence must be online, unavailable or offline")
	}
	if len(message) > MaxMessage {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A status message has at most %d bytes", MaxMessage)
	}
	return nil
}

// Set is what a user says by hand: the state of the device, and the status message of the user, "" for none. It
// returns nil when the message is durable.
//
// Errors: M_INVALID_PARAM (400).
// spec: client-server-api#put_matrixclientv3presenceuseridstatus
func (t *Tracker) Set(ctx context.Context, s account.Session, state, message string) error {
	if err := Check(state, message); err != nil {
		return err
	}
	done, err := t.turn(ctx, s.User)
	if err != nil {
		return err
	}
	defer done()
	if ok, err := t.load(ctx, s.User); err != nil || !ok {
		return err
	}
	if err := t.write(ctx, s.User, message); err != nil {
		return err
	}
	t.mu.Lock()
	u := t.users[s.User]
	if u == nil || t.closed { // forgotten since, to make room
		t.mu.Unlock()
		return nil
	}
	u.message = message
	now := t.now()
	u.active = now
	if d := u.device(s.Device); d != nil {
		u.act(d, now)
		d.state, d.seen = state, now
	}
	n := t.settle(s.User, u, now)
	n.save = false // its turn is taken
	t.mu.Unlock()
	t.tell(n)
	return nil
}

// write makes a status message durable, unless it is the same as before and the row's time is good enough. The caller
// has the user's turn.
func (t *Tracker) write(ctx context.Context, id matrix.UserID, message string) error {
	t.mu.Lock()
	u, now := t.users[id], t.now()
	same := u == nil || u.message == message && now.Sub(u.written) <= saveAfter
	t.mu.Unlock()
	if same {
		return nil
	}
	ticket, err := t.store.Append(ctx, func(tx *store.Tx) { tx.Set(table, []byte(id), appendRow(nil, now, message)) })
	if err == nil {
		err = ticket.Wait(context.WithoutCancel(ctx))
	}
	if err != nil {
		return fmt.Errorf("writing the status message of %s: %w", id, err)
	}
	t.mu.Lock()
	if u := t.users[id]; u != nil {
		u.written = now
	}
	t.mu.Unlock()
	return nil
}

// Gone notes that a device is logged out: it is offline at once.
func (t *Tracker) Gone(id matrix.UserID, device string) {
	t.mu.Lock()
	u := t.users[id]
	if u == nil || u.devices[device] == nil || t.closed {
		t.mu.Unlock()
		return
	}
	u.devices[device].state = Offline // and forgotten when its syncs have ended
	n := t.settle(id, u, t.now())
	t.mu.Unlock()
	t.tell(n)
}

// Forget removes all that is kept of a user who is gone for good.
func (t *Tracker) Forget(ctx context.Context, id matrix.UserID) error {
	done, err := t.turn(ctx, id)
	if err != nil {
		return err
	}
	defer done()
	if err := Erase(ctx, t.store, id); err != nil {
		return err
	}
	t.mu.Lock()
	u := t.users[id]
	if u == nil || t.closed {
		t.mu.Unlock()
		return nil
	}
	u.message, u.active, u.written = "", time.Time{}, time.Time{}
	for _, d := range u.devices {
		d.state = Offline
	}
	n := t.settle(id, u, t.now())
	t.mu.Unlock()
	t.tell(n)
	return nil
}

// Erase removes what is written of a user, where nobody tracks who is present.
func Erase(ctx context.Context, s *store.Store, id matrix.UserID) error {
	row, err := s.Row(ctx, table, []byte(id))
	if err == nil && row != nil {
		_, err = s.Apply(ctx, func(tx *store.Tx) { tx.Delete(table, []byte(id)) })
	}
	if err != nil {
		return fmt.Errorf("forgetting the presence of %s: %w", id, err)
	}
	return nil
}
