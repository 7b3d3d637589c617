package socket

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"hearth/storage/blob"
)

// fakeBlobs answers from a map and counts what it is asked. With gate it waits until that is closed.
type fakeBlobs struct {
	mu    sync.Mutex
	blobs map[blob.Hash][]byte
	calls int
	asked int
	gate  chan struct{}
}

func (f *fakeBlobs) Get(ctx context.Context, hashes ...blob.Hash) ([][]byte, error) {
	f.mu.Lock()
	f.calls++
	f.asked += len(hashes)
	gate := f.gate
	f.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, canceled("reading blobs", ctx.Err())
		}
	}
	out := make([][]byte, len(hashes))
	for i, h := range hashes {
		out[i] = f.blobs[h]
	}
	return out, nil
}

// numbered returns n blobs of size bytes.
func numbered(n, size int) (*fakeBlobs, []blob.Hash) {
	f := &fakeBlobs{blobs: make(map[blob.Hash][]byte)}
	var hashes []blob.Hash
	for i := range n {
		data := fmt.Appendf(nil, "%0*d", size, i)
		hashes = append(hashes, blob.Sum(data))
		f.blobs[blob.Sum(data)] = data
	}
	return f, hashes
}

func TestCacheAsksOnceForAllThatIsMissing(t *testing.T) {
	f, hashes := numbered(100, 10)
	c := NewCache(f, 1<<20)
	absent := blob.Sum([]byte("absent"))
	for round := range 3 {
		got, err := c.Get(t.Context(), append([]blob.Hash{absent, hashes[7]}, hashes...)...)
		if err != nil {
			t.Fatal(err)
		}
		if got[0] != nil || string(got[1]) != "0000000007" || string(got[101]) != "0000000099" {
			t.Fatalf("got %q", got)
		}
		if f.calls != round+1 || f.asked != 101+round {
			t.Fatalf("round %d: %d calls for %d blobs", round, f.calls, f.asked)
		}
	}
}

func TestCacheKeepsItsBound(t *testing.T) {
	f, hashes := numbered(1000, 100)
	c := NewCache(f, 100*(100+entryOverhead))
	for _, h := range hashes {
		if _, err := c.Get(t.Context(), hashes[0], h); err != nil {
			t.Fatal(err)
		}
		if c.Size() > 100*(100+entryOverhead) {
			t.Fatalf("it takes %d bytes", c.Size())
		}
	}
	if len(c.entries) != 100 || c.entries[hashes[0]] == nil || c.entries[hashes[999]] == nil || c.entries[hashes[900]] != nil {
		t.Fatalf("it does not keep what was used last, but %d entries", len(c.entries))
	}
	c.Add(blob.Sum(make([]byte, 1<<20)), make([]byte, 1<<20))
	if len(c.entries) != 100 {
		t.Fatal("a blob larger than the cache took its place")
	}
}

func TestCacheAdd(t *testing.T) {
	f, _ := numbered(0, 0)
	c := NewCache(f, 1<<20)
	c.Add(blob.Sum([]byte("x")), []byte("x"))
	got, err := c.Get(t.Context(), blob.Sum([]byte("x")))
	if err != nil || string(got[0]) != "x" || f.calls != 0 {
		t.Fatalf("got %q, %v after %d calls", got, err, f.calls)
	}
}

func TestCacheDoesNotAskTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, hashes := numbered(10, 10)
		f.gate = make(chan struct{})
		c := NewCache(f, 1<<20)
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				got, err := c.Get(t.Context(), hashes[i%5:i%5+5]...)
				if err != nil || string(got[0]) != fmt.Sprintf("%010d", i%5) {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
		synctest.Wait()
		close(f.gate)
		wg.Wait()
		if f.asked != 9 {
			t.Fatalf("it asked for %d blobs, want 9", f.asked)
		}
	})
}

func TestCacheOutlivesACanceledCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, hashes := numbered(1, 10)
		f.gate = make(chan struct{})
		c := NewCache(f, 1<<20)
		first, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Get(first, hashes...); blob.KindOf(err) != blob.Canceled {
				t.Errorf("the canceled caller got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			got, err := c.Get(t.Context(), hashes...)
			if err != nil || got[0] == nil {
				t.Errorf("the other caller got %q, %v", got, err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(f.gate)
		wg.Wait()
		if len(c.flights) != 0 {
			t.Fatalf("%d flights are left", len(c.flights))
		}
	})
}

func BenchmarkCacheHit(b *testing.B) {
	f, hashes := numbered(1000, 700)
	c := NewCache(f, 1<<20)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := c.Get(context.Background(), hashes[i%1000]); err != nil {
			b.Fatal(err)
		}
	}
}
