package merkle

import (
	"hearth/storage/blob"
)

// Limits of a map, in bytes. What exceeds one fails with kind blob.TooLarge and changes nothing.
const (
	MaxKey   = blob.MaxKey // one key; may be empty
	MaxValue = 512 << 10   // one value; may be empty
)

// What shapes the tree: part of the format, as each decides where nodes begin. The package comment explains them.
const (
	leafLimit  = 1024 // weight of a leaf of several entries
	fanLimit   = 12   // children of an interior node
	smallCount = 32   // entries of a map that is one leaf whatever its priorities say
	smallLimit = 4096 // weight of such a map
	maxLevel   = 63   // level of a root; 32 levels more than 2^32 entries need
	maxCount   = 1<<32 - 1
)

// Entry is one record of a map. Its slices must not be changed; they stay valid.
type Entry struct{ Key, Value []byte }

// Edit sets the value of a key, or removes the key if Value is nil. An empty, non-nil Value is a value.
type Edit struct{ Key, Value []byte }

// Change is one difference between two maps: A and B are the key's value in either, nil where it is absent.
type Change struct{ Key, A, B []byte }

func checkKey(op string, key []byte) error {
	if len(key) > MaxKey {
		return blob.Errorf(blob.TooLarge, op, "a key of %d bytes, at most %d", len(key), MaxKey)
	}
	return nil
}

func checkEntry(op string, key, value []byte) error {
	if len(value) > MaxValue {
		return blob.Errorf(blob.TooLarge, op, "a value of %d bytes, at most %d", len(value), MaxValue)
	}
	return checkKey(op, key)
}

func corrupt(h blob.Hash, format string, args ...any) error {
	return blob.Errorf(blob.Corrupt, "reading map node "+h.String(), format, args...)
}
