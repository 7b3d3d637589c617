package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/storage/blob"
	"hearth/storage/socket"
)

const crashWriters = 8

// crashRounds is how often the program is killed; HEARTH_SOAK sets it for a long run.
func crashRounds(t *testing.T) int {
	text := os.Getenv("HEARTH_SOAK")
	if text == "" {
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("HEARTH_SOAK: %v", err)
	}
	return n
}

// writer edits its root again and again. The edits can be applied in one order only, and only once.
type writer struct {
	client *socket.Client
	root   string
	last   blob.Hash
	edits  uint64
}

// edit applies one batch, whose parts only make sense together.
func (w *writer) edit(t *testing.T) error {
	var b blob.Batch
	h := b.Put(fmt.Appendf(nil, "%s %d %*d", w.root, w.edits, rand.IntN(2000), 0))
	b.Set("edits", fmt.Appendf(nil, "%s/%08d", w.root, w.edits), h[:])
	b.Roots = []blob.RootEdit{{Name: w.root, Old: w.last, New: h}}
	if err := w.client.Apply(t.Context(), &b); err != nil {
		return fmt.Errorf("edit %d of %s: %w", w.edits, w.root, err)
	}
	w.last = h
	w.edits++
	return nil
}

// check reads back what was acknowledged.
func (w *writer) check(t *testing.T) {
	t.Helper()
	commit, _, err := w.client.Root(t.Context(), w.root)
	if err != nil || commit.Hash != w.last || commit.Seq != w.edits {
		t.Errorf("%s is %+v after %d edits, %v", w.root, commit, w.edits, err)
	}
	n := uint64(0)
	var last []byte
	for row, err := range w.client.Scan(t.Context(), blob.Prefix("edits", []byte(w.root+"/"))) {
		if err != nil {
			t.Error(err)
			return
		}
		n++
		last = row.Value
	}
	if n != w.edits || n > 0 && string(last) != string(w.last[:]) {
		t.Errorf("%s has %d rows after %d edits", w.root, n, w.edits)
	}
	if got, err := w.client.Get(t.Context(), w.last); err != nil || got[0] == nil && n > 0 {
		t.Errorf("the last blob of %s is %x, %v", w.root, got, err)
	}
}

// The program is killed at random moments under load. Its clients notice nothing but a delay: every batch is
// acknowledged in the end, and was applied once, whole and in order.
func TestKilledUnderLoad(t *testing.T) {
	p := newProgram(t)
	p.start(t)
	client := p.dial(t, "homeserver")
	acknowledged := make(chan struct{}, 1000)
	stop := make(chan struct{})
	writers := make([]*writer, crashWriters)
	var wg sync.WaitGroup
	for i := range writers {
		w := &writer{client: client, root: fmt.Sprint("root", i)}
		writers[i] = w
		wg.Go(func() {
			for {
				if err := w.edit(t); err != nil {
					t.Error(err)
					return
				}
				select {
				case acknowledged <- struct{}{}:
				case <-stop:
					return
				}
			}
		})
	}
	var slowest time.Duration
	for range crashRounds(t) {
		for range rand.IntN(300) {
			<-acknowledged
		}
		p.kill(t)
		for len(acknowledged) > 0 {
			<-acknowledged
		}
		p.start(t)
		begin := time.Now()
		<-acknowledged
		slowest = max(slowest, time.Since(begin))
	}
	close(stop)
	wg.Wait()
	if slowest > 2*time.Second {
		t.Errorf("service came back %v after the program was ready", slowest)
	}
	edits := uint64(0)
	for _, w := range writers {
		w.check(t)
		edits += w.edits
	}
	p.stop(t)
	out, err := p.verb(t, "verify")
	if want := fmt.Sprintf("homeserver: %d blobs, %d rows, %d roots, ", edits, edits, crashWriters); err != nil || !strings.Contains(out, want) {
		t.Errorf("verify: %q, %v; want %s", out, err, want)
	}
	t.Logf("%d batches, %v to come back", edits, slowest)
}
