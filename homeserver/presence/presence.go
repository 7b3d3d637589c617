// Package presence knows who is online.
//
// # Devices and users
//
// A device is connected from its first sync until OfflineAfter after the end of its last one. What it says of itself
// then counts: online, or unavailable; one that says it is offline, or nothing, is not there. An online device that
// did nothing for IdleAfter is unavailable. Only what a person does is doing something: to send, to type, to read, to
// set the status, or to sync with set_presence=online after the device's own idle clock; to go on syncing is not.
//
// A user is what the most present of the user's devices is. While an online user did something within ActiveFor, the
// user is currently active, and the time of the last action is told to nobody anew.
//
// # What lasts
//
// The status message is durable before it is acknowledged. The time of a user's last action is written when the user
// goes offline, if what is written is more than an hour old, and when the program ends; a sync writes nothing.
//
//	presence  user    time of the last action (ms since 1970, signed varint), then the status message
//
// The status message "hi", last active one second after 1970, is the four bytes d0 0f 68 69.
package presence

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

const table = "presence"

// The states of a user or device.
// spec: client-server-api#presence
const (
	Online      = "online"
	Unavailable = "unavailable"
	Offline     = "offline"
)

// The times after which states change by themselves.
const (
	OfflineAfter = 30 * time.Second // without a sync
	IdleAfter    = 5 * time.Minute  // without an action
	ActiveFor    = time.Minute      // after an action
)

// Status is how present a user is.
type Status struct {
	State           string
	Message         string    // "" if none
	Active          time.Time // of the last action; zero if none is known
	CurrentlyActive bool
}

// Options are what a Tracker needs beside its store.
type Options struct {
	Now func() time.Time // default time.Now
	Log *slog.Logger
}

// maxUsers is how many users the tracker knows at a time; further ones are offline.
const maxUsers = 10_000

// Tracker knows how present the users of this server are.
type Tracker struct {
	store *store.Store
	now   func() time.Time
	log   *slog.Logger
	seed  maphash.Seed
	turns [64]chan struct{} // each lets one at a time write the rows of the users that hash to it; full while held
	ctx   context.Context   // of what timers write; ends with Close
	stop  context.CancelFunc

	mu        sync.Mutex // guards the fields below, and the users; never held over I/O
	users     map[matrix.UserID]*user
	listeners []func(user matrix.UserID, loud bool)
	closed    bool
}

// New returns a tracker to whom everybody is offline; Close ends it.
func New(s *store.Store, o Options) *Tracker {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	t := &Tracker{store: s, now: o.Now, log: o.Log, seed: maphash.MakeSeed(), users: make(map[matrix.UserID]*user)}
	t.ctx, t.stop = context.WithCancel(context.Background())
	for i := range t.turns {
		t.turns[i] = make(chan struct{}, 1)
	}
	return t
}

// Listen lets f know of every user whose status changes from now on; loud says that it is more than whether the user
// is currently active. f is called without locks, and must be quick; what the status is then it asks.
func (t *Tracker) Listen(f func(user matrix.UserID, loud bool)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listeners = append(t.listeners, f)
}

// Close stops all clocks and writes down when those who are there were last active.
func (t *Tracker) Close() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	t.closed = true
	rows := make(map[matrix.UserID][]byte)
	for id, u := range t.users {
		if u.timer != nil {
			u.timer.Stop()
		}
		if u.active.After(u.written) {
			rows[id] = appendRow(nil, u.active, u.message)
		}
	}
	t.mu.Unlock()
	t.stop()
	if len(rows) == 0 {
		return
	}
	_, err := t.store.Append(context.Background(), func(tx *store.Tx) {
		for id, row := range rows {
			tx.Set(table, []byte(id), row)
		}
	})
	if err != nil && !errors.Is(err, store.ErrClosed) {
		t.log.Warn("writing down who was active", "err", err)
	}
}

// turn waits until nobody else writes the user's row.
func (t *Tracker) turn(ctx context.Context, id matrix.UserID) (done func(), err error) {
	held := t.turns[maphash.String(t.seed, string(id))%uint64(len(t.turns))]
	select {
	case held <- struct{}{}:
		return func() { <-held }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func appendRow(dst []byte, active time.Time, message string) []byte {
	var ms int64
	if !active.IsZero() {
		ms = active.UnixMilli()
	}
	return append(binary.AppendVarint(dst, ms), message...)
}

func readRow(row []byte) (active time.Time, message string, err error) {
	if row == nil {
		return time.Time{}, "", nil
	}
	ms, n := binary.Varint(row)
	if n <= 0 {
		return time.Time{}, "", errors.New("malformed record")
	}
	if ms != 0 {
		active = time.UnixMilli(ms)
	}
	return active, string(row[n:]), nil
}

// Statuses returns how present users are, in the order asked for.
func (t *Tracker) Statuses(ctx context.Context, ids ...matrix.UserID) ([]Status, error) {
	out := make([]Status, len(ids))
	var missing []int
	var keys []blob.RowKey
	t.mu.Lock()
	now := t.now()
	for i, id := range ids {
		if u := t.users[id]; u != nil {
			out[i], _ = u.status(now)
			continue
		}
		missing = append(missing, i)
		keys = append(keys, blob.RowKey{Table: table, Key: []byte(id)})
	}
	t.mu.Unlock()
	rows, err := t.store.Rows(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("reading who was active: %w", err)
	}
	for j, row := range rows {
		s := Status{State: Offline}
		if s.Active, s.Message, err = readRow(row); err != nil {
			return nil, fmt.Errorf("reading when %s was active: %w", ids[missing[j]], err)
		}
		out[missing[j]] = s
	}
	return out, nil
}
