// Package clientsync follows the log for clients: /sync, who is typing and who is present.
//
// # The hub
//
// One goroutine, the hub, follows the log. It notes at which position each room and each user changed last, keeps
// the places of the newest events of the rooms that somebody watches, and wakes who waits for a room or a user. So
// a sync that has nothing to say reads nothing, and one that has reads only what changed.
//
// # An answer
//
// An answer holds what was written after the client's token (since) and up to the hub's position when the answer
// was planned (now), which becomes the client's next token. Whatever is read is cut to these bounds, and the rooms
// that a user is in are known exactly as of now; so between one answer and the next nothing is left out and nothing
// told twice. If what is new turns out to be nothing that the client wants, the client waits on.
//
// The rooms of an answer are read a few at once and written one after the other: what is in memory at a time is a
// few rooms, not the answer. A room that cannot be read because its data is damaged is logged and left out, and the
// others are answered.
//
// # Tokens
//
// A token is "s", a position of the log, "_", a number of changes of who types and is present, and, if messages to the device are still
// queued behind what was delivered, "_" and the position up to which they were:
//
//	s4711_1732400000000123
//	s4711_1732400000000123_4700
//
// These numbers start at the microsecond of the program's start, so they also grow over a restart. A number
// above the hub's own, from a time when the clock was ahead, counts as 0.
package clientsync

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/e2ee"
	"hearth/homeserver/presence"
	"hearth/homeserver/push"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/storage/blob"
)

// Options are what a Syncer needs to know.
type Options struct {
	Now      func() time.Time
	Log      *slog.Logger
	Presence *presence.Tracker // nil: nobody is told who is present
}

// Syncer answers /sync.
type Syncer struct {
	store    *store.Store
	accounts *account.Accounts
	timeline *timeline.Timeline
	e2ee     *e2ee.E2EE
	push     *push.Push
	presence *presence.Tracker // may be nil
	o        Options
	hub      *hub
	sent     *sentMembers
	filters  *filters
	pages    *pages[historyKey, *history]
	receipts *pages[receiptsKey, []push.Receipt]
	scratch  sync.Pool // of *[]byte: what rooms are written into whose history is not kept
	stop     context.CancelFunc
	closing  <-chan struct{} // closed when Close is called
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
	y := &Syncer{
		store: s, accounts: accounts, timeline: t, e2ee: e, push: p, presence: o.Presence, o: o, stop: cancel, closing: ctx.Done(),
		sent: newSentMembers(), filters: newFilters(),
		pages:    newPages[historyKey, *history](maxHistories),
		receipts: newPages[receiptsKey, []push.Receipt](maxReceipts),
	}
	y.hub = newHub(s.Durable(), uint64(max(1, o.Now().UnixMicro())))
	y.done.Go(func() { y.follow(ctx) })
	y.done.Go(func() { y.wakeFellows(ctx) })
	if y.presence != nil {
		y.presence.Listen(y.hub.presenceChanged)
	}
	return y
}

// Close ends the hub; syncs that wait are answered as at their timeout.
func (y *Syncer) Close() {
	y.stop()
	y.done.Wait()
	y.hub.close()
}

// Closing returns a channel that is closed when Close is called, for others who keep clients waiting.
func (y *Syncer) Closing() <-chan struct{} { return y.closing }

// retry is how long the hub rests after the log could not be read.
const retry = time.Second

// follow feeds the hub from the log until ctx ends.
func (y *Syncer) follow(ctx context.Context) {
	pos := y.hub.position()
	for {
		notes, err := y.store.Follow(ctx, pos)
		if err == nil {
			err = y.complete(ctx, notes)
		}
		if ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
			return
		}
		if err != nil {
			y.o.Log.Warn("following the log failed, trying again", "err", err)
			select {
			case <-time.After(retry):
			case <-ctx.Done():
			}
			continue
		}
		y.hub.take(notes)
		pos = notes[len(notes)-1].Pos
	}
}

// complete reads the events of notes that were read from the disk. A damaged event stays nil: it must not stop those
// behind it.
func (y *Syncer) complete(ctx context.Context, notes []store.Note) error {
	for i := range notes {
		n := &notes[i]
		if n.Kind != store.KindEvent || n.Event != nil {
			continue
		}
		events, err := y.store.EventsAt(ctx, n.Room, n.Order)
		switch {
		case err == nil:
			n.Event = events[0]
		case damaged(err):
			y.o.Log.Error("an event is damaged", "room", n.Room, "order", n.Order, "err", err)
		default:
			return err
		}
	}
	return nil
}

// damaged reports whether err says that the data itself is bad, so that reading it again is of no use; and not that
// it could not be read just now.
func damaged(err error) bool {
	var b *blob.Error
	if errors.As(err, &b) {
		return b.Kind == blob.Corrupt
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, store.ErrClosed)
}
