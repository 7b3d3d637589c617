package badgerstore_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"hearth/storage/badgerstore"
	"hearth/storage/blob"
)

// gate is a disk whose syncs wait for the test.
type gate struct {
	started chan struct{}
	answer  chan error
}

func newGate() *gate { return &gate{make(chan struct{}, 1000), make(chan error, 1000)} }

func (g *gate) sync(*os.File) error {
	g.started <- struct{}{}
	return <-g.answer
}

func row(i int) *blob.Batch {
	var b blob.Batch
	b.Set("t", fmt.Appendf(nil, "%04d", i), fmt.Append(nil, i))
	return &b
}

func TestWhatWaitsSharesOneSync(t *testing.T) {
	g := newGate()
	db, err := badgerstore.Open(t.TempDir(), badgerstore.Options{Sync: g.sync})
	if err != nil {
		t.Fatal(err)
	}
	s, err := db.Namespace("n")
	if err != nil {
		t.Fatal(err)
	}
	const n = 100
	answers := make(chan error, n+1)
	apply := s.(blob.AsyncApplier).ApplyAsync
	apply(row(0), func(err error) { answers <- err })
	<-g.started
	for i := range n {
		apply(row(1+i), func(err error) { answers <- err })
	}
	if got, err := s.Rows(t.Context(), blob.RowKey{Table: "t", Key: []byte("0000")}); err != nil || got[0] != nil {
		t.Fatalf("what is not durable is read: %q, %v", got, err)
	}
	g.answer <- nil
	<-g.started
	g.answer <- nil
	for range n + 1 {
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
	}
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Groups != 2 || stats.Batches != n+1 {
		t.Fatalf("stats are %+v, %v", stats, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestGroupDelayWaitsForMore(t *testing.T) {
	_, s := open(t, t.TempDir(), badgerstore.Options{GroupDelay: time.Hour}) // which is cut to what is allowed
	apply := s.(blob.AsyncApplier).ApplyAsync
	answers := make(chan error, 50)
	for i := range 50 {
		apply(row(i), func(err error) { answers <- err })
	}
	for range 50 {
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.Groups > 25 || stats.CommitP99 > time.Minute {
		t.Fatalf("stats are %+v, %v", stats, err)
	}
}

func TestFailedSyncStopsWrites(t *testing.T) {
	dir := t.TempDir()
	g := newGate()
	db, err := badgerstore.Open(dir, badgerstore.Options{Sync: g.sync})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := db.Namespace("n")
	g.answer <- nil
	if err := s.Apply(t.Context(), row(0)); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is broken")
	g.answer <- broken
	if err := s.Apply(t.Context(), row(1)); !errors.Is(err, broken) || blob.KindOf(err) != blob.Unavailable {
		t.Fatalf("after a failed sync: %v", err)
	}
	for range 2 {
		if err := s.Apply(t.Context(), row(2)); !errors.Is(err, broken) {
			t.Fatalf("after a failed sync, the next: %v", err)
		}
	}
	got, err := s.Rows(t.Context(), blob.RowKey{Table: "t", Key: []byte("0000")}, blob.RowKey{Table: "t", Key: []byte("0001")})
	if err != nil || string(got[0]) != "0" || got[1] != nil {
		t.Fatalf("reads after a failed sync: %q, %v", got, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, s = open(t, dir, badgerstore.Options{})
	if got, err := s.Rows(t.Context(), blob.RowKey{Table: "t", Key: []byte("0000")}); err != nil || string(got[0]) != "0" {
		t.Fatalf("acknowledged before the failed sync: %q, %v", got, err)
	}
	if err := s.Apply(t.Context(), row(3)); err != nil {
		t.Fatal(err)
	}
}

// TestSessionsAreForgotten needs a clock that goes on and many groups: neither alone is enough.
func TestSessionsAreForgotten(t *testing.T) {
	now := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	o := badgerstore.Options{Now: func() time.Time { return now }, Sync: func(*os.File) error { return nil }}
	dir := t.TempDir()
	once := func(groups int, want string) {
		t.Helper()
		db, err := badgerstore.Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := db.Namespace("n")
		b := blob.Batch{ID: blob.BatchID{Session: [16]byte{7}, Seq: 1}}
		b.Set("t", []byte("by"), fmt.Append(nil, now.Year()))
		if err := s.Apply(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		got, err := s.Rows(t.Context(), blob.RowKey{Table: "t", Key: []byte("by")})
		if err != nil || string(got[0]) != want {
			t.Fatalf("the batch was applied in %q, want %s", got, want)
		}
		for i := range groups {
			if err := s.Apply(t.Context(), row(i%10)); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	once(10, "2025")
	now = now.AddDate(1, 0, 0)
	once(5000, "2025") // long ago, but few groups since
	once(0, "2026")    // and now many
}
