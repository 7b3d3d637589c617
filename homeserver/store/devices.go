package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"hearth/matrix"
	"hearth/storage/blob"
)

const tableDeviceChanges = "devc"

// DeviceChanges yields whose devices or keys changed after a position and up to another, in the order of the changes;
// a user comes once for each change.
func (s *Store) DeviceChanges(ctx context.Context, after, upTo Pos) iter.Seq2[matrix.UserID, error] {
	return func(yield func(matrix.UserID, error) bool) {
		r := blob.Range{Table: tableDeviceChanges, From: key8(uint64(after + 1)), To: key8(uint64(upTo + 1))}
		for row, err := range s.backend.Scan(ctx, r) {
			if err == nil && len(row.Key) != 8 {
				err = errMalformed
			}
			if err != nil {
				yield("", fmt.Errorf("reading whose devices changed after %d: %w", after, err))
				return
			}
			if Pos(binary.BigEndian.Uint64(row.Key)) > upTo {
				return
			}
			if !yield(matrix.UserID(row.Value), nil) {
				return
			}
		}
	}
}
