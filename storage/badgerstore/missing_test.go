package badgerstore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearth/storage/blob"
)

// TestMissingFiles removes files that a store cannot be without.
func TestMissingFiles(t *testing.T) {
	_, closed, killed := damageable(t)
	for _, from := range []string{closed, killed} {
		for _, file := range files(t, from) {
			base := filepath.Base(file)
			if !strings.HasSuffix(base, ".sst") && !strings.HasPrefix(base, "log-") && base != "mark" && base != "MANIFEST" {
				continue
			}
			dir := filepath.Join(t.TempDir(), "store")
			copyFolder(t, from, dir)
			if err := os.Remove(filepath.Join(dir, file)); err != nil {
				t.Fatal(err)
			}
			db, err := Open(dir, Options{})
			if err == nil {
				db.Close()
			}
			if blob.KindOf(err) != blob.Corrupt || !strings.Contains(err.Error(), base) && !strings.HasPrefix(base, "log-") {
				t.Errorf("without %s: %v", file, err)
			}
		}
	}
}

// TestTornLogOpens cuts a killed store's log after its last group, which is no damage, and within, which is.
func TestTornLogOpens(t *testing.T) {
	c, _, killed := damageable(t)
	m, _, err := openMark(killed, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer m.f.Close()
	found, err := scanLog(killed, m.mark, func(record) error { return nil })
	if err != nil || len(found) == 0 {
		t.Fatalf("%v, %v", found, err)
	}
	last := found[len(found)-1]
	for _, cut := range []struct {
		at   int64
		torn bool
	}{{last.end, true}, {last.end + 100, true}, {last.end + 5000, true}, {last.end - 1, false}, {0, false}} {
		dir := filepath.Join(t.TempDir(), "store")
		copyFolder(t, killed, dir)
		if err := os.Truncate(segmentPath(dir, last.number), cut.at); err != nil {
			t.Fatal(err)
		}
		db, err := Open(dir, Options{})
		if !cut.torn {
			if blob.KindOf(err) != blob.Corrupt || !strings.Contains(err.Error(), "acknowledged") {
				t.Errorf("cut at %d of %d: %v", cut.at, last.end, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s, _ := db.Namespace("n")
		if readAll(t, c, s) {
			t.Error("a torn log is taken for damage")
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
