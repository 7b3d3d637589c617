package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"hearth/storage/blob"
)

func TestPositionsAreConsecutive(t *testing.T) {
	s := open(t, newGate())
	for want := Pos(1); want < 20; {
		pos, err := s.Apply(t.Context(), func(tx *Tx) {
			for range want % 3 {
				if got := tx.Note(Note{Kind: KindProfile, User: "@a:x"}); got != want {
					t.Errorf("position %d, want %d", got, want)
				}
				want++
			}
			tx.Set("test", []byte("k"), nil)
		})
		must(t, err)
		if want == pos { // without a note of its own a change has one all the same
			want++
		}
		if pos != want-1 || s.Durable() != pos {
			t.Fatalf("position %d, durable %d, want %d", pos, s.Durable(), want-1)
		}
	}
}

// What is queued while a batch is under way is written as one batch, in the order of the calls.
func TestGroupCommit(t *testing.T) {
	g := newGate()
	s := open(t, g)
	release := g.hold()
	first := queue(t, s, "k", "first")
	<-g.waiting
	var tickets []*Ticket
	for i := range 50 {
		tickets = append(tickets, queue(t, s, "k", fmt.Sprint(i)))
	}
	select {
	case <-first.done:
		t.Fatal("acknowledged before it was durable")
	default:
	}
	release()
	must(t, first.Wait(t.Context()))
	for i, ticket := range tickets {
		must(t, ticket.Wait(t.Context()))
		if ticket.Pos() != first.Pos()+Pos(i)+1 {
			t.Errorf("change %d has position %d", i, ticket.Pos())
		}
	}
	wantRow(t, s, "k", "49")
	batches := g.applied()
	if len(batches) != 2 {
		t.Fatalf("%d batches, want 2", len(batches))
	}
	last := uint64(0)
	for _, r := range batches[1].Rows {
		if r.Table == tableLog {
			if pos := binary.BigEndian.Uint64(r.Key); pos <= last {
				t.Fatalf("position %d is written after %d", pos, last)
			} else {
				last = pos
			}
		}
	}
}

// A group is never larger than what the contract allows, and Append waits while too much is queued.
func TestLargeQueue(t *testing.T) {
	g := newGate()
	s := open(t, g)
	release := g.hold()
	value := bytes.Repeat([]byte("x"), 300<<10)
	var wait sync.WaitGroup
	for i := range 60 { // 18 MB
		wait.Go(func() {
			_, err := s.Apply(t.Context(), func(tx *Tx) { tx.Set("test", []byte{byte(i)}, value) })
			if err != nil {
				t.Error(err)
			}
		})
	}
	<-g.waiting
	release()
	wait.Wait()
	for _, b := range g.applied() {
		if b.Size() > maxGroup+len(value) {
			t.Errorf("a batch of %d bytes", b.Size())
		}
	}
	if n := s.queuedBytes(); n != 0 {
		t.Errorf("%d bytes queued", n)
	}
}

