package socket

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

const pointSize = 700 // bytes of a typical event

// callers runs n calls of op, shared by so many goroutines, and returns the time of one. op knows its goroutine.
func callers(b *testing.B, goroutines, n int, op func(goroutine, i int) error) time.Duration {
	var next atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for g := range goroutines {
		wg.Go(func() {
			for {
				i := int(next.Add(1))
				if i > n {
					return
				}
				if err := op(g, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begin) / time.Duration(n)
}

// echo serves connections that give back every pointSize bytes.
func echo(b *testing.B, l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			buf := make([]byte, pointSize)
			for {
				if _, err := io.ReadFull(conn, buf); err != nil {
					return
				}
				if _, err := conn.Write(buf); err != nil {
					return
				}
			}
		}()
	}
}

// echoOp returns a call of a bare echo, over one connection for each caller.
func echoOp(b *testing.B, goroutines int) func(g, i int) error {
	path := tempSocket(b)
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go echo(b, l)
	conns := make([]net.Conn, goroutines)
	for i := range conns {
		if conns[i], err = net.Dial("unix", path); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { conns[i].Close() })
	}
	bufs := make([][pointSize]byte, goroutines)
	return func(g, _ int) error {
		if _, err := conns[g].Write(bufs[g][:]); err != nil {
			return err
		}
		_, err := io.ReadFull(conns[g], bufs[g][:])
		return err
	}
}

// points puts blobs of pointSize into store and returns their hashes.
func points(b *testing.B, store blob.Store, n int) []blob.Hash {
	var hashes []blob.Hash
	for range n / 1000 {
		var batch blob.Batch
		for range 1000 {
			data := make([]byte, pointSize)
			copy(data, time.Duration(len(hashes)).String())
			hashes = append(hashes, batch.Put(data))
		}
		if err := store.Apply(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	return hashes
}

func readOp(g blob.Getter, hashes []blob.Hash) func(int, int) error {
	return func(_, i int) error {
		_, err := g.Get(context.Background(), hashes[i*7919%len(hashes)])
		return err
	}
}

// benchPoint compares a point read through the socket with a bare echo and the same read in process. The target is
// a ratio of at most 2 with 16 callers.
func benchPoint(b *testing.B, store blob.Store, goroutines int) {
	hashes := points(b, store, 10_000)
	client := through(b, store)
	ops := []func(int, int) error{echoOp(b, goroutines), readOp(store, hashes), readOp(client, hashes)}
	var took [3]time.Duration
	const rounds = 5 // taking turns, so that what else the machine does hits all alike
	for b.Loop() {
		for range rounds {
			for i, op := range ops {
				took[i] += callers(b, goroutines, 20_000, op) / rounds
			}
		}
	}
	for i := range took {
		took[i] /= time.Duration(b.N)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[0])/1e3, "echo-us")
	b.ReportMetric(float64(took[1])/1e3, "in-process-us")
	b.ReportMetric(float64(took[2])/1e3, "socket-us")
	b.ReportMetric(float64(took[2])/float64(took[0]+took[1]), "ratio")
}

func BenchmarkPointRead16Callers(b *testing.B) { benchPoint(b, blobtest.NewMemory(), 16) }
func BenchmarkPointRead1Caller(b *testing.B)   { benchPoint(b, blobtest.NewMemory(), 1) }

func BenchmarkPointReadAllocs(b *testing.B) {
	store := blobtest.NewMemory()
	op := readOp(through(b, store), points(b, store, 1000))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := op(0, i); err != nil {
			b.Fatal(err)
		}
	}
}
