package clientsync

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/presence"
	"hearth/homeserver/store"
	"hearth/matrix/wire"
)

// MaxTimeout is the longest time that a sync waits.
const MaxTimeout = 5 * time.Minute

// Request is what a client asks of /sync.
// spec: client-server-api#get_matrixclientv3sync
type Request struct {
	Since      string
	Filter     []byte // JSON; nil is none
	FullState  bool
	StateAfter bool // use_state_after
	Timeout    time.Duration
	Presence   string // set_presence; "" if it is left out
}

const (
	defaultLimit  = 10   // events in a room's timeline
	maxLimit      = 1000 // of the filter's limit
	toDeviceLimit = 100  // messages to the device in one answer
)

// round is the making of one answer for one client. It belongs to one goroutine, except that rooms are prepared by
// several, which only read it.
type round struct {
	y       *Syncer
	session account.Session
	req     Request
	filter  *filter
	watch   *watch
	sent    *sentSet
	initial bool
	// acknowledged is the position of the client's token. since is that token, moved on when all that was new after
	// it turned out to be nothing for this client.
	acknowledged store.Pos
	heard        uint64 // the number of the client's token: presence since then may wait for something else to say
	since        token
	now          token
	stamp        int64 // ms since 1970, of the events' ages
	members      []*store.Membership
	ignored      *account.Ignored
	devices      deviceLists
	out          *wire.Stream // nil until there is something to say
	buf          []byte       // of what is written next
}

// Sync answers a client: at once if there is something new since its token, otherwise when there is or the timeout
// is over.
//
// Errors: M_INVALID_PARAM (400) for a filter or a token that cannot be; M_UNKNOWN_TOKEN (401) if the session ends
// while the client waits.
func (y *Syncer) Sync(ctx context.Context, w http.ResponseWriter, s account.Session, q Request) error {
	f, err := y.filters.parse(q.Filter)
	if err != nil {
		return err
	}
	r := &round{y: y, session: s, req: q, filter: f, initial: q.Since == ""}
	if err := y.catchUp(ctx, y.store.Durable()); err != nil {
		return err
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	done, err := y.attend(ctx, s, q.Presence)
	if err != nil {
		return err
	}
	defer done()
	r.watch = y.hub.acquire(s.User)
	defer y.hub.release(r.watch)
	r.sent = y.sent.of(s, r.initial)
	return r.run(ctx, w)
}

// attend tells who is present that a device syncs. The caller calls done when it no longer does.
func (y *Syncer) attend(ctx context.Context, s account.Session, state string) (done func(), err error) {
	if y.presence == nil {
		return func() {}, nil
	}
	return y.presence.Sync(ctx, s, cmp.Or(state, presence.Online), state != "")
}

// begin takes the client's token, which acknowledges the messages to the device up to it.
func (r *round) begin(ctx context.Context) error {
	if r.initial {
		return nil
	}
	var err error
	if r.since, err = parseToken(r.req.Since); err != nil {
		return err
	}
	if r.since.pos > r.y.hub.position() { // positions are announced once they are durable: there is no such future
		return errToken()
	}
	r.acknowledged, r.heard = r.since.pos, r.since.typing
	return r.y.e2ee.Acknowledge(ctx, r.session.User, r.session.Device, r.since.device)
}

// catchUp waits until the hub has seen what was written up to a position: so a client which was told that something
// is done finds it in its next sync.
func (y *Syncer) catchUp(ctx context.Context, to store.Pos) error {
	for {
		pos, moved, closed := y.hub.at()
		if pos >= to || closed {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// run plans answers until one has something to say or the timeout is over.
func (r *round) run(ctx context.Context, w http.ResponseWriter) error {
	deadline := time.NewTimer(min(r.req.Timeout, MaxTimeout))
	defer deadline.Stop()
	last := r.initial || r.req.FullState || r.req.Timeout <= 0
	for {
		said, err := r.answer(ctx, w, last || r.y.hub.isClosed())
		if err != nil || said {
			return err
		}
		r.since = r.now
		wake, done := r.y.hub.await(r.watch, r.now.pos, r.now.typing)
		select {
		case <-wake:
		case <-deadline.C:
			last = true
		case <-ctx.Done():
			err = ctx.Err()
		}
		done()
		if err != nil {
			return err
		}
		if _, err := r.y.accounts.Authenticate(ctx, r.session.Token); err != nil {
			return err // logged out meanwhile
		}
	}
}

// answer plans an answer and writes it if there is something to say, or if it is the last chance to say anything.
func (r *round) answer(ctx context.Context, w http.ResponseWriter, last bool) (said bool, err error) {
	if err := r.locate(ctx); err != nil {
		return false, err
	}
	if !r.initial && r.y.hub.userSince(r.session.User, r.since.pos) { // perhaps logged out
		if _, err := r.y.accounts.Authenticate(ctx, r.session.Token); err != nil {
			return false, err
		}
	}
	p, err := r.plan(ctx)
	if err != nil {
		return false, err
	}
	if last || p.loud || len(p.data)+len(p.toDevice)+len(r.devices.changed) > 0 {
		r.open(w, p)
	}
	if err := r.writeRooms(ctx, w, p); err != nil {
		if r.out == nil {
			return false, err
		}
		return true, r.out.Fail(err)
	}
	if len(r.devices.changed) > 0 {
		r.open(w, p)
	}
	if r.out == nil {
		return false, nil
	}
	if err := r.writeDevices(ctx); err != nil {
		return true, r.out.Fail(err)
	}
	r.out.Close('}')
	return true, r.out.End()
}

// open begins to write the answer, with all that belongs to no room, unless it has begun.
func (r *round) open(w http.ResponseWriter, p *plan) {
	if r.out != nil {
		return
	}
	r.out = wire.NewStream(w)
	r.out.Open('{')
	r.out.Name("next_batch")
	r.out.String(r.now.String())
	r.out.Name("device_one_time_keys_count") // nobody can upload keys yet
	r.out.Raw([]byte(`{}`))
	r.out.Name("device_unused_fallback_key_types")
	r.out.Raw([]byte(`[]`))
	if len(p.data) > 0 {
		r.out.Name("account_data")
		r.out.Raw(appendData(nil, p.data))
	}
	if len(p.presence) > 0 {
		r.out.Name("presence")
		r.out.Raw(append(appendPresence([]byte(`{"events":[`), p.presence, time.UnixMilli(r.stamp)), `]}`...))
	}
	if len(p.toDevice) == 0 {
		return
	}
	r.out.Name("to_device")
	r.out.Open('{')
	r.out.Name("events")
	r.out.Open('[')
	for _, m := range p.toDevice {
		r.out.Raw(m.JSON)
	}
	r.out.Close(']')
	r.out.Close('}')
}
