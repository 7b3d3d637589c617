package socket

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"

	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// endless is a store whose every scan yields rows of rowSize bytes and never ends, and counts them.
type endless struct {
	blob.Store
	yielded atomic.Int64
	ended   chan struct{} // gets a value when a scan ends
}

const rowSize = 1000

func (e *endless) Scan(ctx context.Context, r blob.Range) iter.Seq2[blob.Row, error] {
	return func(yield func(blob.Row, error) bool) {
		defer func() { e.ended <- struct{}{} }()
		for i := 0; ctx.Err() == nil; i++ {
			e.yielded.Add(1)
			if !yield(blob.Row{Table: r.Table, Key: fmt.Appendf(nil, "%020d", i), Value: make([]byte, rowSize)}, nil) {
				return
			}
		}
		yield(blob.Row{}, canceled("scanning", ctx.Err()))
	}
}

func TestScanWaitsForItsReader(t *testing.T) {
	store := &endless{Store: blobtest.NewMemory(), ended: make(chan struct{}, 1)}
	c := through(t, store)
	const ahead = (initialCredit + 2*partSize) / rowSize
	n := int64(0)
	for row, err := range c.Scan(t.Context(), blob.Range{Table: "t"}) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%020d", n); string(row.Key) != want || len(row.Value) != rowSize {
			t.Fatalf("got key %s, want %s", row.Key, want)
		}
		n++
		if n%1000 == 1 {
			for range 50 { // time for the server to go too far
				if _, err := c.Get(t.Context(), blob.Hash{1}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if y := store.yielded.Load(); y > n+ahead {
			t.Fatalf("the server is at row %d, the reader at %d", y, n)
		}
		if n == 5000 {
			break
		}
	}
	<-store.ended
}

func TestScanEndsWithItsContext(t *testing.T) {
	store := &endless{Store: blobtest.NewMemory(), ended: make(chan struct{}, 1)}
	c := through(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range c.Scan(ctx, blob.Range{Table: "t"}) {
		cancel()
		last = err
	}
	if blob.KindOf(last) != blob.Canceled {
		t.Fatalf("got %v", last)
	}
	<-store.ended
}

func TestScanEndsWithItsConnection(t *testing.T) {
	store := &endless{Store: blobtest.NewMemory(), ended: make(chan struct{}, 1)}
	path := tempSocket(t)
	stop := serveAt(t, path, store)
	c := dial(t, path)
	var last error
	for _, err := range c.Scan(t.Context(), blob.Range{Table: "t"}) {
		stop()
		last = err
	}
	if blob.KindOf(last) != blob.Unavailable {
		t.Fatalf("got %v", last)
	}
	<-store.ended
}

func TestMoreScansThanTheServerAllows(t *testing.T) {
	store := blobtest.NewMemory()
	b := &blob.Batch{}
	for i := range 400 {
		b.Set("t", fmt.Appendf(nil, "%04d", i), make([]byte, 1000))
	}
	if err := store.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	c := through(t, store)
	var wg sync.WaitGroup
	for range maxLong + 100 {
		wg.Go(func() {
			n := 0
			for _, err := range c.Scan(t.Context(), blob.Range{Table: "t"}) {
				if err != nil {
					t.Error(err)
				}
				if n++; n == 350 {
					break
				}
			}
		})
	}
	wg.Wait()
}

// damagedStore has so many damaged rows.
type damagedStore struct {
	blob.Store
	n int
}

func (d damagedStore) Verify(ctx context.Context, damaged func(blob.Damage)) (blob.Verified, error) {
	for i := range d.n {
		damaged(blob.Damage{What: "row", Name: fmt.Sprint("t/", i), Detail: "checksum"})
	}
	return blob.Verified{Rows: uint64(d.n), Damaged: uint64(d.n), Bytes: 7}, ctx.Err()
}

func TestVerifyStreams(t *testing.T) {
	for _, n := range []int{0, 1, 100_000} {
		c := through(t, damagedStore{blobtest.NewMemory(), n})
		got := 0
		v, err := c.Verify(t.Context(), func(d blob.Damage) {
			if d != (blob.Damage{What: "row", Name: fmt.Sprint("t/", got), Detail: "checksum"}) {
				t.Fatalf("got %+v", d)
			}
			got++
		})
		if err != nil || got != n || v != (blob.Verified{Rows: uint64(n), Damaged: uint64(n), Bytes: 7}) {
			t.Fatalf("got %d, %+v, %v", got, v, err)
		}
	}
}

func TestLargeMultiGet(t *testing.T) {
	store := blobtest.NewMemory()
	c := through(t, store)
	var hashes []blob.Hash
	var keys []blob.RowKey
	for i := range 40 {
		data := bytes.Repeat([]byte{byte(i)}, (1+i%3)*blob.MaxBlob/3)
		b := &blob.Batch{}
		hashes = append(hashes, b.Put(data), blob.Hash{byte(i)})
		keys = append(keys, blob.RowKey{Table: "t", Key: data[:10]}, blob.RowKey{Table: "t", Key: []byte("absent")})
		b.Set("t", data[:10], data)
		if err := c.Apply(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{80, 10} { // in a goroutine of its own, and in the reader's
		blobs, err := c.Get(t.Context(), hashes[:n]...)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := c.Rows(t.Context(), keys[:n]...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if (blobs[i] == nil) != (i%2 == 1) || !bytes.Equal(blobs[i], rows[i]) || i%2 == 0 && blob.Sum(blobs[i]) != hashes[i] {
				t.Fatalf("item %d is wrong", i)
			}
		}
	}
}

func TestSlowReadsLetOthersPass(t *testing.T) {
	slow := blob.Hash{1}
	held := &slowBlobs{Store: blobtest.NewMemory(), slow: slow, gate: make(chan struct{})}
	c := through(t, held)
	var wg sync.WaitGroup
	for i := range maxReaders - 1 {
		wg.Go(func() {
			if _, err := c.Get(t.Context(), slow); err != nil {
				t.Error(err)
			}
		})
		for range 20 * (i % 2) {
			if _, err := c.Get(t.Context(), blob.Hash{2}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Apply(t.Context(), &blob.Batch{Blobs: [][]byte{{1}}}); err != nil {
		t.Fatal(err)
	}
	if n := held.waiting.Load(); n == 0 {
		t.Fatal("no read is slow")
	}
	close(held.gate)
	wg.Wait()
	if _, err := c.Get(t.Context(), slow); err != nil {
		t.Fatal(err)
	}
}

// slowBlobs is a store that lets one blob wait for the gate.
type slowBlobs struct {
	blob.Store
	slow    blob.Hash
	gate    chan struct{}
	waiting atomic.Int64
}

func (s *slowBlobs) Get(ctx context.Context, hashes ...blob.Hash) ([][]byte, error) {
	if hashes[0] == s.slow {
		s.waiting.Add(1)
		<-s.gate
	}
	return s.Store.Get(ctx, hashes...)
}
