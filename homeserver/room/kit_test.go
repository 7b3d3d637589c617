package room

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/authrules"
	"hearth/matrix/event"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

const (
	alice = matrix.UserID("@alice:here.example")
	bob   = matrix.UserID("@bob:here.example")
	carol = matrix.UserID("@carol:here.example")
)

// faulty is a store in memory that can be told to refuse batches, or to hold them.
type faulty struct {
	*blobtest.Memory
	mu     sync.Mutex // guards the fields below
	refuse func() error
	held   chan struct{}
}

func (f *faulty) Apply(ctx context.Context, b *blob.Batch) error {
	f.mu.Lock()
	held := f.held
	f.mu.Unlock()
	if held != nil {
		<-held
	}
	f.mu.Lock()
	refuse := f.refuse
	f.mu.Unlock()
	if refuse != nil {
		if err := refuse(); err != nil {
			return err
		}
	}
	return f.Memory.Apply(ctx, b)
}

func (f *faulty) set(refuse func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = refuse
}

// hold keeps batches waiting until the function it returns is called.
func (f *faulty) hold() (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	held := make(chan struct{})
	f.held = held
	return func() {
		f.mu.Lock()
		f.held = nil
		f.mu.Unlock()
		close(held)
	}
}

func full() error { return blob.Errorf(blob.Full, "applying batch", "no room") }

// world is rooms over a store in memory, and alice, bob and carol.
type world struct {
	t        testing.TB
	backend  *faulty // nil in benchmarks
	store    *store.Store
	accounts *account.Accounts
	rooms    *Rooms
	key      ed25519.PrivateKey
	mu       sync.Mutex // guards now
	now      time.Time
}

