package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hearth/storage/blob"
)

// TestOneSyncPerGroup counts the system calls of a process that writes groups of many kinds.
func TestOneSyncPerGroup(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	cmd := child(t, "sync", filepath.Join(dir, "store"))
	cmd.Args = append([]string{strace, "-f", "-o", trace, "-e",
		"trace=fsync,fdatasync,msync,sync,syncfs,sync_file_range,mkdirat"}, cmd.Args...)
	cmd.Path = strace
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		if strings.Contains(complaint.String(), "PTRACE") {
			t.Skipf("tracing is not allowed: %s", &complaint)
		}
		t.Fatalf("%v: %s", err, &complaint)
	}
	var groups int
	if _, err := fmt.Sscan(out.String(), &groups); err != nil || groups < 200 { // how many writers share a group varies
		t.Fatalf("the child wrote %q", &out)
	}
	data, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	if got := countSyncs(string(data)); got["fdatasync"] != groups || len(got) != 1 {
		t.Fatalf("%d groups took %v", groups, got)
	}
}

// countSyncs counts the calls between the child's marks.
func countSyncs(trace string) map[string]int {
	_, part, _ := strings.Cut(trace, "mark-begin")
	_, part, _ = strings.Cut(part, "\n")
	part, _, _ = strings.Cut(part, "mark-end")
	got := map[string]int{}
	for line := range strings.Lines(part) {
		_, call, _ := strings.Cut(line, " ") // after the thread; a call that is resumed has no "("
		if name, _, ok := strings.Cut(strings.TrimSpace(call), "("); ok && name != "mkdirat" {
			got[name]++
		}
	}
	return got
}

// syncChild writes groups of one row, of many, of large blobs, of conflicts, and of many writers, between two calls that
// show in a trace, and prints how many groups it wrote. All of it fits one memory table.
func syncChild(args []string) error {
	db, err := Open(args[0], Options{})
	if err != nil {
		return err
	}
	s, err := db.Namespace("n")
	if err != nil {
		return err
	}
	var first blob.Batch // makes what is made with the first group
	first.Set("t", []byte("first"), nil)
	if err := s.Apply(context.Background(), &first); err != nil {
		return err
	}
	before := db.groups.Load()
	_ = os.Mkdir("/proc/mark-begin", 0)
	err = errors.Join(syncSingles(s), syncLarge(s), syncMany(s))
	_ = os.Mkdir("/proc/mark-end", 0)
	if err != nil {
		return err
	}
	fmt.Println(db.groups.Load() - before)
	return db.Close()
}

func syncSingles(s blob.Store) error {
	for i := range 200 {
		b := blob.Batch{ID: blob.BatchID{Session: [16]byte{1}, Seq: uint64(i + 1)}}
		b.Set("t", fmt.Append(nil, i), make([]byte, i))
		if i%10 == 9 {
			b.Roots = []blob.RootEdit{{Name: "r", Old: blob.Sum(nil)}} // a conflict, which is remembered
		}
		if err := s.Apply(context.Background(), &b); err != nil && blob.KindOf(err) != blob.Conflict {
			return err
		}
	}
	return nil
}

func syncLarge(s blob.Store) error {
	var rows, blobs blob.Batch
	for i := range 5000 {
		rows.Set("many", fmt.Append(nil, i), []byte("v"))
	}
	for i := range 2 {
		blobs.Put(append(make([]byte, 1<<20-1), byte(i)))
	}
	return errors.Join(s.Apply(context.Background(), &rows), s.Apply(context.Background(), &blobs))
}

func syncMany(s blob.Store) error {
	var wg sync.WaitGroup
	failed := make(chan error, 64)
	for w := range 64 {
		wg.Go(func() {
			for i := range 10 {
				var b blob.Batch
				b.Set("w", fmt.Append(nil, w, i), []byte("v"))
				if err := s.Apply(context.Background(), &b); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed
}
