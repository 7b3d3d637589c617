package merkle

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestOneEditWritesLittle holds the bound of 8 KiB for every single edit of a map of 100,000 entries.
func TestOneEditWritesLittle(t *testing.T) {
	const size, limit = 100_000, 8 << 10
	edits := 6_000
	if testing.Short() {
		edits = 2_000
	}
	s := newNodes()
	root := s.build(t, members(size))
	r := seeded(t, 3)
	for _, kind := range []struct {
		name string
		edit func(r *rand.Rand) Edit
	}{
		{"replace", func(r *rand.Rand) Edit { k, _ := member(r.IntN(size)); return set(k, fmt.Sprintf("%052d", r.Int())) }},
		{"insert", func(r *rand.Rand) Edit {
			k, v := member(r.IntN(size))
			return set(fmt.Sprintf("%s%06d", k[:20+r.IntN(len(k)-20)], r.IntN(1e6)), v)
		}},
		{"remove", func(r *rand.Rand) Edit { k, _ := member(r.IntN(size)); return del(k) }},
	} {
		most, sum, nodes, again := 0, 0, 0, 0
		for range edits {
			s.reset()
			after := s.apply(t, root, kind.edit(r))
			most, sum, nodes, again = max(most, s.wrote), sum+s.wrote, max(nodes, s.puts), again+s.again
			if after.IsZero() {
				t.Fatal("no root")
			}
		}
		t.Logf("%s: at most %d bytes in %d nodes, %d on average", kind.name, most, nodes, sum/edits)
		if most > limit {
			t.Errorf("%s: one edit wrote %d bytes, at most %d", kind.name, most, limit)
		}
	}
}
