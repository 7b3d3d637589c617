package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/storage/blob"
	"hearth/storage/socket"
)

// status returns a line of /proc/pid/status that counts kB, in MiB.
func (p *program) status(tb testing.TB, key string) float64 {
	tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, key+": %f kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	tb.Fatalf("no %s in %s", key, text)
	return 0
}

// fillStore writes about size bytes that do not compress, as blobs of 1 KiB with a row each.
func fillStore(b *testing.B, p *program, size int) {
	c := p.dial(b, "homeserver")
	var wg sync.WaitGroup
	const writers, perBatch = 4, 500
	for w := range writers {
		wg.Go(func() {
			random := rand.NewChaCha8([32]byte{byte(w)})
			for range size / writers / perBatch / 1024 {
				var batch blob.Batch
				for range perBatch {
					data := make([]byte, 1024)
					random.Read(data)
					h := batch.Put(data)
					batch.Set("events", binary.BigEndian.AppendUint64(nil, random.Uint64()), h[:])
				}
				if err := c.Apply(context.Background(), &batch); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// settle waits until the program has checked and merged the tables of its store: until it writes no more.
func settle(b *testing.B, p *program) {
	c := p.dial(b, "homeserver")
	if _, err := c.Verify(b.Context(), func(d blob.Damage) { b.Errorf("damage: %+v", d) }); err != nil {
		b.Fatal(err)
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	written := uint64(0)
	for same := 0; same < 5; same++ {
		<-tick.C
		s, err := c.Stats(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if s.DiskWritten != written {
			same, written = 0, s.DiskWritten
		}
	}
}

// BenchmarkIdle reports the resident memory of the program after it opened a store of 1 GiB and answered a request:
// the target is at most 40 MiB. Some of it is not its own but pages of the store's files that the kernel may take
// back, and that grows as it reads.
func BenchmarkIdle(b *testing.B) {
	p := newProgram(b)
	p.path = filepath.Join(p.dir, "storage")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", p.path, ".") // as make build does
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("building: %v\n%s", err, out)
	}
	p.start(b)
	fillStore(b, p, 1<<30)
	settle(b, p)
	filling := p.status(b, "VmHWM")
	p.stop(b)
	for b.Loop() {
		p.start(b)
		c := p.dial(b, "homeserver")
		readRandom(b, c, 1)
		rss := p.status(b, "VmRSS")
		b.ReportMetric(rss, "idle-MiB")
		b.ReportMetric(p.status(b, "RssAnon"), "idle-own-MiB")
		if rss > 40 {
			b.Errorf("the idle program takes %.1f MiB, %.1f of them its own", rss, p.status(b, "RssAnon"))
		}
		readRandom(b, c, 1000)
		b.ReportMetric(p.status(b, "VmRSS"), "after-reads-MiB")
		b.ReportMetric(p.status(b, "RssAnon"), "after-reads-own-MiB")
		c.Close()
		p.stop(b)
	}
	b.ReportMetric(filling, "filling-MiB")
	b.ReportMetric(0, "ns/op")
}

// readRandom reads n blobs, found by as many rows.
func readRandom(b *testing.B, c *socket.Client, n int) {
	for row, err := range c.Scan(b.Context(), blob.Range{Table: "events", Limit: n}) {
		if err != nil {
			b.Fatal(err)
		}
		got, err := c.Get(b.Context(), blob.Hash(row.Value))
		if err != nil || len(bytes.Trim(got[0], "\x00")) == 0 {
			b.Fatalf("got %x, %v", got, err)
		}
		n--
	}
	if n != 0 {
		b.Fatalf("%d rows are missing", n)
	}
}