func TestAppendGivesUpWithItsContext(t *testing.T) {
	g := newGate()
	s := open(t, g)
	release := g.hold()
	defer release()
	value := make([]byte, 1<<20)
	queue(t, s, "first", "")
	<-g.waiting
	for s.queuedBytes() <= maxQueued {
		_, err := s.Append(t.Context(), func(tx *Tx) { tx.Set("test", []byte("k"), value) })
		must(t, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Append(ctx, func(*Tx) { t.Error("written") }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func (s *Store) queuedBytes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queued
}

// One change that no store would take is refused alone, and leaves nothing behind.
func TestImpossibleChange(t *testing.T) {
	g := newGate()
	s := open(t, g)
	release := g.hold()
	queue(t, s, "first", "")
	<-g.waiting
	good := queue(t, s, "good", "1")
	e := message(t, 1, 1)
	for _, write := range []func(*Tx){
		func(tx *Tx) { tx.Set("test", nil, nil) },
		func(tx *Tx) { tx.Set("test", make([]byte, blob.MaxKey+1), nil) },
		func(tx *Tx) { tx.Set("test", []byte("k"), make([]byte, blob.MaxValue+1)) },
		func(tx *Tx) {
			for i := range 5 {
				tx.Set("test", []byte{byte(i)}, make([]byte, blob.MaxValue))
			}
		},
	} {
		_, err := s.Append(t.Context(), func(tx *Tx) {
			write(tx)
			tx.ReplaceEvent(e)
			d := s.Draft()
			d.put([]byte("node"))
			tx.PutDraft(d)
		})
		if k := blob.KindOf(err); k != blob.TooLarge && k != blob.Invalid {
			t.Errorf("error %v", err)
		}
	}
	if len(s.changed.events) != 0 || !s.pending.empty() {
		t.Error("a refused change left something behind")
	}
	release()
	must(t, good.Wait(t.Context()))
	if s.Generation() != 0 {
		t.Error("a refused change began a new generation")
	}
}

// A batch that fails fails with all that is queued behind it: nothing is acknowledged, positions are not reused, and
// who built upon it is told.
func TestFailedBatch(t *testing.T) {
	g := newGate()
	s := open(t, g)
	must(t, queue(t, s, "k", "before").Wait(t.Context()))
	put(t, s, message(t, 1, 1))
	generation := s.Generation()
	release := g.hold()
	one := queue(t, s, "k", "one")
	<-g.waiting
	two, err := s.AppendIf(t.Context(), generation, func(tx *Tx) { tx.Set("test", []byte("k"), []byte("two")) })
	must(t, err)
	g.set(full)
	release()
	for _, ticket := range []*Ticket{one, two} {
		if err := ticket.Wait(t.Context()); blob.KindOf(err) != blob.Full {
			t.Errorf("error %v, want disk full", err)
		}
	}
	wantRow(t, s, "k", "before")
	if _, err := s.AppendIf(t.Context(), generation, func(*Tx) { t.Error("written") }); !errors.Is(err, ErrStale) {
		t.Errorf("error %v, want ErrStale", err)
	}
	if s.Generation() != generation+1 {
		t.Errorf("generation %d", s.Generation())
	}
	if _, ok := s.events.get(eventKey{1, 1}); ok {
		t.Error("the cache was kept")
	}
	durable := s.Durable()
	g.set(nil)
	three := queue(t, s, "k", "three")
	must(t, three.Wait(t.Context()))
	if three.Pos() <= two.Pos() {
		t.Errorf("position %d was given out again", three.Pos())
	}
	notes, err := s.Follow(t.Context(), durable)
	must(t, err)
	if len(notes) != 1 || notes[0].Pos != three.Pos() {
		t.Errorf("announced %v", notes)
	}
}

// When the failure becomes known, nothing of what failed can be read any more.
func TestFailureForgetsWhatRanAhead(t *testing.T) {
	g := newGate()
	s := open(t, g)
	e := message(t, 1, 1)
	put(t, s, e)
	release := g.hold()
	changed := *e
	changed.Aggregate = &Aggregate{Annotations: 1}
	d := s.Draft()
	h := d.put([]byte("node"))
	generation := s.Generation()
	ticket, err := s.Append(t.Context(), func(tx *Tx) {
		tx.PutAggregate(&changed)
		tx.PutDraft(d)
	})
	must(t, err)
	<-g.waiting
	ahead, err := s.Ahead().EventByID(t.Context(), e.ID)
	must(t, err)
	shown, err := s.EventByID(t.Context(), e.ID)
	must(t, err)
	if ahead.Aggregate == nil || shown.Aggregate != nil {
		t.Errorf("writers see %v, readers %v", ahead.Aggregate, shown.Aggregate)
	}
	if _, ok := s.pending.get(h); !ok {
		t.Error("the draft's node cannot be read")
	}
	g.set(full)
	release()
	for s.Generation() == generation {
		runtime.Gosched()
	}
	if _, ok := s.changed.get(eventKey{1, 1}); ok || !s.pending.empty() {
		t.Error("what failed can still be read")
	}
	if ticket.Wait(t.Context()) == nil {
		t.Error("acknowledged")
	}
	if ahead, err = s.Ahead().EventByID(t.Context(), e.ID); err != nil || ahead.Aggregate != nil {
		t.Errorf("writers see %v, %v", ahead, err)
	}
}

// The outcome of a batch may be unknown: its caller is told that it failed, and followers see it if it did not.
func TestUnknownOutcome(t *testing.T) {
	g := newGate()
	s := open(t, g)
	lost := false
	g.mu.Lock()
	g.after = func(b *blob.Batch) error {
		if len(b.Rows) > 0 && b.Rows[0].Table == "test" && !lost {
			lost = true
			return blob.Errorf(blob.Unavailable, "applying batch", "the connection broke")
		}
		return nil
	}
	g.mu.Unlock()
	generation := s.Generation()
	ticket := queue(t, s, "k", "v")
	if err := ticket.Wait(t.Context()); blob.KindOf(err) != blob.Unavailable {
		t.Errorf("error %v", err)
	}
	notes, err := s.Follow(t.Context(), 0)
	must(t, err)
	if len(notes) != 1 || notes[0].Pos != ticket.Pos() {
		t.Errorf("announced %v", notes)
	}
	wantRow(t, s, "k", "v")
	if s.Generation() == generation {
		t.Error("the generation is the same")
	}
}

// Only the process that opened the store last writes.
func TestSecondWriter(t *testing.T) {
	g := newGate()
	first := open(t, g)
	must(t, queue(t, first, "k", "1").Wait(t.Context()))
	second := open(t, g)
	must(t, queue(t, second, "k", "2").Wait(t.Context()))
	if err := queue(t, first, "k", "lost").Wait(t.Context()); blob.KindOf(err) != blob.Conflict {
		t.Errorf("error %v, want a conflict", err)
	}
	<-first.Lost()
	if _, err := first.Append(t.Context(), func(*Tx) {}); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
	wantRow(t, second, "k", "2")
}

func TestClose(t *testing.T) {
	g := newGate()
	s := open(t, g)
	release := g.hold()
	a := queue(t, s, "a", "1")
	<-g.waiting
	b := queue(t, s, "b", "2")
	closed := make(chan struct{})
	go func() { s.Close(); close(closed) }()
	for {
		if _, err := s.Append(t.Context(), func(*Tx) {}); errors.Is(err, ErrClosed) {
			break
		}
	}
	release()
	<-closed
	must(t, a.Wait(t.Context()))
	must(t, b.Wait(t.Context()))
	if _, err := s.Follow(t.Context(), s.Durable()); !errors.Is(err, ErrClosed) {
		t.Errorf("following answered %v", err)
	}
}

func TestReopen(t *testing.T) {
	g := newGate()
	s := open(t, g)
	e := message(t, 3, 1)
	e.Device, e.Txn, e.RedactedBy, e.Replaces, e.Aggregate = "D", "txn", 7, -2, &Aggregate{Thread: 2, ThreadLast: 5}
	put(t, s, e)
	last := queue(t, s, "k", "v")
	must(t, last.Wait(t.Context()))
	s.Close()
	s = open(t, g)
	if s.Durable() != last.Pos() {
		t.Errorf("the log ends at %d, want %d", s.Durable(), last.Pos())
	}
	wantRow(t, s, "k", "v")
	got, err := s.EventByID(t.Context(), e.ID)
	must(t, err)
	wantEvent(t, got, e)
	if next := queue(t, s, "k", "w"); next.Pos() != last.Pos()+1 {
		t.Errorf("the next position is %d", next.Pos())
	}
}

func TestSettle(t *testing.T) {
	g := newGate()
	s := open(t, g)
	must(t, s.Settle(t.Context()))
	release := g.hold()
	queue(t, s, "a", "1")
	<-g.waiting
	last := queue(t, s, "b", "2")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Settle(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	release()
	must(t, s.Settle(t.Context()))
	select {
	case <-last.done:
	default:
		t.Error("settled before the last change was durable")
	}
}
