package store

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"

	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// gate is a store in memory whose batches can be held, watched and refused.
type gate struct {
	*blobtest.Memory
	mu      sync.Mutex // guards the fields below
	held    chan struct{}
	waiting chan struct{} // a batch has arrived at the held gate
	refuse  func(*blob.Batch) error
	after   func(*blob.Batch) error // asked once the batch is applied
	batches []*blob.Batch
}

func newGate() *gate { return &gate{Memory: blobtest.NewMemory(), waiting: make(chan struct{}, 64)} }

// hold keeps batches from being applied until the function it returns is called.
func (g *gate) hold() (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	held := make(chan struct{})
	g.held = held
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.held == held {
			g.held = nil
		}
		close(held)
	}
}

// set changes what is refused.
func (g *gate) set(refuse func(*blob.Batch) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse = refuse
}

func (g *gate) Apply(ctx context.Context, b *blob.Batch) error {
	g.mu.Lock()
	held := g.held
	g.mu.Unlock()
	if held != nil {
		g.waiting <- struct{}{}
		select {
		case <-held:
		case <-ctx.Done():
			return &blob.Error{Kind: blob.Canceled, Op: "applying batch", Err: ctx.Err()}
		}
	}
	g.mu.Lock()
	refuse, after := g.refuse, g.after
	g.mu.Unlock()
	if refuse != nil {
		if err := refuse(b); err != nil {
			return err
		}
	}
	if err := g.Memory.Apply(ctx, b); err != nil {
		return err
	}
	g.mu.Lock()
	g.batches = append(g.batches, b)
	g.mu.Unlock()
	if after != nil {
		return after(b)
	}
	return nil
}

// applied returns the batches that were applied and have rows.
func (g *gate) applied() (out []*blob.Batch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.batches {
		if len(b.Rows) > 0 {
			out = append(out, b)
		}
	}
	return out
}

func full(*blob.Batch) error { return blob.Errorf(blob.Full, "applying batch", "no room") }

func open(t testing.TB, backend blob.Store, o ...Options) *Store {
	t.Helper()
	options := Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if len(o) > 0 {
		o[0].Log = options.Log
		options = o[0]
	}
	s, err := Open(t.Context(), backend, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// queue appends a row without waiting.
func queue(t testing.TB, s *Store, key, value string) *Ticket {
	t.Helper()
	ticket, err := s.Append(t.Context(), func(tx *Tx) { tx.Set("test", []byte(key), []byte(value)) })
	must(t, err)
	return ticket
}

func wantRow(t testing.TB, s *Store, key, value string) {
	t.Helper()
	v, err := s.Row(t.Context(), "test", []byte(key))
	must(t, err)
	if string(v) != value {
		t.Errorf("row %s is %q, want %q", key, v, value)
	}
}

func version(t testing.TB, v matrix.Version) *matrix.RoomVersion {
	t.Helper()
	known, ok := matrix.LookupVersion(v)
	if !ok {
		t.Fatalf("no room version %s", v)
	}
	return known
}

// testEvent builds an event of a room of version 10; a state event if key is not nil.
func testEvent(t testing.TB, room RoomNum, order Order, typ string, key *string, body string) *Event {
	t.Helper()
	signer := event.Signer{Server: "here.example", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(make([]byte, 32))}
	e, err := event.Build(version(t, "10"), event.Proto{
		RoomID: matrix.RoomID(fmt.Sprintf("!%d:here.example", room)), Sender: "@alice:here.example", Type: typ, StateKey: key,
		Content: fmt.Appendf(nil, `{"body":%q}`, body), Depth: max(0, int64(order)), Time: 1000 + int64(order),
	}, signer)
	must(t, err)
	return &Event{Event: e, Room: room, Order: order}
}

func message(t testing.TB, room RoomNum, order Order) *Event {
	return testEvent(t, room, order, "m.room.message", nil, fmt.Sprint("message ", order))
}

// put writes events and waits.
func put(t testing.TB, s *Store, events ...*Event) {
	t.Helper()
	_, err := s.Apply(t.Context(), func(tx *Tx) {
		for _, e := range events {
			tx.PutEvent(e)
		}
	})
	must(t, err)
}
