package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"hearth/matrix"
	"hearth/storage/blob"
)

const (
	tableThreads      = "thr"
	tableParticipants = "thp"
)

// Thread is a thread of a room.
type Thread struct {
	Root Order
	Last Order // its newest event
}

// MoveThread notes that the newest event of the thread with this root is last and no longer was. 0 is none: the
// thread is new, or it has ended.
func (tx *Tx) MoveThread(room RoomNum, root, was, last Order) {
	if was == last {
		return
	}
	if was != 0 {
		tx.Delete(tableThreads, Place(room, was))
	}
	if last != 0 {
		tx.Set(tableThreads, Place(room, last), orderKey(nil, root))
	}
}

// Threads yields the threads of a room whose newest events have an order below before, the newest first.
func (s *Store) Threads(ctx context.Context, room RoomNum, before Order) iter.Seq2[Thread, error] {
	return func(yield func(Thread, error) bool) {
		r := blob.Range{Table: tableThreads, From: Place(room, MinOrder), To: Place(room, before), Reverse: true}
		for row, err := range s.backend.Scan(ctx, r) {
			if err == nil && (len(row.Key) != 16 || len(row.Value) != 8) {
				err = errMalformed
			}
			if err != nil {
				yield(Thread{}, fmt.Errorf("reading threads: %w", err))
				return
			}
			if !yield(Thread{Root: readOrder(row.Value), Last: readOrder(row.Key[8:])}, nil) {
				return
			}
		}
	}
}

func participants(room RoomNum, user matrix.UserID) []byte {
	k := binary.BigEndian.AppendUint64(make([]byte, 0, 17+len(user)), uint64(room))
	return append(append(k, user...), 0)
}

// JoinThread notes that a user takes part in the thread with this root.
func (tx *Tx) JoinThread(room RoomNum, user matrix.UserID, root Order) {
	tx.Set(tableParticipants, orderKey(participants(room, user), root), []byte{})
}

// LeaveThread notes that a user does not take part in the thread any more.
func (tx *Tx) LeaveThread(room RoomNum, user matrix.UserID, root Order) {
	tx.Delete(tableParticipants, orderKey(participants(room, user), root))
}

// ThreadsOf yields the roots of the threads of a room in which a user takes part, by their order.
func (s *Store) ThreadsOf(ctx context.Context, room RoomNum, user matrix.UserID) iter.Seq2[Order, error] {
	return func(yield func(Order, error) bool) {
		prefix := participants(room, user)
		for row, err := range s.backend.Scan(ctx, blob.Prefix(tableParticipants, prefix)) {
			if err == nil && len(row.Key) != len(prefix)+8 {
				err = errMalformed
			}
			if err != nil {
				yield(0, fmt.Errorf("reading the threads of %s: %w", user, err))
				return
			}
			if !yield(readOrder(row.Key[len(prefix):]), nil) {
				return
			}
		}
	}
}

// InThreads reports for each root whether a user takes part in the thread.
func (s *Store) InThreads(ctx context.Context, room RoomNum, user matrix.UserID, roots ...Order) ([]bool, error) {
	keys := make([]blob.RowKey, len(roots))
	for i, root := range roots {
		keys[i] = blob.RowKey{Table: tableParticipants, Key: orderKey(participants(room, user), root)}
	}
	rows, err := s.Rows(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("reading the threads of %s: %w", user, err)
	}
	out := make([]bool, len(roots))
	for i, row := range rows {
		out[i] = row != nil
	}
	return out, nil
}
