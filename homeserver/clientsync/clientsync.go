// Package clientsync follows the log for clients: /sync and who is typing.
//
// # The hub
//
// One goroutine, the hub, follows the log. It notes at which position each room and each user changed last, keeps
// the places of the newest events of the rooms that somebody watches, and wakes who waits for a room or a user. So
// a sync that has nothing to say reads nothing, and one that has reads only what changed.
//
// # Tokens
//
// A token is "s", a position of the log, "_", a number of typing changes, and, if messages to the device are still
// queued behind what was delivered, "_" and the position up to which they were:
//
//	s4711_1732400000000123
//	s4711_1732400000000123_4700
//
// The typing numbers start at the microsecond of the program's start, so they also grow over a restart.
package clientsync

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/e2ee"
	"hearth/homeserver/push"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
)

// Options are what a Syncer needs to know.
type Options struct {
	Now func() time.Time
	Log *slog.Logger
}

// Syncer answers /sync.
type Syncer struct {
	store    *store.Store
	accounts *account.Accounts
	timeline *timeline.Timeline
	e2ee     *e2ee.E2EE
	push     *push.Push
	o        Options
	hub      *hub
	sent     *sentMembers
	stop     context.CancelFunc
	done     sync.WaitGroup
}

// New starts to follow the log; Close ends it.
func New(s *store.Store, accounts *account.Accounts, t *timeline.Timeline, e *e2ee.E2EE, p *push.Push, o Options) *Syncer {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	ctx, cancel := context.WithCancel(context.Background())
	y := &Syncer{store: s, accounts: accounts, timeline: t, e2ee: e, push: p, o: o, stop: cancel, sent: newSentMembers()}
	y.hub = newHub(s.Durable(), uint64(o.Now().UnixMicro()))
	y.done.Go(func() { y.follow(ctx) })
	return y
}

// Close ends the hub; syncs that wait are answered as at their timeout.
func (y *Syncer) Close() {
	y.stop()
	y.done.Wait()
	y.hub.close()
}

// follow feeds the hub from the log until ctx ends.
func (y *Syncer) follow(ctx context.Context) {
	pos := y.hub.position()
	for {
		notes, err := y.store.Follow(ctx, pos)
		if ctx.Err() != nil || err == store.ErrClosed {
			return
		}
		if err == nil {
			err = y.complete(ctx, notes)
		}
		if err != nil {
			y.o.Log.Warn("following the log failed, trying again", "err", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		y.hub.take(notes)
		pos = notes[len(notes)-1].Pos
	}
}

// complete reads the events of notes that were read from the disk.
func (y *Syncer) complete(ctx context.Context, notes []store.Note) error {
	for i := range notes {
		n := &notes[i]
		if n.Kind != store.KindEvent || n.Event != nil {
			continue
		}
		events, err := y.store.EventsAt(ctx, n.Room, n.Order)
		if err != nil {
			return err
		}
		n.Event = events[0]
	}
	return nil
}

// token is where a client is.
type token struct {
	pos    store.Pos
	typing uint64
	device store.Pos // messages to the device were delivered up to here; pos unless some are left
}

func (t token) String() string {
	s := "s" + strconv.FormatUint(uint64(t.pos), 10) + "_" + strconv.FormatUint(t.typing, 10)
	if t.device != t.pos {
		s += "_" + strconv.FormatUint(uint64(t.device), 10)
	}
	return s
}

func parseToken(s string) (t token, err error) {
	bad := matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "since was not made by this server")
	rest, ok := strings.CutPrefix(s, "s")
	parts := strings.Split(rest, "_")
	if !ok || len(parts) < 2 || len(parts) > 3 {
		return t, bad
	}
	var n [3]uint64
	for i, p := range parts {
		if n[i], err = strconv.ParseUint(p, 10, 64); err != nil {
			return t, bad
		}
	}
	t = token{store.Pos(n[0]), n[1], store.Pos(n[0])}
	if len(parts) == 3 {
		t.device = store.Pos(n[2])
	}
	return t, nil
}
