package merkle

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"hearth/storage/blob"
)

// shape is what a tree looks like.
type shape struct{ height, leaves, largestLeaf, largestInner int }

func shapeOf(t *testing.T, s *nodes, root blob.Hash) (out shape) {
	t.Helper()
	for h, err := range Nodes(t.Context(), s, root) {
		if err != nil {
			t.Fatal(err)
		}
		d, err := parse(s.blobs[h])
		if err != nil {
			t.Fatal(err)
		}
		out.height = max(out.height, d.level()+1)
		if d.level() == 0 {
			out.leaves++
			out.largestLeaf = max(out.largestLeaf, len(d.raw))
		} else {
			out.largestInner = max(out.largestInner, len(d.raw))
		}
	}
	return out
}

// grind returns n keys in order of which the priorities on all of these levels rise in runs of the given length, as an
// attacker would choose them to make as many nodes as possible.
func grind(n, run int, levels ...int) []string {
	keys := make([]string, n)
	for i := range keys {
		key := fmt.Appendf(nil, "m.room.member\x00@%06d-", i)
		for nonce := int64(0); keys[i] == ""; nonce++ {
			try := append(strconv.AppendInt(key[:len(key):len(key)], nonce, 36), ":evil.example"...)
			good := true
			for j := 0; good && j < len(levels); j++ {
				good = priority(levels[j], try, nil)>>32*uint64(run)>>32 == uint64(i%run)
			}
			if good {
				keys[i] = string(try)
			}
		}
	}
	return keys
}

// hostile are sets of keys that break other shapes of trees.
func hostile() map[string][]string {
	none := make([]string, 0, 3000) // keys that would be boundaries of no tree that cuts at rare hashes
	for i := 0; len(none) < cap(none); i++ {
		if key := fmt.Sprintf("m.room.member\x00@%06d:evil.example", i); priority(0, []byte(key), nil)>>62 == 0 {
			none = append(none, key)
		}
	}
	var nested, long, tries []string
	for i := range 1000 {
		nested = append(nested, strings.Repeat("a", i))
		long = append(long, strings.Repeat("a", MaxKey-4)+fmt.Sprintf("%04d", i))
		tries = append(tries, strings.Repeat("\x00", i)+"\x01")
	}
	return map[string][]string{
		"low priorities": none, "each a prefix of the next": nested, "as long as may be": long, "a deep trie": tries,
		"rising on level 0": grind(3000, 100, 0), "rising on level 1": grind(3000, 100, 1),
		"rising on levels 0 and 1": grind(800, 30, 0, 1), "rising once": grind(500, 500, 0),
		"rising on levels 0 to 2": grind(160, 15, 0, 1, 2),
	}
}

// TestHostileKeys puts keys chosen against the tree among 20,000 ordinary ones and looks at the largest nodes, at the
// height, and at what one edit writes.
func TestHostileKeys(t *testing.T) {
	ordinary := newNodes()
	honest := shapeOf(t, ordinary, ordinary.build(t, members(20_000))).height
	for name, keys := range hostile() {
		t.Run(name, func(t *testing.T) {
			s, m := newNodes(), members(20_000)
			longest := 0
			for i, k := range keys {
				m[k] = fmt.Sprintf("%052d", i)
				longest = max(longest, len(k))
			}
			root := s.build(t, m)
			sh := shapeOf(t, s, root)
			inner := headSize + fanLimit*(startSize+refSize+longest)
			leaf := headSize + max(leafLimit, longest+56)
			if sh.largestLeaf > leaf || sh.largestInner > inner {
				t.Errorf("leaves up to %d bytes (at most %d), inner nodes up to %d (at most %d)", sh.largestLeaf, leaf, sh.largestInner, inner)
			}
			if sh.height > honest+3 {
				t.Errorf("%d levels, %d without these keys", sh.height, honest)
			}
			most := mostWritten(t, s, root, keys)
			limit := 16 << 10
			if longest > 100 {
				limit = 32 << 10
			}
			if most > limit {
				t.Errorf("one edit wrote %d bytes, at most %d", most, limit)
			}
			t.Logf("%+v, one edit writes up to %d bytes", sh, most)
		})
	}
}

// mostWritten edits each key alone and returns what the worst edit wrote.
func mostWritten(t *testing.T, s *nodes, root blob.Hash, keys []string) (most int) {
	t.Helper()
	for i := 0; i < len(keys); i += 1 + len(keys)/700 {
		k := keys[i]
		for _, e := range []Edit{del(k), set(k, "other"), set(k[:len(k)-i%2]+"\x01", "new")} {
			if len(e.Key) > MaxKey {
				continue
			}
			s.reset()
			s.apply(t, root, e)
			most = max(most, s.wrote)
		}
	}
	return most
}
