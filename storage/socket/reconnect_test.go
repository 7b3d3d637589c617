package socket

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// flaky forwards connections to the socket at path, and breaks each after a random number of bytes, on average half
// of these. A window of batches must fit, or there would be no progress.
func flaky(t *testing.T, path string, up, down int64) string {
	front := tempSocket(t)
	l, err := net.Listen("unix", front)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { l.Close() })
	random := rand.New(rand.NewPCG(1, 2))
	wg.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("unix", path)
			if err != nil {
				a.Close()
				continue
			}
			up, down := 1+random.Int64N(up), 1+random.Int64N(down)
			end := func() { a.Close(); b.Close() }
			wg.Go(func() { io.CopyN(b, a, up); end() })
			wg.Go(func() { io.CopyN(a, b, down); end() })
		}
	})
	return front
}

// chainEdit is the i-th edit of a root, which can be applied once only and in order.
func chainEdit(root string, i int) blob.RootEdit {
	at := func(i int) (h blob.Hash) {
		if i > 0 {
			h = blob.Sum(fmt.Append(nil, root, i))
		}
		return h
	}
	return blob.RootEdit{Name: root, Old: at(i), New: at(i + 1)}
}

func TestBatchesAreAppliedOnceOverBrokenConnections(t *testing.T) {
	const writers, batches = 16, 100
	store := blobtest.NewMemory()
	path := tempSocket(t)
	serveAt(t, path, store)
	c := dial(t, flaky(t, path, 20_000, 2_000))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			root := fmt.Sprint("root", w)
			for i := range batches {
				b := &blob.Batch{Roots: []blob.RootEdit{chainEdit(root, i)}}
				b.Set("t", fmt.Append(nil, root, i), make([]byte, rand.IntN(1000)))
				if err := c.Apply(t.Context(), b); err != nil {
					t.Errorf("batch %d of %s: %v", i, root, err)
					return
				}
				commit, ok, err := c.Root(t.Context(), root)
				if err != nil || !ok || commit.Seq != uint64(i+1) {
					t.Errorf("%s after %d batches: %+v, %v, %v", root, i+1, commit, ok, err)
					return
				}
			}
		})
	}
	wg.Wait()
	stats, err := store.Stats(t.Context())
	if err != nil || stats.Batches != writers*batches {
		t.Fatalf("%d batches were applied, %v", stats.Batches, err)
	}
}

func TestAsyncBatchesKeepTheirOrderOverBrokenConnections(t *testing.T) {
	store := blobtest.NewMemory()
	path := tempSocket(t)
	serveAt(t, path, store)
	c := dial(t, flaky(t, path, 400_000, 5_000))
	var wg sync.WaitGroup
	for i := range 2000 {
		wg.Add(1)
		c.ApplyAsync(&blob.Batch{Roots: []blob.RootEdit{chainEdit("root", i)}}, func(err error) {
			if err != nil {
				t.Errorf("batch %d: %v", i, err)
			}
			wg.Done()
		})
	}
	wg.Wait()
}

func TestReadsOverBrokenConnections(t *testing.T) {
	store := blobtest.NewMemory()
	path := tempSocket(t)
	serveAt(t, path, store)
	var b blob.Batch
	var hashes []blob.Hash
	for i := range 200 {
		data := fmt.Append(nil, i)
		hashes = append(hashes, b.Put(data))
		b.Set("t", fmt.Appendf(nil, "%03d", i), data)
	}
	if err := store.Apply(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	c := dial(t, flaky(t, path, 20_000, 20_000))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				n := (i*g)%60 + 1
				got, err := c.Get(t.Context(), hashes[i:min(i+n, 200)]...)
				if err != nil || string(got[0]) != fmt.Sprint(i) {
					t.Errorf("got %q, %v", got, err)
					return
				}
				for row, err := range c.Scan(t.Context(), blob.Range{Table: "t", Limit: 5}) {
					if err != nil && blob.KindOf(err) != blob.Unavailable {
						t.Errorf("row %+v, %v", row, err)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestCallsWaitForTheServer(t *testing.T) {
	path := tempSocket(t)
	c := dial(t, path) // nobody is there
	answer := make(chan error, 1)
	go func() {
		_, err := c.Get(t.Context(), blob.Hash{1})
		answer <- err
	}()
	store := blobtest.NewMemory()
	for range 5 {
		stop := serveAt(t, path, store)
		listening := time.Now()
		if err := <-answer; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(listening); took > time.Second {
			t.Fatalf("it took %v to come back", took)
		}
		stop()
		go func() { answer <- c.Apply(t.Context(), &blob.Batch{Blobs: [][]byte{{1}}}) }()
	}
	serveAt(t, path, store)
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
}

func TestOutage(t *testing.T) {
	c, err := Dial(t.Context(), tempSocket(t), "test", ClientOptions{Outage: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		if err := c.Apply(t.Context(), &blob.Batch{Blobs: [][]byte{{1}}}); blob.KindOf(err) != blob.Unavailable {
			t.Fatalf("got %v", err)
		}
		if _, err := c.Get(t.Context(), blob.Hash{1}); blob.KindOf(err) != blob.Unavailable {
			t.Fatalf("got %v", err)
		}
	}
}

func TestCallsEndWithTheirContext(t *testing.T) {
	c := dial(t, tempSocket(t)) // nobody is there
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.Apply(ctx, &blob.Batch{Blobs: [][]byte{{1}}}) }()
	go func() { _, err := c.Get(ctx, blob.Hash{1}); ended <- err }()
	go func() { _, err := c.Stats(ctx); ended <- err }()
	go func() {
		for _, err := range c.Scan(ctx, blob.Range{Table: "t"}) {
			ended <- err
		}
	}()
	cancel()
	for range 4 {
		if err := <-ended; blob.KindOf(err) != blob.Canceled {
			t.Errorf("got %v", err)
		}
	}
}

func TestCloseEndsCalls(t *testing.T) {
	for _, up := range []bool{false, true} {
		held := &gated{Store: blobtest.NewMemory(), gate: make(chan struct{}), entered: make(chan struct{}, 10)}
		path := tempSocket(t)
		if up {
			serveAt(t, path, held)
		}
		c := dial(t, path)
		ended := make(chan error)
		go func() { ended <- c.Apply(t.Context(), &blob.Batch{Blobs: [][]byte{{1}}}) }()
		go func() { _, err := c.Get(t.Context(), blob.Hash{1}); ended <- err }()
		if up {
			<-held.entered
			<-held.entered
		}
		c.Close()
		for range 2 {
			if err := <-ended; blob.KindOf(err) != blob.Unavailable {
				t.Errorf("got %v", err)
			}
		}
		close(held.gate)
		if err := c.Apply(t.Context(), &blob.Batch{Blobs: [][]byte{{1}}}); blob.KindOf(err) != blob.Unavailable {
			t.Errorf("after Close: got %v", err)
		}
	}
}

// gated is a store of which Get and Apply wait for the gate.
type gated struct {
	blob.Store
	gate    chan struct{}
	entered chan struct{} // gets a value when one begins to wait
}

func (g *gated) Get(ctx context.Context, hashes ...blob.Hash) ([][]byte, error) {
	g.entered <- struct{}{}
	<-g.gate
	return g.Store.Get(context.WithoutCancel(ctx), hashes...)
}

func (g *gated) Apply(ctx context.Context, b *blob.Batch) error {
	g.entered <- struct{}{}
	<-g.gate
	return g.Store.Apply(ctx, b)
}
