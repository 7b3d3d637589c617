package merkle

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"hearth/storage/blob"
)

func TestGet(t *testing.T) {
	s, m := newNodes(), members(5000)
	root := s.build(t, m)
	r := seeded(t, 1)
	for _, n := range []int{0, 1, 2, 50, 3000} {
		keys := make([][]byte, n)
		for i := range keys {
			k, _ := member(r.IntN(6000))
			keys[i] = []byte(k[:len(k)-r.IntN(4)/3])
		}
		keys = append(keys, []byte(""), []byte("m.room.member"), []byte("z"))
		s.reset()
		got, err := Get(t.Context(), s, root, keys...)
		if err != nil {
			t.Fatal(err)
		}
		if s.calls > 5 {
			t.Errorf("%d keys: %d calls for 5 levels", n, s.calls)
		}
		for i, k := range keys {
			want, ok := m[string(k)]
			if ok != (got[i] != nil) || string(got[i]) != want {
				t.Fatalf("%q = %q, want %q", k, got[i], want)
			}
		}
	}
}

func TestEmptyMap(t *testing.T) {
	s := newNodes()
	var none blob.Hash
	if got, err := Get(t.Context(), s, none, []byte("k")); err != nil || len(got) != 1 || got[0] != nil {
		t.Errorf("Get: %q, %v", got, err)
	}
	for e, err := range Scan(t.Context(), s, none, nil, nil) {
		t.Errorf("Scan: %v, %v", e, err)
	}
	for h, err := range Nodes(t.Context(), s, none) {
		t.Errorf("Nodes: %v, %v", h, err)
	}
	if root := s.apply(t, none, del("k")); !root.IsZero() {
		t.Errorf("root %s", root)
	}
	if n, err := Len(t.Context(), s, none); n != 0 || err != nil {
		t.Errorf("Len: %d, %v", n, err)
	}
	if s.calls != 0 {
		t.Error("something was read")
	}
}

// TestEmptyKeyAndValue: both are allowed, and an empty value is none that is absent.
func TestEmptyKeyAndValue(t *testing.T) {
	s := newNodes()
	root := s.apply(t, blob.Hash{}, set("", ""), set("a", ""))
	got, err := Get(t.Context(), s, root, []byte(""), []byte("a"), []byte("b"))
	if err != nil || got[0] == nil || got[1] == nil || got[2] != nil {
		t.Errorf("%q, %v", got, err)
	}
	one, err := Get(t.Context(), s, root, []byte(""))
	if err != nil || one[0] == nil {
		t.Errorf("%q, %v", one, err)
	}
}

func TestScanRanges(t *testing.T) {
	for _, size := range []int{1, 20, 400, 3000} {
		s, m := newNodes(), members(size)
		for i := range size {
			m[fmt.Sprintf("m.space.child\x00!%d", i*i)] = fmt.Sprint(i)
		}
		keys := slices.Sorted(maps.Keys(m))
		root := s.build(t, m)
		r := seeded(t, uint64(size))
		for range 100 {
			from, to := bound(r.IntN, keys), bound(r.IntN, keys)
			checkScan(t, s, root, m, keys, from, to)
		}
		checkScan(t, s, root, m, keys, []byte("m.space.child\x00"), blob.PrefixEnd([]byte("m.space.child\x00")))
		checkScan(t, s, root, m, keys, nil, nil)
	}
}

// bound makes up a key at, before or behind an existing one, or none.
func bound(intN func(int) int, keys []string) []byte {
	k := keys[intN(len(keys))]
	switch intN(5) {
	case 0:
		return nil
	case 1:
		return []byte(k[:intN(len(k)+1)])
	case 2:
		return []byte(k + "\x00")
	default:
		return []byte(k)
	}
}

