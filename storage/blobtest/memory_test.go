package blobtest_test

import (
	"testing"

	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

func TestMemory(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blob.Store { return blobtest.NewMemory() })
}

func TestMemoryDamage(t *testing.T) {
	m := blobtest.NewMemory()
	var b blob.Batch
	h := b.Put([]byte("x"))
	if err := m.Apply(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	m.Damage(h)
	if _, err := m.Get(t.Context(), h); blob.KindOf(err) != blob.Corrupt {
		t.Fatalf("damaged blob was read: %v", err)
	}
	v, err := m.Verify(t.Context(), func(d blob.Damage) {
		if d.What != "blob" || d.Name != h.String() {
			t.Errorf("damage is %+v", d)
		}
	})
	if err != nil || v.Damaged != 1 {
		t.Fatalf("verified %+v, %v", v, err)
	}
	if err := m.Apply(t.Context(), &b); err != nil { // putting it again heals it
		t.Fatal(err)
	}
	if _, err := m.Get(t.Context(), h); err != nil {
		t.Fatal(err)
	}
}
