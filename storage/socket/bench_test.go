package socket

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hearth/storage/badgerstore"
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

// peerEnv names the directory in which this test binary serves instead of testing, see TestMain.
const peerEnv = "HEARTH_SOCKET_PEER"

// TestMain lets the benchmarks have the other end in a process of its own, as the programs have.
func TestMain(m *testing.M) {
	if dir := os.Getenv(peerEnv); dir != "" {
		servePeer(dir)
		return
	}
	os.Exit(m.Run())
}

// servePeer serves an echo, a store in memory and one on disk until its standard input ends.
func servePeer(dir string) {
	l, err := net.Listen("unix", filepath.Join(dir, "echo"))
	if err != nil {
		panic(err)
	}
	go echo(l)
	db, err := badgerstore.Open(filepath.Join(dir, "data"), badgerstore.Options{})
	if err != nil {
		panic(err)
	}
	disk, err := db.Namespace("test")
	if err != nil {
		panic(err)
	}
	for name, store := range map[string]blob.Store{"memory": blobtest.NewMemory(), "badger": disk} {
		if l, err = net.Listen("unix", filepath.Join(dir, name)); err != nil {
			panic(err)
		}
		go Serve(context.Background(), l, func(string) (blob.Store, error) { return store, nil }, testOptions())
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

// startPeer returns the directory of a peer's sockets.
func startPeer(tb testing.TB) string {
	dir := filepath.Dir(tempSocket(tb))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), peerEnv+"="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// echo serves connections that give back every pointSize bytes.
func echo(l net.Listener) {
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
func echoOp(b *testing.B, path string, goroutines int) func(g, i int) error {
	conns := make([]net.Conn, goroutines)
	for i := range conns {
		var err error
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

// benchPoint compares a point read through the socket, of the peer's store of this name, with a bare echo and the
// same read in process. The target is a ratio of at most 2 with 16 callers.
func benchPoint(b *testing.B, name string, local blob.Store, goroutines int) {
	dir := startPeer(b)
	client := dial(b, filepath.Join(dir, name))
	points(b, client, 10_000)
	hashes := points(b, local, 10_000)
	ops := []func(int, int) error{echoOp(b, filepath.Join(dir, "echo"), goroutines), readOp(local, hashes), readOp(client, hashes)}
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

func BenchmarkPointRead(b *testing.B) {
	for _, goroutines := range []int{16, 1} {
		b.Run(fmt.Sprintf("memory-%d", goroutines), func(b *testing.B) {
			benchPoint(b, "memory", blobtest.NewMemory(), goroutines)
		})
		b.Run(fmt.Sprintf("badger-%d", goroutines), func(b *testing.B) {
			benchPoint(b, "badger", openBadger(b, badgerstore.Options{}), goroutines)
		})
	}
}

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

// BenchmarkBatches applies batches of five keys and 1.1 KB through the socket, alone and by 64 writers, on this disk
// and with a sync delayed to 5 ms. The targets are 5 times as many with 64 writers here, and 40 times with the delay.
func BenchmarkBatches(b *testing.B) {
	for _, delay := range []time.Duration{0, 5 * time.Millisecond} {
		b.Run(fmt.Sprint("sync+", delay), func(b *testing.B) { benchBatches(b, delay) })
	}
}

func benchBatches(b *testing.B, delay time.Duration) {
	opts := badgerstore.Options{}
	if delay > 0 {
		opts.Sync = func(f *os.File) error {
			end := time.Now().Add(delay)
			err := unix.Fdatasync(int(f.Fd()))
			time.Sleep(time.Until(end))
			return err
		}
	}
	client := through(b, openBadger(b, opts))
	apply := func(g, i int) error {
		var batch blob.Batch
		batch.Put(fmt.Appendf(make([]byte, 0, pointSize), "%*d", pointSize, i))
		for k := range 4 {
			batch.Set("t", fmt.Appendf(nil, "%d-%d-%d", g, i, k), make([]byte, 100))
		}
		return client.Apply(context.Background(), &batch)
	}
	var one, many time.Duration
	groups := uint64(0)
	for b.Loop() {
		one += callers(b, 1, 300, apply)
		mid, _ := client.Stats(b.Context())
		many += callers(b, 64, 12_800, apply)
		after, _ := client.Stats(b.Context())
		groups += after.Groups - mid.Groups
	}
	n := time.Duration(b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(1/(one/n).Seconds(), "1-writer/s")
	b.ReportMetric(1/(many/n).Seconds(), "64-writers/s")
	b.ReportMetric(float64(one)/float64(many), "ratio")
	b.ReportMetric(12_800*float64(b.N)/float64(groups), "batches/group")
}
