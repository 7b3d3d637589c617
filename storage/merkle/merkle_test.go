package merkle

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"hearth/storage/blob"
)

// nodes is a store of nodes that counts.
type nodes struct {
	blobs  map[blob.Hash][]byte
	puts   int // nodes put
	wrote  int // bytes put
	again  int // nodes put that were there
	reads  int // nodes read
	calls  int // calls of Get
	forget map[blob.Hash]bool
}

func newNodes() *nodes { return &nodes{blobs: map[blob.Hash][]byte{}} }

func (s *nodes) put(data []byte) blob.Hash {
	h := blob.Sum(data)
	if s.blobs[h] != nil {
		s.again++
	}
	s.blobs[h] = data
	s.puts++
	s.wrote += len(data)
	return h
}

func (s *nodes) Get(_ context.Context, hashes ...blob.Hash) ([][]byte, error) {
	s.calls++
	s.reads += len(hashes)
	out := make([][]byte, len(hashes))
	for i, h := range hashes {
		if !s.forget[h] {
			out[i] = s.blobs[h]
		}
	}
	return out, nil
}

func (s *nodes) reset() { s.puts, s.wrote, s.again, s.reads, s.calls = 0, 0, 0, 0, 0 }

func (s *nodes) apply(t testing.TB, root blob.Hash, edits ...Edit) blob.Hash {
	t.Helper()
	h, err := Apply(context.Background(), s, root, edits, s.put)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (s *nodes) build(t testing.TB, m map[string]string) blob.Hash {
	t.Helper()
	h, err := Build(sorted(m), s.put)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func sorted(m map[string]string) iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield([]byte(k), []byte(m[k])) {
				return
			}
		}
	}
}

func set(key, value string) Edit { return Edit{[]byte(key), []byte(value)} }
func del(key string) Edit        { return Edit{[]byte(key), nil} }

// member is the state key and value of one member, as a room's state has it.
func member(i int) (key, value string) {
	return fmt.Sprintf("m.room.member\x00@user%05d:example.org", i), fmt.Sprintf("%08d$%043d", i, i*7)
}

func members(n int) map[string]string {
	m := make(map[string]string, n)
	for i := range n {
		k, v := member(i)
		m[k] = v
	}
	return m
}

func seeded(t testing.TB, seed uint64) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(seed, 1))
}
