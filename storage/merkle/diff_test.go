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

func diffOf(t *testing.T, s *nodes, a, b blob.Hash) map[string]Change {
	t.Helper()
	out := map[string]Change{}
	last := []byte(nil)
	for c, err := range Diff(t.Context(), s, a, b) {
		if err != nil {
			t.Fatal(err)
		}
		if last != nil && bytes.Compare(last, c.Key) >= 0 {
			t.Fatalf("%q after %q", c.Key, last)
		}
		last = c.Key
		out[string(c.Key)] = c
	}
	return out
}

// checkDiff compares the difference of two maps with that of plain ones.
func checkDiff(t *testing.T, s *nodes, ra, rb blob.Hash, ma, mb map[string]string) {
	t.Helper()
	got := diffOf(t, s, ra, rb)
	want := 0
	all := union(ma, mb)
	for k := range all {
		a, inA := ma[k]
		b, inB := mb[k]
		if inA == inB && a == b {
			continue
		}
		want++
		c, ok := got[k]
		if !ok || inA != (c.A != nil) || inB != (c.B != nil) || string(c.A) != a || string(c.B) != b {
			t.Fatalf("%q: %q, want %q and %q", k, c, a, b)
		}
	}
	if len(got) != want {
		t.Fatalf("%d changes, want %d", len(got), want)
	}
}

func TestDiffRandom(t *testing.T) {
	for _, st := range styles {
		r := seeded(t, 5)
		s := newNodes()
		m := map[string]string{}
		var root blob.Hash
		for round := range 60 {
			next := maps.Clone(m)
			for _, e := range makeEdits(st, r, m, 1+r.IntN(1<<r.IntN(9)), 0.9-float64(round)/80) {
				if e.Value == nil {
					delete(next, string(e.Key))
				} else {
					next[string(e.Key)] = string(e.Value)
				}
			}
			after := s.build(t, next)
			checkDiff(t, s, root, after, m, next)
			checkDiff(t, s, after, root, next, m)
			root, m = after, next
		}
		checkDiff(t, s, root, blob.Hash{}, m, nil)
		checkDiff(t, s, blob.Hash{}, root, nil, m)
	}
}

// TestDiffReadsLittle holds the bound of 200 nodes for maps of 100,000 entries that differ in 10 keys.
func TestDiffReadsLittle(t *testing.T) {
	const size, keys, limit = 100_000, 10, 200
	s := newNodes()
	root := s.build(t, members(size))
	r := seeded(t, 2)
	most, calls := 0, 0
	for range 500 {
		var edits []Edit
		for len(edits) < keys {
			k, v := member(r.IntN(size))
			switch r.IntN(3) {
			case 0:
				edits = append(edits, del(k))
			case 1:
				edits = append(edits, set(k, fmt.Sprintf("%052d", r.Int())))
			default:
				edits = append(edits, set(k[:30]+fmt.Sprint(r.Int()), v))
			}
		}
		after := s.apply(t, root, edits...)
		s.reset()
		if got := diffOf(t, s, root, after); len(got) > keys || len(got) < keys-1 {
			t.Fatalf("%d changes", len(got))
		}
		most, calls = max(most, s.reads), max(calls, s.calls)
	}
	t.Logf("at most %d nodes in %d calls", most, calls)
	if most > limit {
		t.Errorf("read %d nodes, at most %d", most, limit)
	}
}

func TestMerge(t *testing.T) {
	st := styles[0]
	for seed := range uint64(20) {
		r := seeded(t, seed)
		s := newNodes()
		base := members(r.IntN(2000))
		a, b := maps.Clone(base), maps.Clone(base)
		for i, m := range []map[string]string{a, b} {
			for _, e := range makeEdits(st, r, base, r.IntN(200), 0.3+0.5*float64(i)) {
				if delete(m, string(e.Key)); e.Value != nil {
					m[string(e.Key)] = string(e.Value)
				}
			}
		}
		want := maps.Clone(a)
		for _, k := range slices.Sorted(maps.Keys(union(base, a, b))) {
			vb, inBase := base[k]
			va, inA := a[k]
			vc, inB := b[k]
			changedA, changedB := inBase != inA || vb != va, inBase != inB || vb != vc
			if !changedB || inA == inB && va == vc {
				continue
			}
			switch {
			case changedA:
				want[k] = "both:" + va + "," + vc
			case inB:
				want[k] = vc
			default:
				delete(want, k)
			}
		}
		resolve := func(key, _, a, b []byte) ([]byte, error) {
			return fmt.Appendf(nil, "both:%s,%s", a, b), nil
		}
		got, err := Merge(t.Context(), s, s.build(t, base), s.build(t, a), s.build(t, b), resolve, s.put)
		if err != nil || got != s.build(t, want) {
			t.Fatalf("seed %d: %s, %v", seed, got, err)
		}
	}
}

func union(ms ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range ms {
		maps.Copy(out, m)
	}
	return out
}

func TestMergeEnds(t *testing.T) {
	s := newNodes()
	base := s.build(t, map[string]string{"k": "0"})
	a, b := s.build(t, map[string]string{"k": "1"}), s.build(t, map[string]string{"k": "2"})
	wrong := errors.New("no")
	resolve := func(_, _, _, _ []byte) ([]byte, error) { return nil, wrong }
	for _, c := range []struct{ base, a, b, want blob.Hash }{{base, a, a, a}, {base, a, base, a}, {base, base, b, b}} {
		if got, err := Merge(t.Context(), s, c.base, c.a, c.b, resolve, s.put); err != nil || got != c.want {
			t.Error(got, err)
		}
	}
	if _, err := Merge(t.Context(), s, base, a, b, resolve, s.put); !errors.Is(err, wrong) {
		t.Error(err)
	}
	none := func(_, _, _, _ []byte) ([]byte, error) { return nil, nil }
	if got, err := Merge(t.Context(), s, base, a, b, none, s.put); err != nil || !got.IsZero() {
		t.Error(got, err)
	}
}
