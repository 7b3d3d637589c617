package badgerstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"hearth/storage/blob"
)

// idleChild opens a store, tells how long that took and how much memory is resident once all tables were checked, and
// waits for its input to end.
func idleChild(args []string) error {
	start := time.Now()
	db, err := Open(args[0], Options{})
	if err != nil {
		return err
	}
	opened := time.Since(start)
	s, err := db.Namespace("n")
	if err != nil {
		return err
	}
	if _, err := s.Rows(context.Background(), blob.RowKey{Table: "event", Key: fmt.Appendf(nil, "%08d", 77)}); err != nil {
		return err
	}
	first, err := resident()
	if err != nil {
		return err
	}
	if err := db.guard.checkAll(context.Background()); err != nil {
		return err
	}
	done := make(chan bool)
	db.control <- func() { done <- db.startMerging() }
	if !<-done {
		return errors.New("Badger does not merge")
	}
	later, err := resident()
	if err != nil {
		return err
	}
	fmt.Println(opened.Milliseconds(), first, later)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return db.Close()
}

// resident returns the process's resident memory in KiB.
func resident() (int, error) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		var kib int
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return kib, nil
		}
	}
	return 0, io.ErrUnexpectedEOF
}

// BenchmarkIdle measures a process that opened a store of 1 GiB: resident memory at once, and after the background
// check, and the time that Open takes.
func BenchmarkIdle(b *testing.B) {
	const size, row = 1 << 30, 1000
	dir := b.TempDir()
	db, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	s, _ := db.Namespace("n")
	for i := 0; i < size/row; i += 1000 {
		var batch blob.Batch
		for j := i; j < i+1000; j++ {
			batch.Set("event", fmt.Appendf(nil, "%08d", j*7919%(size/row)), fullRow(j)[:row])
		}
		if err := s.Apply(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		cmd := child(b, "idle", dir)
		cmd.Stderr = os.Stderr
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		var opened, first, later float64
		if _, err := fmt.Sscan(line, &opened, &first, &later); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(opened, "open-ms")
		b.ReportMetric(first/1024, "opened-MiB")
		b.ReportMetric(later/1024, "idle-MiB")
	}
}
