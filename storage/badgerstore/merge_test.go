package badgerstore

import (
	"fmt"
	"sync"
	"testing"

	"hearth/storage/blob"
)

// TestScanOutlivesMerging lets Badger be opened again, and old versions be merged away, while a scan is under way.
func TestScanOutlivesMerging(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := db.Namespace("n")
	const rows = 1000
	write(t, s, rows, "old", 100)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open(dir, Options{ScrubAtOpen: -1}); err != nil {
		t.Fatal(err)
	}
	s, _ = db.Namespace("n")
	n := 0
	for row, err := range s.Scan(t.Context(), blob.Range{Table: "t"}) {
		if err != nil {
			t.Fatal(err)
		}
		if string(row.Value[:3]) != "old" || string(row.Key) != fmt.Sprintf("%06d", n) {
			t.Fatalf("row %d is %s, %.3s", n, row.Key, row.Value)
		}
		switch n {
		case 10:
			merged(t, db)
		case 100, 200, 300, 400, 500:
			write(t, s, rows, "new", 12_000) // more than a memory table
		}
		n++
	}
	if n != rows {
		t.Fatalf("%d rows, want %d", n, rows)
	}
	if err := crashVerify(s); err != nil {
		t.Fatal(err)
	}
	if len(db.engine.snapshots) != 0 {
		t.Fatalf("snapshots are held: %v", db.engine.snapshots)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// merged waits until all tables were checked and Badger merges them.
func merged(t testing.TB, db *DB) {
	t.Helper()
	if err := db.guard.checkAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	db.control <- func() { done <- db.startMerging() }
	if !<-done || !db.engine.merging {
		t.Fatal("Badger does not merge")
	}
}

func write(t *testing.T, s blob.Store, rows int, text string, size int) {
	t.Helper()
	for i := 0; i < rows; i += 50 {
		var b blob.Batch
		for j := i; j < i+50; j++ {
			value := make([]byte, size)
			copy(value, text)
			b.Set("t", fmt.Appendf(nil, "%06d", j), value)
		}
		if err := s.Apply(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
}

// TestVerifyUnderLoad verifies and scans while memory tables are written and merged.
func TestVerifyUnderLoad(t *testing.T) {
	db, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := db.Namespace("n")
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := crashVerify(s); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 4 {
		write(t, s, 700, fmt.Sprint(i), 12_000)
	}
	close(stop)
	wg.Wait()
	n := 0
	for row, err := range s.Scan(t.Context(), blob.Range{Table: "t", Reverse: true}) {
		if err != nil || row.Value[0] != '3' {
			t.Fatalf("row %s begins with %.1s, %v", row.Key, row.Value, err)
		}
		n++
	}
	if n != 700 {
		t.Fatalf("%d rows", n)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
