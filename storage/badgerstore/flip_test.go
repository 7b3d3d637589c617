package badgerstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/storage/blob"
)

// contents is what a store holds that the flip tests damage.
type contents struct {
	rows  map[string][]byte
	blobs map[blob.Hash][]byte
	root  blob.Hash
}

func (c *contents) batch(i int) *blob.Batch {
	b := &blob.Batch{ID: blob.BatchID{Session: [16]byte{1}, Seq: uint64(i + 1)}}
	for j := range 4 {
		key := fmt.Sprintf("%04d", (i*7919+j)%3000)
		value := bytes.Repeat(fmt.Appendf(nil, "value %d %d ", i, j), 1+i%40)
		if i%500 == 7 && j == 0 {
			value = make([]byte, 1<<20)
			copy(value[1<<20-20:], "end of a long value")
		}
		b.Set("t", []byte(key), value)
		c.rows[key] = value
	}
	data := bytes.Repeat(fmt.Appendf(nil, "blob %d ", i), 1+i%50)
	c.blobs[b.Put(data)] = data
	next := blob.Sum(data)
	b.Roots = []blob.RootEdit{{Name: "r", Old: c.root, New: next, Keep: i%10 == 0, Time: time.UnixMilli(int64(i))}}
	c.root = next
	return b
}

// damageable makes two folders: of a store that was closed, and of one that was killed with groups in its log.
func damageable(t *testing.T) (c *contents, closed, killed string) {
	c = &contents{rows: map[string][]byte{}, blobs: map[blob.Hash][]byte{}}
	dir := t.TempDir()
	n := 0
	for part := range 4 {
		db, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, _ := db.Namespace("n")
		for range 300 {
			if err := s.Apply(t.Context(), c.batch(n)); err != nil {
				t.Fatal(err)
			}
			n++
		}
		if part == 3 {
			killed = t.TempDir()
			copyFolder(t, dir, killed)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return c, dir, killed
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	for _, f := range files(t, from) {
		data, err := os.ReadFile(filepath.Join(from, f))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, ".mem") || f == "reserve" {
			data = data[:min(len(data), 1<<20)] // the rest is zeros
		}
		path := filepath.Join(to, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// files lists the files below dir that have content.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err == nil && info.Size() > 0 {
			rel, _ := filepath.Rel(dir, path)
			out = append(out, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestFlips flips one bit anywhere in any file, and asks that no read is wrong and that the file is named.
func TestFlips(t *testing.T) {
	c, closed, killed := damageable(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	found := map[string]int{}
	for range rounds(t, 2) {
		for _, from := range []string{closed, killed} {
			for _, file := range files(t, from) {
				dir := filepath.Join(t.TempDir(), "store")
				copyFolder(t, from, dir)
				at := flipSomewhere(t, filepath.Join(dir, file), rnd)
				how := checkFlipped(t, c, dir, file, rnd)
				if t.Failed() {
					t.Fatalf("flipped bit %d of %s, copy of %s", at, file, from)
				}
				if how == "unnoticed" && needed(file, at, dir) {
					t.Fatalf("bit %d of %s was flipped and not noticed", at, file)
				}
				found[filepath.Ext(file)+" "+how]++
				os.RemoveAll(dir)
			}
		}
	}
	t.Logf("%v", found)
}

// needed reports whether a bit of a file means anything: all but what is thrown away at open and the log's free space.
func needed(file string, bit int, dir string) bool {
	name := filepath.Base(file)
	switch {
	case strings.HasSuffix(name, ".mem"), strings.HasSuffix(name, ".vlog"), name == "DISCARD", name == "KEYREGISTRY",
		name == "reserve": // made anew
		return false
	case strings.HasPrefix(name, "log-"):
		return false // checkFlipped saw that every group is there
	}
	return true
}

// flipSomewhere prefers the part of the file that has content.
func flipSomewhere(t *testing.T, path string, rnd *rand.Rand) int {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := len(bytes.TrimRight(data, "\x00"))
	if n == 0 || rnd.IntN(20) == 0 {
		n = len(data)
	}
	bit := rnd.IntN(8 * n)
	data[bit/8] ^= 1 << (bit % 8)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return bit
}

// checkFlipped returns how the damage came to light.
func checkFlipped(t *testing.T, c *contents, dir, file string, rnd *rand.Rand) string {
	o := Options{}
	if rnd.IntN(2) == 0 {
		o.ScrubAtOpen = -1
	}
	db, err := Open(dir, o)
	if err != nil {
		if blob.KindOf(err) != blob.Corrupt || !strings.Contains(err.Error(), file) {
			t.Errorf("open fails with %v", err)
		}
		return "open"
	}
	defer db.Close()
	s, _ := db.Namespace("n")
	how := "unnoticed"
	if readAll(t, c, s) {
		how = "read"
	}
	named := false
	v, err := s.Verify(t.Context(), func(d blob.Damage) { named = named || d.What == "file" && d.Name == filepath.Join(dir, file) })
	if err != nil {
		t.Errorf("verify: %v", err)
	}
	switch {
	case v.Damaged > 0 && !named:
		t.Errorf("verify does not name the file")
	case v.Damaged == 0 && how == "read":
		t.Errorf("a read failed, and verify finds nothing")
	case v.Damaged > 0 && how == "unnoticed":
		how = "verify"
	}
	return how
}

// readAll reads everything in every way, and reports whether anything failed as damaged.
func readAll(t *testing.T, c *contents, s blob.Store) (damaged bool) {
	t.Helper()
	failed := func(err error) bool {
		if err == nil {
			return false
		}
		var e *blob.Error
		if !errors.As(err, &e) || e.Kind != blob.Corrupt {
			t.Errorf("reading: %v", err)
		}
		damaged = true
		return true
	}
	for key, want := range c.rows {
		got, err := s.Rows(t.Context(), blob.RowKey{Table: "t", Key: []byte(key)})
		if !failed(err) && !bytes.Equal(got[0], want) {
			t.Errorf("row %s is %.40q, want %.40q", key, got[0], want)
		}
	}
	for h, want := range c.blobs {
		got, err := s.Get(t.Context(), h)
		if !failed(err) && !bytes.Equal(got[0], want) {
			t.Errorf("blob %v is %.40q", h, got[0])
		}
	}
	for _, reverse := range []bool{false, true} {
		n, bad := 0, false
		for row, err := range s.Scan(context.Background(), blob.Range{Table: "t", Reverse: reverse}) {
			if bad = failed(err); bad {
				break
			}
			if !bytes.Equal(row.Value, c.rows[string(row.Key)]) {
				t.Errorf("scanned row %s is %.40q", row.Key, row.Value)
			}
			n++
		}
		if !bad && n != len(c.rows) {
			t.Errorf("scanned %d rows, want %d", n, len(c.rows))
		}
	}
	root, _, err := s.Root(t.Context(), "r")
	if !failed(err) && root.Hash != c.root {
		t.Errorf("root names %v", root.Hash)
	}
	history, err := s.History(t.Context(), "r", 1000)
	if !failed(err) && len(history) != int(root.Seq-1)/10+1 {
		t.Errorf("%d commits of %d kept", len(history), root.Seq)
	}
	return damaged
}
