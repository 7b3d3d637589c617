package socket

import (
	"bytes"
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// Batches that the store has are answered before the server ends, and the server ends after the store's work.
func TestServerAnswersWhatTheStoreHas(t *testing.T) {
	held := &gated{Store: blobtest.NewMemory(), gate: make(chan struct{}), entered: make(chan struct{}, 1)}
	path := tempSocket(t)
	stop := serveAt(t, path, held)
	conn, in := rawDial(t, path, [16]byte{1})
	write(t, conn, applyFrame(1, blob.BatchID{Session: [16]byte{1}, Seq: 1}, "k", "v"))
	<-held.entered
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	// The listener's end shows that stopping has begun.
	for {
		c, err := net.Dial("unix", path)
		if err != nil {
			break
		}
		c.Close()
	}
	select {
	case <-stopped:
		t.Fatal("the server ended before its store")
	default:
	}
	close(held.gate)
	if h, _ := readFrame(t, in); h.typ != typeDone || h.id != 1 {
		t.Fatalf("got %+v", h)
	}
	if _, err := in.next(); err != io.EOF {
		t.Fatalf("got %v", err)
	}
	<-stopped
}

// A session's new connection is welcomed only when the batches of the old one cannot be applied any more.
func TestSessionHasOneConnection(t *testing.T) {
	store := blobtest.NewMemory()
	held := &gated{Store: store, gate: make(chan struct{}), entered: make(chan struct{}, 10)}
	path := tempSocket(t)
	serveAt(t, path, held)
	session := [16]byte{1}
	conn, old := rawDial(t, path, session)
	for seq := uint64(1); seq <= 5; seq++ {
		write(t, conn, applyFrame(uint32(seq), blob.BatchID{Session: session, Seq: seq}, "k", "old"))
	}
	<-held.entered // the first waits in the store, the others behind it
	welcomed := make(chan uint64)
	go func() {
		rawDial(t, path, session)
		stats, _ := store.Stats(t.Context())
		welcomed <- stats.Batches
	}()
	close(held.gate)
	before := <-welcomed
	answers := uint64(0)
	for {
		h, err := old.next()
		if err != nil {
			break
		}
		if h.typ != typeDone {
			t.Fatalf("got %+v", h)
		}
		answers++
	}
	stats, err := store.Stats(t.Context())
	if err != nil || stats.Batches != before || answers != before {
		t.Fatalf("%d batches were applied when the new connection was welcomed, %d after the old one's end, %d were answered", before, stats.Batches, answers)
	}
}

func TestNoGoroutineIsLeftBehind(t *testing.T) {
	path := tempSocket(t)
	stop := serveAt(t, path, blobtest.NewMemory())
	for range 10 {
		c := dial(t, path)
		ctx, cancel := context.WithCancel(t.Context())
		for range 20 {
			go c.Get(ctx, blob.Hash{1})
			go c.Apply(ctx, &blob.Batch{Blobs: [][]byte{make([]byte, blob.MaxBlob)}})
			go func() {
				for range c.Scan(ctx, blob.Range{Table: "t"}) {
				}
			}()
		}
		cancel()
		c.Close()
	}
	stop()
	deadline := time.Now().Add(5 * time.Second)
	for {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		left := 0
		for stack := range bytes.SplitSeq(stacks, []byte("\n\n")) {
			if s := string(stack); strings.Contains(s, "socket.") && !strings.Contains(s, "testing.tRunner(") {
				left++
			}
		}
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are left:\n%s", left, stacks)
		}
		runtime.Gosched()
	}
}
