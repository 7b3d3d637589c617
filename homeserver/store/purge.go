package store

import (
	"bytes"
	"context"
	"fmt"

	"hearth/storage/blob"
)

// purgePage is how many rows one change of a purge removes.
const purgePage = 500

// RemoveRows removes the rows of a table whose keys have the prefix, in changes of bounded size.
func (s *Store) RemoveRows(ctx context.Context, table string, prefix []byte) error {
	for {
		r := blob.Prefix(table, prefix)
		r.Limit = purgePage
		var keys [][]byte
		for row, err := range s.backend.Scan(ctx, r) {
			if err != nil {
				return fmt.Errorf("removing rows of %s: %w", table, err)
			}
			keys = append(keys, bytes.Clone(row.Key))
		}
		if len(keys) == 0 {
			return nil
		}
		if _, err := s.Apply(ctx, func(tx *Tx) {
			for _, k := range keys {
				tx.Delete(table, k)
			}
		}); err != nil {
			return fmt.Errorf("removing rows of %s: %w", table, err)
		}
	}
}

// PurgeEvents removes the events of a room, with their relations and threads, except those that keep wants; in
// changes of bounded size, so that it can be stopped at any of them and done again. Nobody may write to the room
// meanwhile. The nodes of its states stay.
func (s *Store) PurgeEvents(ctx context.Context, room RoomNum, keep func(*Event) bool) error {
	from := Place(room, MinOrder)
	for from != nil {
		var rows []blob.RowKey
		var err error
		if rows, from, err = s.purgeable(ctx, room, from, keep); err != nil {
			return fmt.Errorf("purging room %d: %w", room, err)
		}
		if len(rows) == 0 {
			continue
		}
		if _, err := s.Apply(ctx, func(tx *Tx) {
			for _, r := range rows {
				tx.Delete(r.Table, r.Key)
			}
		}); err != nil {
			return fmt.Errorf("purging room %d: %w", room, err)
		}
	}
	for _, table := range []string{tableRelations, tableThreads, tableParticipants} {
		if err := s.RemoveRows(ctx, table, key8(uint64(room))); err != nil {
			return err
		}
	}
	s.events.clear()
	return nil
}

// purgeable lists the rows of a page of events, and where the next page begins, nil after the last.
func (s *Store) purgeable(ctx context.Context, room RoomNum, from []byte, keep func(*Event) bool) (rows []blob.RowKey, next []byte, err error) {
	r := blob.Range{Table: tableEvents, From: from, To: Place(room, MaxOrder), Limit: purgePage}
	read := 0
	kept := MinOrder // the order of the newest event that was kept
	for row, err := range s.backend.Scan(ctx, r) {
		if err == nil && len(row.Key) != 17 {
			err = errMalformed
		}
		if err != nil {
			return nil, nil, err
		}
		read++
		next = append(append(make([]byte, 0, 18), row.Key...), 0)
		order := readOrder(row.Key[8:16])
		if row.Key[16] == 0 {
			e, err := readEvent(room, order, row.Value)
			if err == nil && keep(e) {
				kept = order
				continue
			}
			if err == nil { // what cannot be read has no other rows that could be found
				rows = append(rows, blob.RowKey{Table: tableIDs, Key: []byte(e.ID)})
			}
		}
		if order != kept {
			rows = append(rows, blob.RowKey{Table: tableEvents, Key: bytes.Clone(row.Key)})
		}
	}
	if read < purgePage {
		next = nil
	}
	return rows, next, nil
}