func checkScan(t *testing.T, s *nodes, root blob.Hash, m map[string]string, keys []string, from, to []byte) {
	t.Helper()
	var want []string
	for _, k := range keys {
		if k >= string(from) && (to == nil || k < string(to)) {
			want = append(want, k)
		}
	}
	i := 0
	for e, err := range Scan(t.Context(), s, root, from, to) {
		if err != nil {
			t.Fatal(err)
		}
		if i >= len(want) || string(e.Key) != want[i] || string(e.Value) != m[want[i]] {
			t.Fatalf("scan %q to %q: entry %d is %q", from, to, i, e.Key)
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("scan %q to %q: %d entries, want %d", from, to, i, len(want))
	}
}

// TestScanReadsLittle: a prefix costs what it holds, a loop that ends early little, a long one few calls.
func TestScanReadsLittle(t *testing.T) {
	s := newNodes()
	root := s.build(t, members(100_000))
	height := shapeOf(t, s, root).height
	prefix := []byte("m.room.member\x00@user1234")
	s.reset()
	n := 0
	for range Scan(t.Context(), s, root, prefix, blob.PrefixEnd(prefix)) {
		n++
	}
	if n != 10 || s.reads > 2*height+6 {
		t.Errorf("%d entries, %d nodes", n, s.reads)
	}
	s.reset()
	for range Scan(t.Context(), s, root, nil, nil) {
		break
	}
	if s.reads > 64*height {
		t.Errorf("the first entry cost %d nodes", s.reads)
	}
	s.reset()
	for range Scan(t.Context(), s, root, nil, nil) {
	}
	if s.calls*32 > s.reads {
		t.Errorf("%d nodes took %d calls", s.reads, s.calls)
	}
}

func TestNodes(t *testing.T) {
	for _, size := range []int{1, 100, 5000} {
		s := newNodes()
		root := s.build(t, members(size))
		s.reset()
		seen := map[blob.Hash]bool{}
		for h, err := range Nodes(t.Context(), s, root) {
			if err != nil || seen[h] || s.blobs[h] == nil {
				t.Fatal(h, err, seen[h])
			}
			seen[h] = true
		}
		if len(seen) != len(s.blobs) {
			t.Errorf("%d nodes, want %d", len(seen), len(s.blobs))
		}
		if size > 100 && s.reads*4 > len(seen) {
			t.Errorf("read %d of %d nodes", s.reads, len(seen))
		}
		for h := range Nodes(t.Context(), s, root) {
			if h != root {
				t.Error("the root is not first")
			}
			break
		}
	}
}

func TestLimits(t *testing.T) {
	s := newNodes()
	put := func([]byte) blob.Hash { t.Error("put"); return blob.Hash{} }
	for _, e := range []Edit{{make([]byte, MaxKey+1), []byte{}}, {[]byte("k"), make([]byte, MaxValue+1)}} {
		if _, err := Apply(t.Context(), s, blob.Hash{}, []Edit{e}, put); blob.KindOf(err) != blob.TooLarge {
			t.Error(err)
		}
		if _, err := Build(func(yield func(k, v []byte) bool) { yield(e.Key, e.Value) }, put); blob.KindOf(err) != blob.TooLarge {
			t.Error(err)
		}
	}
	for _, second := range []string{"b", "a"} {
		_, err := Build(func(yield func(k, v []byte) bool) { _ = yield([]byte("b"), nil) && yield([]byte(second), nil) }, put)
		if blob.KindOf(err) != blob.Invalid {
			t.Error(err)
		}
	}
	root := s.apply(t, blob.Hash{}, Edit{bytes.Repeat([]byte("k"), MaxKey), make([]byte, MaxValue)}, set("k", "v"))
	for _, b := range s.blobs {
		if len(b) > blob.MaxBlob {
			t.Errorf("a node of %d bytes", len(b))
		}
	}
	if n, err := Len(t.Context(), s, root); n != 2 || err != nil {
		t.Error(n, err)
	}
}

// TestSmallMapIsOneNode: a room of 30 entries is.
func TestSmallMapIsOneNode(t *testing.T) {
	s := newNodes()
	root := s.build(t, members(30))
	if sh := shapeOf(t, s, root); len(s.blobs) != 1 || sh.height != 1 {
		t.Errorf("%d nodes", len(s.blobs))
	}
}

// errRead is what failing returns.
var errRead = errors.New("read failed")
