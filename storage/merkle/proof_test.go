package merkle

import (
	"bytes"
	"testing"

	"hearth/storage/blob"
)

func prove(t *testing.T, s *nodes, root blob.Hash, key string) Proof {
	t.Helper()
	p, err := Prove(t.Context(), s, root, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProofs(t *testing.T) {
	for _, size := range []int{0, 1, 30, 500, 20_000} {
		s, m := newNodes(), members(size)
		root := s.build(t, m)
		r := seeded(t, 4)
		for i := range 60 {
			key, _ := member(r.IntN(size + 10))
			key = []string{key, key + "\x00", key[:len(key)-1], "", "z"}[max(0, i%12-7)]
			p, err := ParseProof(prove(t, s, root, key).Bytes())
			if err != nil {
				t.Fatal(err)
			}
			value, present, err := p.Verify(root, []byte(key))
			want, ok := m[key]
			if err != nil || present != ok || string(value) != want {
				t.Fatalf("%d entries, %q: %q, %t, %v", size, key, value, present, err)
			}
		}
	}
}

// TestProofsCannotBeForged changes proofs in each byte, and uses them for what they do not prove.
func TestProofsCannotBeForged(t *testing.T) {
	s, m := newNodes(), members(2000)
	root := s.build(t, m)
	key, _ := member(77)
	other, _ := member(1999)
	good := prove(t, s, root, key).Bytes()
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		p, err := ParseProof(bad)
		if err == nil {
			_, _, err = p.Verify(root, []byte(key))
		}
		if blob.KindOf(err) != blob.Invalid {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	p := prove(t, s, root, key)
	changed := s.apply(t, root, set(key, "changed"))
	for name, c := range map[string]struct {
		p    Proof
		root blob.Hash
		key  string
	}{
		"other key":      {p, root, other},
		"other root":     {p, changed, key},
		"empty map":      {p, blob.Hash{}, key},
		"no nodes":       {Proof{}, root, key},
		"leaf left away": {Proof{p.nodes[:len(p.nodes)-1]}, root, key},
		"leaf alone":     {Proof{p.nodes[len(p.nodes)-1:]}, root, key},
		"leaf twice":     {Proof{append(p.nodes[:len(p.nodes):len(p.nodes)], p.nodes[len(p.nodes)-1])}, root, key},
		"other leaf":     {Proof{append(p.nodes[:len(p.nodes)-1:len(p.nodes)-1], prove(t, s, root, other).nodes[len(p.nodes)-1])}, root, key},
	} {
		if _, _, err := c.p.Verify(c.root, []byte(c.key)); blob.KindOf(err) != blob.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range good {
		if _, err := ParseProof(good[:i]); blob.KindOf(err) != blob.Invalid {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	if _, err := ParseProof(append(good, 0)); blob.KindOf(err) != blob.Invalid {
		t.Error(err)
	}
}
