package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"hearth/storage/blob"
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

// BenchmarkIdle reports the resident memory of the program after it opened a store of 1 GiB and answered a few
// requests. The target is at most 40 MiB.
func BenchmarkIdle(b *testing.B) {
	p := newProgram(b)
	p.start(b)
	fillStore(b, p, 1<<30)
	b.ReportMetric(p.status(b, "VmHWM"), "filling-MiB")
	p.stop(b)
	for b.Loop() {
		p.start(b)
		c := p.dial(b, "homeserver")
		n := 0
		for row, err := range c.Scan(b.Context(), blob.Range{Table: "events", Limit: 100}) {
			if err != nil {
				b.Fatal(err)
			}
			got, err := c.Get(b.Context(), blob.Hash(row.Value))
			if err != nil || len(bytes.Trim(got[0], "\x00")) == 0 {
				b.Fatalf("got %x, %v", got, err)
			}
			n++
		}
		if n != 100 {
			b.Fatalf("%d rows", n)
		}
		c.Close()
		rss := p.status(b, "VmRSS")
		b.ReportMetric(rss, "idle-MiB")
		b.ReportMetric(p.status(b, "RssAnon"), "idle-anon-MiB")
		if rss > 40 {
			b.Errorf("the idle program takes %.1f MiB", rss)
		}
		p.stop(b)
	}
}
