package blobtest

import (
	"fmt"
	"testing"

	"hearth/storage/blob"
)

func blobsComeBack(t *testing.T, s blob.Store) {
	var b blob.Batch
	one, two := b.Put([]byte("one")), b.Put([]byte("two"))
	apply(t, s, &b)
	apply(t, s, &blob.Batch{Blobs: [][]byte{[]byte("one")}}) // again: the same blob
	got, err := s.Get(t.Context(), two, blob.Sum([]byte("absent")), one, one)
	must(t, err)
	if len(got) != 4 || string(got[0]) != "two" || got[1] != nil || string(got[2]) != "one" || string(got[3]) != "one" {
		t.Fatalf("got %q", got)
	}
}

// sizes of values around everything that a store may treat specially.
var sizes = []int{0, 1, 31, 4095, 4096, 65535, 65536, 1<<20 - 65, 1<<20 - 33, 1<<20 - 5, 1<<20 - 1, 1 << 20}

func blobSizes(t *testing.T, s blob.Store) {
	for i, n := range sizes {
		var b blob.Batch
		h := b.Put(fill(n, uint64(i)))
		apply(t, s, &b)
		got, err := s.Get(t.Context(), h)
		must(t, err)
		wantBytes(t, got[0], fill(n, uint64(i)))
	}
}

func rowsComeBack(t *testing.T, s blob.Store) {
	var b blob.Batch
	b.Set("t", []byte("k"), []byte("v"))
	b.Set("t", []byte("empty"), nil)
	b.Set("other", []byte("k"), []byte("w"))
	b.Set("t", []byte{0, 0xff, 0}, []byte("binary"))
	apply(t, s, &b)
	wantBytes(t, value(t, s, "t", "k"), []byte("v"))
	wantBytes(t, value(t, s, "t", "empty"), []byte{})
	wantBytes(t, value(t, s, "other", "k"), []byte("w"))
	wantBytes(t, value(t, s, "t", "\x00\xff\x00"), []byte("binary"))

	b = blob.Batch{}
	b.Set("t", []byte("k"), []byte("v2"))
	b.Delete("other", []byte("k"))
	b.Delete("other", []byte("never there"))
	apply(t, s, &b)
	wantBytes(t, value(t, s, "t", "k"), []byte("v2"))
	if got := value(t, s, "other", "k"); got != nil {
		t.Fatalf("deleted row is still %q", got)
	}
}

func rowSizes(t *testing.T, s blob.Store) {
	// The same row grows and shrinks, so that nothing of a longer value stays.
	for i, n := range append(sizes, 1<<20, 3, 1<<20-1, 0) {
		var b blob.Batch
		b.Set("t", []byte("grows"), fill(n, uint64(i)))
		b.Set("t", fill(blob.MaxKey, uint64(i)), fill(n, uint64(i+1)))
		apply(t, s, &b)
		wantBytes(t, value(t, s, "t", "grows"), fill(n, uint64(i)))
		wantBytes(t, value(t, s, "t", string(fill(blob.MaxKey, uint64(i)))), fill(n, uint64(i+1)))
	}
	n := 0
	for row, err := range s.Scan(t.Context(), blob.Range{Table: "t"}) {
		must(t, err)
		if string(row.Key) != "grows" && len(row.Key) != blob.MaxKey {
			t.Fatalf("unknown key of %d bytes", len(row.Key))
		}
		n++
	}
	if want := len(sizes) + 4 + 1; n != want {
		t.Fatalf("scanned %d rows, want %d", n, want)
	}
}

func laterRowWins(t *testing.T, s blob.Store) {
	var b blob.Batch
	b.Set("t", []byte("a"), []byte("1"))
	b.Set("t", []byte("a"), []byte("2"))
	b.Set("t", []byte("b"), []byte("1"))
	b.Delete("t", []byte("b"))
	b.Delete("t", []byte("c"))
	b.Set("t", []byte("c"), []byte("3"))
	apply(t, s, &b)
	wantBytes(t, value(t, s, "t", "a"), []byte("2"))
	if got := value(t, s, "t", "b"); got != nil {
		t.Fatalf("row deleted last is %q", got)
	}
	wantBytes(t, value(t, s, "t", "c"), []byte("3"))
}

func absentIsNil(t *testing.T, s blob.Store) {
	got, err := s.Get(t.Context(), blob.Hash{}, blob.Sum(nil))
	must(t, err)
	if len(got) != 2 || got[0] != nil || got[1] != nil {
		t.Fatalf("absent blobs are %q", got)
	}
	if v := value(t, s, "no-table", "k"); v != nil {
		t.Fatalf("absent row is %q", v)
	}
	if _, ok, err := s.Root(t.Context(), "absent"); ok || err != nil {
		t.Fatalf("absent root: %v, %v", ok, err)
	}
	if h, err := s.History(t.Context(), "absent", 10); len(h) != 0 || err != nil {
		t.Fatalf("history of absent root: %v, %v", h, err)
	}
	wantStrings(t, keys(t, s, blob.Range{Table: "no-table"}))
	if got, err := s.Get(t.Context()); len(got) != 0 || err != nil {
		t.Fatalf("no hashes: %v, %v", got, err)
	}
	if got, err := s.Rows(t.Context()); len(got) != 0 || err != nil {
		t.Fatalf("no keys: %v, %v", got, err)
	}
	apply(t, s, &blob.Batch{})
}

func slicesMayBeReused(t *testing.T, s blob.Store) {
	data, key, val := []byte("data"), []byte("key"), []byte("val")
	var b blob.Batch
	h := b.Put(data)
	b.Set("t", key, val)
	apply(t, s, &b)
	copy(data, "XXXX")
	copy(key, "XXX")
	copy(val, "XXX")
	got, err := s.Get(t.Context(), h)
	must(t, err)
	wantBytes(t, got[0], []byte("data"))
	wantBytes(t, value(t, s, "t", "key"), []byte("val"))
}

func rowsSnapshot(t *testing.T, s blob.Store) {
	stop := make(chan struct{})
	ended := make(chan error, 1)
	apply(t, s, pair(0))
	go func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			if err := s.Apply(t.Context(), pair(i)); err != nil {
				ended <- err
				return
			}
		}
	}()
	for range 300 {
		got, err := s.Rows(t.Context(), blob.RowKey{Table: "a", Key: []byte("x")}, blob.RowKey{Table: "z", Key: []byte("x")})
		must(t, err)
		if string(got[0]) != string(got[1]) {
			t.Fatalf("one read saw %q and %q, which were never there together", got[0], got[1])
		}
	}
	close(stop)
	must(t, <-ended)
}

// pair is a batch that sets two rows to the same value.
func pair(i int) *blob.Batch {
	var b blob.Batch
	b.Set("a", []byte("x"), fmt.Append(nil, i))
	b.Set("z", []byte("x"), fmt.Append(nil, i))
	return &b
}
