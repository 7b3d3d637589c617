package merkle

import (
	"bytes"
	"context"
	"iter"

	"hearth/storage/blob"
)

// Resolve decides about a key that two maps changed differently. It gets the value in the common base and in both
// maps, nil where the key is absent, and returns the merged value, nil for none.
type Resolve func(key, base, a, b []byte) ([]byte, error)

// Merge returns the root of the map that has both the changes from base to a and those from base to b, and calls put as
// Apply does for the nodes that a lacks. It costs what the two differences are, and keeps that to b in memory.
func Merge(ctx context.Context, src blob.Getter, base, a, b blob.Hash, resolve Resolve, put func(data []byte) blob.Hash) (blob.Hash, error) {
	switch {
	case a == b || b == base:
		return a, nil
	case a == base:
		return b, nil
	}
	ours, stop := iter.Pull2(Diff(ctx, src, base, a))
	defer stop()
	var edits []Edit
	mine, err, ok := ours()
	for theirs, failed := range Diff(ctx, src, base, b) {
		if failed != nil {
			return blob.Hash{}, failed
		}
		for ok && err == nil && bytes.Compare(mine.Key, theirs.Key) < 0 {
			mine, err, ok = ours()
		}
		if err != nil {
			return blob.Hash{}, err
		}
		value := theirs.B
		if ok && bytes.Equal(mine.Key, theirs.Key) {
			if same(mine.B, theirs.B) {
				continue
			}
			if value, err = resolve(theirs.Key, theirs.A, mine.B, theirs.B); err != nil {
				return blob.Hash{}, err
			}
		}
		edits = append(edits, Edit{theirs.Key, value})
	}
	return Apply(ctx, src, a, edits, put)
}

// same reports whether two values are equal, nil being none.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
