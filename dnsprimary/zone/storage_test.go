package zone

import (
	"context"
	"strings"
	"testing"

	"hearth/storage/blob"
	"hearth/storage/merkle"
)

// blobs is a store of nodes in memory.
type blobs map[blob.Hash][]byte

func (b blobs) put(data []byte) blob.Hash {
	h := blob.Sum(data)
	b[h] = data
	return h
}

func (b blobs) Get(_ context.Context, hashes ...blob.Hash) ([][]byte, error) {
	var all [][]byte
	for _, h := range hashes {
		all = append(all, b[h])
	}
	return all, nil
}

// TestAZoneInStorage stores a zone as a map, and a second version as the entries that differ: the map is that of the
// second version as it would be stored anew.
func TestAZoneInStorage(t *testing.T) {
	a := mustZone(t, "example.org.", everything)
	b := mustZone(t, "example.org.", strings.NewReplacer("192.0.2.1", "192.0.2.99", "ds ", "ds2 ", "2024010101", "2024010102").Replace(everything))
	store := blobs{}
	rootA, err := merkle.Build(a.Entries(), store.put)
	if err != nil {
		t.Fatal(err)
	}
	var edits []merkle.Edit
	for e := range EntriesOf(a, b) {
		edits = append(edits, merkle.Edit(e))
	}
	rootB, err := merkle.Apply(t.Context(), store, rootA, edits, store.put)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := merkle.Build(b.Entries(), store.put); err != nil || rootB != want || rootB == rootA {
		t.Errorf("the root is %s, want %s, %v", rootB, want, err)
	}
	loaded, err := Load(b.Origin(), func(yield func(key, value []byte) bool) {
		for e, err := range merkle.Scan(t.Context(), store, rootB, nil, nil) {
			if err != nil {
				t.Error(err)
			}
			if !yield(e.Key, e.Value) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, loaded, b)
}
