package badgerstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hearth/storage/blob"
)

func TestReadMapping(t *testing.T) {
	for line, want := range map[string]mapping{
		"7f1c00000000-7f1c00a00000 rw-s 00000000 fe:01 1234         /data/storage/lsm/000007.sst\n": {0x7f1c00000000, 0x7f1c00a00000, "/data/storage/lsm/000007.sst"},
		"1000-2000 r--s 00000000 fe:01 1234  /with a space/000007.sst\n":                            {0x1000, 0x2000, "/with a space/000007.sst"},
		"1000-2000 rw-s 00000000 fe:01 1234  /x/000007.sst (deleted)\n":                             {0x1000, 0x2000, "/x/000007.sst (deleted)"},
		"1000-2000 rw-p 00000000 fe:01 1234  /x/000007.sst\n":                                       {},
		"1000-2000 rw-s 00000000 00:00 0\n":                                                         {},
		"2000-1000 rw-s 00000000 fe:01 1234  /x\n":                                                  {},
		"x-2000 rw-s 00000000 fe:01 1234  /x\n":                                                     {},
		"":                                                                                          {},
	} {
		if got, ok := readMapping(line); got != want || ok != (want != mapping{}) {
			t.Errorf("%q is %+v, %v", line, got, ok)
		}
	}
}

func FuzzReadMapping(f *testing.F) {
	f.Add("7f1c00000000-7f1c00a00000 rw-s 00000000 fe:01 1234         /data/storage/lsm/000007.sst\n")
	f.Fuzz(func(t *testing.T, line string) {
		if m, ok := readMapping(line); ok && (m.from >= m.to || !strings.HasPrefix(m.path, "/")) {
			t.Errorf("%q is %+v", line, m)
		}
	})
}

func TestPageWatch(t *testing.T) {
	const mib = 1 << 20
	w := pageWatch{}
	for i, c := range []struct {
		mapped int64
		many   bool
		remain int64
	}{
		{mapped: 10 * mib},
		{mapped: 18 * mib},
		{mapped: 19 * mib, many: true, remain: 11 * mib},
		{mapped: 19 * mib},
		{mapped: 60 * mib, many: true, remain: 40 * mib}, // of a merge
		{mapped: 48 * mib},
		{mapped: 49 * mib, many: true, remain: 30 * mib},
		{mapped: 9 * mib}, // less than when it was opened
		{mapped: 18 * mib},
		{mapped: 19 * mib, many: true, remain: 12 * mib},
	} {
		if got := w.many(c.mapped); got != c.many {
			t.Errorf("step %d: %d MiB are many: %v", i, c.mapped/mib, got)
		}
		if c.many {
			w.remain(c.remain)
		}
	}
}

// tablePages returns how many KiB of the tables of a store are mapped and in memory.
func tablePages(t *testing.T, dir string) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	sum, ours := 0, false
	for line := range strings.Lines(string(data)) {
		if m, ok := readMapping(line); ok {
			ours = filepath.Dir(m.path) == filepath.Join(dir, "lsm") && filepath.Ext(m.path) == ".sst"
		}
		var kib int
		if n, _ := fmt.Sscanf(line, "Rss: %d kB", &kib); n == 1 && ours {
			sum, ours = sum+kib, false
		}
	}
	return sum
}

// Pages that the process lets go of are read again as before, by whoever reads while tables are written and merged.
func TestLetGoOfPages(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const rows, size = 3000, 1000
	write := func(s blob.Store, step int) {
		for i := 0; i < rows; i += 500 {
			var b blob.Batch
			for j := i; j < i+500; j++ {
				b.Set("t", fmt.Appendf(nil, "%05d", j), fullRow(j + step)[:size])
			}
			if err := s.Apply(t.Context(), &b); err != nil {
				t.Error(err)
			}
		}
	}
	open := func() (*DB, blob.Store) {
		db, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := db.Namespace("n")
		if err != nil {
			t.Fatal(err)
		}
		return db, s
	}
	db, s := open()
	write(s, 0)
	if err := db.Close(); err != nil { // which writes a table
		t.Fatal(err)
	}
	db, s = open()
	defer db.Close()
	read := func() {
		n := 0
		for row, err := range s.Scan(t.Context(), blob.Range{Table: "t"}) {
			if err != nil || len(row.Value) != size {
				t.Errorf("row %q: %d bytes, %v", row.Key, len(row.Value), err)
				return
			}
			n++
		}
		if n != rows {
			t.Errorf("%d rows, want %d", n, rows)
		}
	}
	read()
	if n := tablePages(t, dir); n < rows*size>>10 {
		t.Errorf("%d KiB are mapped after everything was read", n)
	}
	if err := db.engine.letGoPages(); err != nil {
		t.Fatal(err)
	}
	if n := tablePages(t, dir); n > 0 {
		t.Errorf("%d KiB are still mapped", n)
	}
	var working sync.WaitGroup
	working.Go(func() {
		for step := range 8 { // enough for a few tables
			write(s, step)
		}
	})
	working.Go(func() {
		for range 8 {
			read()
		}
	})
	for range 100 {
		if err := db.engine.letGoPages(); err != nil {
			t.Error(err)
		}
	}
	working.Wait()
	read()
}