func newWorld(t testing.TB, o ...Options) *world {
	t.Helper()
	w := &world{t: t, backend: &faulty{Memory: blobtest.NewMemory()}}
	w.open(o...)
	for _, name := range []string{"alice", "bob", "carol"} {
		if _, err := w.accounts.Create(t.Context(), name, "", account.NewUser{}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// open opens the store again, as after a restart.
func (w *world) open(o ...Options) {
	w.t.Helper()
	if w.store != nil {
		w.store.Close()
	}
	w.start(w.backend, o...)
}

// start opens a store and what stands upon it.
func (w *world) start(backend blob.Store, o ...Options) {
	w.t.Helper()
	if w.now.IsZero() {
		w.now, w.key = time.UnixMilli(1_700_000_000_000), ed25519.NewKeyFromSeed(make([]byte, 32))
	}
	var err error
	w.store, err = store.Open(w.t.Context(), backend, store.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.store.Close)
	w.accounts = account.New(w.store, account.Options{Server: "here.example", Cost: account.Cost{Memory: 8, Time: 1, Threads: 1}})
	options := Options{}
	if len(o) > 0 {
		options = o[0]
	}
	options.Signer = event.Signer{Server: "here.example", KeyID: "ed25519:1", Key: w.key}
	options.Now, options.Rand = w.clock, rand.NewChaCha8([32]byte{})
	w.rooms = New(w.store, w.accounts, options)
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) create(c Creation) *store.Room {
	w.t.Helper()
	if c.Creator == "" {
		c.Creator = alice
	}
	id, err := w.rooms.Create(w.t.Context(), c)
	if err != nil {
		w.t.Fatalf("creating a room: %v", err)
	}
	return w.room(id)
}

func (w *world) room(id matrix.RoomID) *store.Room {
	w.t.Helper()
	r, err := w.store.RoomByID(w.t.Context(), id)
	if err != nil || r == nil {
		w.t.Fatalf("room %s: %v, %v", id, r, err)
	}
	return r
}

// again reads a room as it is now.
func (w *world) again(r *store.Room) *store.Room { return w.room(r.ID) }

func (w *world) send(r *store.Room, sender matrix.UserID, typ, content string) (matrix.EventID, error) {
	return w.rooms.Send(w.t.Context(), r, Message{Sender: sender, Device: "D", Type: typ, Content: []byte(content)})
}

func (w *world) text(r *store.Room, sender matrix.UserID, body string) *store.Event {
	w.t.Helper()
	id, err := w.send(r, sender, "m.room.message", fmt.Sprintf(`{"msgtype":"m.text","body":%q}`, body))
	if err != nil {
		w.t.Fatalf("sending: %v", err)
	}
	return w.event(id)
}

func (w *world) event(id matrix.EventID) *store.Event {
	w.t.Helper()
	e, err := w.store.EventByID(w.t.Context(), id)
	if err != nil || e == nil {
		w.t.Fatalf("event %s: %v, %v", id, e, err)
	}
	return e
}

func (w *world) setState(r *store.Room, sender matrix.UserID, typ, key, content string) matrix.EventID {
	w.t.Helper()
	id, err := w.rooms.SetState(w.t.Context(), r, Message{Sender: sender, Type: typ, Content: []byte(content)}, key)
	if err != nil {
		w.t.Fatalf("setting %s: %v", typ, err)
	}
	return id
}

func (w *world) change(r *store.Room, sender, target matrix.UserID, membership string) error {
	_, err := w.rooms.SetMembership(w.t.Context(), r, Change{Sender: sender, Target: target, Membership: membership})
	return err
}

func (w *world) join(r *store.Room, user matrix.UserID) {
	w.t.Helper()
	if err := w.change(r, user, user, "join"); err != nil {
		w.t.Fatalf("%s joins: %v", user, err)
	}
}

// timeline returns all events of a room, and checks that each is allowed where it stands and names its predecessor.
func (w *world) timeline(r *store.Room) []*store.Event {
	w.t.Helper()
	var all []*store.Event
	state := stateMap{}
	for e, err := range w.store.Timeline(w.t.Context(), r.Num, store.MinOrder, store.MaxOrder, false) {
		if err != nil {
			w.t.Fatal(err)
		}
		if e.Order != store.Order(len(all)+1) || e.Room != r.Num || e.RoomID != r.ID {
			w.t.Fatalf("event %d of %s is at order %d of room %d", len(all)+1, r.ID, e.Order, e.Room)
		}
		if n := len(all); n > 0 && (len(e.PrevEvents) != 1 || e.PrevEvents[0] != all[n-1].ID || e.Depth != all[n-1].Depth+1 || e.Pos <= all[n-1].Pos || e.Before != all[n-1].After) {
			w.t.Fatalf("event %d of %s does not follow the one before", n+1, r.ID)
		}
		if err := authrules.Check(e.Event, state); err != nil && e.RedactedBy == 0 {
			w.t.Fatalf("event %d of %s is not allowed: %v", len(all)+1, r.ID, err)
		}
		w.checkEvent(e, state)
		if k, ok := e.Key(); ok && e.Event.IsState() {
			state[k] = e.Event
		}
		all = append(all, e)
	}
	w.checkState(r, state)
	return all
}

type stateMap map[event.Key]*event.Event

func (m stateMap) Event(k event.Key) (*event.Event, error) { return m[k], nil }

// checkEvent verifies what other servers would.
func (w *world) checkEvent(e *store.Event, state stateMap) {
	w.t.Helper()
	if err := e.VerifySignature("here.example", "ed25519:1", w.key.Public().(ed25519.PublicKey)); err != nil {
		w.t.Fatalf("event %s: %v", e.ID, err)
	}
	if e.RedactedBy == 0 {
		if err := e.CheckHash(); err != nil {
			w.t.Fatalf("event %s: %v", e.ID, err)
		}
		if parsed, err := event.Parse(e.Version, e.JSON); err != nil || parsed.ID != e.ID {
			w.t.Fatalf("event %s reads as %v, %v", e.ID, parsed, err)
		}
	}
	var auth []*event.Event
	for _, s := range state {
		auth = append(auth, s)
	}
	if err := authrules.CheckAuthEvents(e.Event, auth, func(matrix.EventID) bool { return false }); err != nil {
		w.t.Fatalf("event %s cites the wrong events: %v", e.ID, err)
	}
}

// checkState compares a room's record with its events.
func (w *world) checkState(r *store.Room, want stateMap) {
	w.t.Helper()
	now := w.again(r)
	n, joined, invited := 0, int64(0), int64(0)
	for entry, err := range w.store.ScanState(w.t.Context(), now.State, nil) {
		if err != nil {
			w.t.Fatal(err)
		}
		n++
		if want[entry.Key] == nil || want[entry.Key].ID != entry.ID {
			w.t.Fatalf("state of %v is %s", entry.Key, entry.ID)
		}
	}
	for k, e := range want {
		if k.Type == "m.room.member" {
			joined += count(e.Membership() == "join")
			invited += count(e.Membership() == "invite")
		}
	}
	if n != len(want) || now.Joined != joined || now.Invited != invited {
		w.t.Fatalf("room %s has %d entries of state, %d joined, %d invited; want %d, %d, %d", r.ID, n, now.Joined, now.Invited, len(want), joined, invited)
	}
}

// state returns the content of a room's present state event, "" if it has none.
func (w *world) state(r *store.Room, typ, key string) string {
	w.t.Helper()
	events, err := w.store.StateEvents(w.t.Context(), r.Num, w.again(r).State, event.Key{Type: typ, StateKey: key})
	if err != nil {
		w.t.Fatal(err)
	}
	if events[0] == nil {
		return ""
	}
	return string(events[0].Content)
}

func (w *world) membership(user matrix.UserID, r *store.Room) store.Membership {
	w.t.Helper()
	m, err := w.store.Membership(w.t.Context(), user, r.Num)
	if err != nil {
		w.t.Fatal(err)
	}
	if m == nil {
		return store.Membership{}
	}
	return *m
}

// wantCode fails the test unless err is a Matrix error with the code; "" wants none.
func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	var m *matrix.Error
	switch {
	case code == "" && err != nil:
		t.Errorf("error %v, want none", err)
	case code != "" && (!errors.As(err, &m) || m.Code != code):
		t.Errorf("error %v, want %s", err, code)
	}
}

func field(t testing.TB, content string, path ...string) string {
	t.Helper()
	raw, ok := matrix.Field([]byte(content), path...)
	if !ok {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
