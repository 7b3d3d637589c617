package badgerstore

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestManifestDetectsEveryFlip compares with what a store wrote; what is cut off at the end is torn, not damaged.
func TestManifestDetectsEveryFlip(t *testing.T) {
	_, closed, _ := damageable(t)
	data, err := os.ReadFile(filepath.Join(closed, "lsm", "MANIFEST"))
	if err != nil {
		t.Fatal(err)
	}
	tables, err := checkManifest(data)
	if err != nil || len(tables) == 0 {
		t.Fatalf("%v, %v", tables, err)
	}
	for i := range len(data) * 8 {
		data[i/8] ^= 1 << (i % 8)
		if _, err := checkManifest(data); err == nil {
			t.Errorf("bit %d of %d is not noticed", i, len(data)*8)
		}
		data[i/8] ^= 1 << (i % 8)
	}
	for n := 8; n < len(data); n++ {
		if _, err := checkManifest(bytes.Clone(data[:n])); err != nil {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}
