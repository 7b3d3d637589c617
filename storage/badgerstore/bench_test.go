package badgerstore_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"hearth/storage/badgerstore"
	"hearth/storage/blob"
)

// small is a batch as the homeserver writes them for an event: 4 rows, 1.2 KB.
func small(i int) *blob.Batch {
	var b blob.Batch
	key := fmt.Appendf(nil, "%016x", uint64(i)*0x9e3779b97f4a7c15)
	b.Set("event", key, noise(700, i))
	b.Set("log", fmt.Appendf(nil, "%012d", i), noise(120, i))
	b.Set("txn", key, noise(150, i))
	b.Set("state", key, noise(150, i))
	return &b
}

func noise(n, seed int) []byte {
	out := make([]byte, n)
	x := uint64(seed)*0x9e3779b97f4a7c15 + 1
	for i := range out {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		out[i] = byte(x)
	}
	return out
}

// benchDir is on the disk that is to be measured.
func benchDir(b *testing.B) string {
	dir, err := os.MkdirTemp(os.Getenv("BENCH_DIR"), "badgerstore")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func slowSync(f *os.File) error {
	time.Sleep(5 * time.Millisecond) // what a memory card takes
	return nil
}

// BenchmarkApply measures durable batches by the number of writers, on this disk and with syncs of 5 ms.
func BenchmarkApply(b *testing.B) {
	for _, sync := range []string{"disk", "5ms"} {
		for _, writers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("sync=%s/writers=%d", sync, writers), func(b *testing.B) {
				o := badgerstore.Options{}
				if sync == "5ms" {
					o.Sync = slowSync
				}
				benchApply(b, o, writers)
			})
		}
	}
}

func benchApply(b *testing.B, o badgerstore.Options, writers int) {
	_, s := open(b, benchDir(b), o)
	before, err := s.Stats(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < b.N; i += writers {
				if err := s.Apply(b.Context(), small(i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	after, err := s.Stats(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
	b.ReportMetric(float64(after.DiskWritten-before.DiskWritten)/float64(b.N), "written-B/op")
	b.ReportMetric(float64(b.N)/float64(after.Groups-before.Groups), "batches/group")
	b.ReportMetric(float64(after.CommitP99.Microseconds()), "p99-us")
}

// BenchmarkRead measures a point read of 700 bytes among 100,000.
func BenchmarkRead(b *testing.B) {
	_, s := open(b, benchDir(b), badgerstore.Options{})
	const n = 100_000
	for i := 0; i < n; i += 1000 {
		var batch blob.Batch
		for j := i; j < i+1000; j++ {
			batch.Set("event", fmt.Appendf(nil, "%08d", j), noise(700, j))
		}
		if err := s.Apply(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("row", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			key := fmt.Appendf(nil, "%08d", i*7919%n)
			if got, err := s.Rows(b.Context(), blob.RowKey{Table: "event", Key: key}); err != nil || len(got[0]) != 700 {
				b.Fatal(err)
			}
		}
	})
	b.Run("absent", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if got, err := s.Rows(b.Context(), blob.RowKey{Table: "event", Key: []byte("x")}); err != nil || got[0] != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("scan100", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			from := fmt.Appendf(nil, "%08d", i*7919%(n-100))
			rows := 0
			for _, err := range s.Scan(b.Context(), blob.Range{Table: "event", From: from, Limit: 100}) {
				if err != nil {
					b.Fatal(err)
				}
				rows++
			}
			if rows != 100 {
				b.Fatal(rows)
			}
		}
	})
}
