package merkle

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"hearth/storage/blob"
)

// style is a way to make up keys and values.
type style struct {
	name       string
	key, value func(r *rand.Rand) string
}

var styles = []style{
	{"members", func(r *rand.Rand) string { k, _ := member(r.IntN(3000)); return k }, func(r *rand.Rand) string { return fmt.Sprintf("%052d", r.Int()) }},
	{"short", func(r *rand.Rand) string { return fmt.Sprint(r.IntN(300)) }, func(r *rand.Rand) string { return strings.Repeat("v", r.IntN(3)) }},
	{"values", func(r *rand.Rand) string { return fmt.Sprint(r.IntN(60)) }, func(r *rand.Rand) string { return strings.Repeat("v", r.IntN(400)) }},
	{"heavy", func(r *rand.Rand) string { return fmt.Sprint(r.IntN(100)) }, func(r *rand.Rand) string { return strings.Repeat("v", r.IntN(3)*r.IntN(1200)) }},
	{"long", func(r *rand.Rand) string {
		return strings.Repeat("k", r.IntN(MaxKey-1)) + string(rune('a'+r.IntN(26)))
	}, func(r *rand.Rand) string { return "v" }},
	{"nested", func(r *rand.Rand) string { return strings.Repeat("k", r.IntN(700)) }, func(r *rand.Rand) string { return fmt.Sprint(r.IntN(9)) }},
}

// TestRandom edits a map at random beside a plain one, in batches of all sizes, and compares the root with that of
// Build after each.
func TestRandom(t *testing.T) {
	for _, st := range styles {
		t.Run(st.name, func(t *testing.T) {
			for seed := range uint64(3) {
				randomEdits(t, st, seeded(t, seed), 150)
			}
		})
	}
}

func randomEdits(t *testing.T, st style, r *rand.Rand, rounds int) {
	s, m := newNodes(), map[string]string{}
	var root blob.Hash
	for round := range rounds {
		grow := 0.9 - 0.8*float64(round)/float64(rounds)
		edits := makeEdits(st, r, m, 1+r.IntN(1<<r.IntN(9)), grow)
		s.reset()
		before := maps.Clone(s.blobs)
		root = s.apply(t, root, edits...)
		for _, e := range edits {
			if e.Value == nil {
				delete(m, string(e.Key))
			} else {
				m[string(e.Key)] = string(e.Value)
			}
		}
		checkRoot(t, s, before, root, m, round)
	}
	all := make([]Edit, 0, len(m))
	for k := range m {
		all = append(all, del(k))
	}
	if root = s.apply(t, root, all...); !root.IsZero() {
		t.Fatalf("the emptied map has root %s", root)
	}
}

func makeEdits(st style, r *rand.Rand, m map[string]string, n int, grow float64) (edits []Edit) {
	var keys []string
	from := ""
	if r.IntN(3) == 0 { // a run of neighbours
		from = st.key(r)
	}
	if r.IntN(2) == 0 {
		keys = slices.Sorted(maps.Keys(m))
		at, _ := slices.BinarySearch(keys, from)
		keys = keys[at:]
	}
	for i := range n {
		key := st.key(r)
		if len(keys) > 0 {
			key = keys[i%len(keys)]
		}
		if r.Float64() < grow {
			edits = append(edits, set(key, st.value(r)))
		} else {
			edits = append(edits, del(key))
		}
	}
	return edits
}

func checkRoot(t *testing.T, s *nodes, before map[blob.Hash][]byte, root blob.Hash, m map[string]string, round int) {
	t.Helper()
	fresh := newNodes()
	if want := fresh.build(t, m); root != want {
		t.Fatalf("round %d, %d entries: edited root %s, built root %s", round, len(m), root, want)
	}
	if fresh.puts != len(fresh.blobs) {
		t.Fatalf("round %d: Build put %d nodes, of which %d differ", round, fresh.puts, len(fresh.blobs))
	}
	news := 0
	for h, b := range fresh.blobs {
		if before[h] == nil {
			news++
		}
		if have := s.blobs[h]; !bytes.Equal(have, b) {
			t.Fatalf("round %d: a node was not put", round)
		}
	}
	if s.puts-s.again != news {
		t.Fatalf("round %d: put %d nodes, needs %d (%d were there)", round, s.puts, news, s.again)
	}
	n, err := Len(context.Background(), s, root)
	if err != nil || n != uint64(len(m)) {
		t.Fatalf("Len = %d, %v, want %d", n, err, len(m))
	}
}

func TestOrderOfEditsNeverMatters(t *testing.T) {
	r := seeded(t, 7)
	m := members(2000)
	keys := slices.Sorted(maps.Keys(m))
	s := newNodes()
	want := s.build(t, m)
	for range 5 {
		r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		var root blob.Hash
		for rest := keys; len(rest) > 0; {
			n := min(len(rest), 1+r.IntN(100))
			var edits []Edit
			for _, k := range rest[:n] {
				edits = append(edits, set(k, "before"), set("m.room.other\x00"+k, "x"), set(k, m[k]))
			}
			root = s.apply(t, root, edits...)
			rest = rest[n:]
		}
		for i, k := range keys {
			if i%2 == 0 {
				root = s.apply(t, root, del("m.room.other\x00"+k))
			}
		}
		var edits []Edit
		for i, k := range keys {
			if i%2 == 1 {
				edits = append(edits, del("m.room.other\x00"+k))
			}
		}
		if root = s.apply(t, root, edits...); root != want {
			t.Fatalf("root %s, want %s", root, want)
		}
	}
}

// TestLastLeafIsReplaced leaves one leaf of which nothing but a value changed: it is the root.
func TestLastLeafIsReplaced(t *testing.T) {
	s := newNodes()
	before, after := strings.Repeat("v", 2*leafLimit), strings.Repeat("w", 2*leafLimit)
	for _, key := range []string{"a", "c"} {
		root := s.build(t, map[string]string{key: before, "b": before})
		if got := s.apply(t, root, del(key), set("b", after)); got != s.build(t, map[string]string{"b": after}) {
			t.Errorf("without %s the root is %s", key, got)
		}
	}
}

// TestEqualPriorities: the later counts as more.
func TestEqualPriorities(t *testing.T) {
	r := units{{9, 1}, {5, 4}, {5, 4}, {5, 4}, {9, 1}}
	for i, reach := range []int{0, 5, 9, 13, 14} {
		if i > 0 && (starts(r, i, reach) || !starts(r, i, reach-1)) {
			t.Errorf("unit %d does not reach over exactly %d", i, reach)
		}
	}
}
