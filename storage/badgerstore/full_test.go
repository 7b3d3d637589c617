package badgerstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hearth/storage/blob"
)

// smallDisk mounts a disk of so many MiB, or skips the test.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("hearth", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", size)); err != nil {
		t.Skipf("no disk can be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestFullDisk runs fullChild, which must live through a full disk.
func TestFullDisk(t *testing.T) {
	cmd := child(t, "full", smallDisk(t, 192))
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &complaint)
	}
}

// fullDisk is a store on a disk that gets full, and the rows that were acknowledged.
type fullDisk struct {
	dir   string
	db    *DB
	s     blob.Store
	acked int
}

func fullChild(args []string) error {
	f := &fullDisk{dir: args[0]}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"opening", f.open},
		{"filling the disk by writing", f.untilFull},
		{"reading on the disk that is full", f.check},
		{"closing on a full disk", f.close},
		{"opening with room", f.open},
		{"checking", f.check},
		{"filling the disk from outside", f.fill},
		{"being told that it is full", f.wantFull},
		{"reading on the full disk", f.check},
		{"making room", f.unfill},
		{"filling the disk from outside again", f.fill},
		{"closing on the full disk", f.close},
		{"opening on the full disk", f.open},
		{"reading after that", f.check},
		{"being told again", f.wantFull},
		{"making room again", f.unfill},
		{"closing", f.close},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func (f *fullDisk) open() (err error) {
	if f.db, err = Open(filepath.Join(f.dir, "store"), Options{}); err == nil {
		f.s, err = f.db.Namespace("n")
	}
	return err
}

func (f *fullDisk) close() error { return f.db.Close() }

func fullRow(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "row %d ", i), 20_000/8) }

func (f *fullDisk) put() error {
	var b blob.Batch
	b.Set("t", fmt.Appendf(nil, "%08d", f.acked), fullRow(f.acked))
	err := f.s.Apply(context.Background(), &b)
	if err == nil {
		f.acked++
	}
	return err
}

func (f *fullDisk) untilFull() error {
	for range 20_000 {
		switch err := f.put(); {
		case err == nil:
		case blob.KindOf(err) == blob.Full:
			return nil
		default:
			return err
		}
	}
	return errors.New("the disk does not get full")
}

func (f *fullDisk) wantFull() error {
	if err := f.put(); err == nil || blob.KindOf(err) != blob.Full {
		return fmt.Errorf("got %v, want kind %q", err, blob.Full)
	}
	return nil
}

// fill takes every byte that is left.
func (f *fullDisk) fill() error {
	file, err := os.Create(filepath.Join(f.dir, "filler"))
	if err != nil {
		return err
	}
	defer file.Close()
	for piece := make([]byte, 1<<20); len(piece) >= 4096; {
		if _, err := file.Write(piece); err != nil {
			piece = piece[:len(piece)/2]
		}
	}
	return nil
}

// unfill gives the space back, after which writes go on.
func (f *fullDisk) unfill() error {
	if err := os.Remove(filepath.Join(f.dir, "filler")); err != nil {
		return err
	}
	return f.put()
}

func (f *fullDisk) check() error {
	n := 0
	for row, err := range f.s.Scan(context.Background(), blob.Range{Table: "t"}) {
		if err != nil {
			return err
		}
		if string(row.Key) != fmt.Sprintf("%08d", n) || !bytes.Equal(row.Value, fullRow(n)) {
			return fmt.Errorf("row %d has key %s", n, row.Key)
		}
		n++
	}
	if n != f.acked {
		return fmt.Errorf("%d rows, %d were acknowledged", n, f.acked)
	}
	return crashVerify(f.s)
}

// TestFullByReport checks, with a disk that only says that it is full, that nothing is changed meanwhile.
func TestFullByReport(t *testing.T) {
	free := int64(1 << 40)
	db, err := Open(t.TempDir(), Options{Free: func(string) (int64, error) { return free, nil }})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := db.Namespace("n")
	f := &fullDisk{db: db, s: s}
	for _, room := range []int64{1 << 40, 1 << 20, 0, 1 << 40} {
		free = room
		if err := f.put(); (err == nil) != (room == 1<<40) || err != nil && blob.KindOf(err) != blob.Full {
			t.Fatalf("with %d bytes: %v", room, err)
		}
		if err := f.check(); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
