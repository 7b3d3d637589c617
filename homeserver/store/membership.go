package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"hearth/matrix"
	"hearth/storage/blob"
)

const tableMemberships = "mem"

// Membership is a user's place in a room, kept for local users so that their rooms are found without reading
// every room.
type Membership struct {
	Room       RoomNum
	Membership string // "join", "invite", "knock", "leave", "ban"
	Order      Order  // of the member event that says so
	Pos        Pos    // of that event, or of the forgetting
	Since      Order  // of the member event with which the present stay (join) began
	Previous   string // the membership before this one, "" if none
	Forgotten  bool   // the user asked not to see the room again
	// Ended is the order of the event that ended the user's newest stay (join), 0 if there was none or it lasts,
	// and Left the room's state then: what the user may still see.
	Ended Order
	Left  blob.Hash
}

func membershipKey(user matrix.UserID, room RoomNum) []byte {
	k := append(make([]byte, 0, len(user)+9), user...)
	return binary.BigEndian.AppendUint64(append(k, 0), uint64(room))
}

// PutMembership writes a local user's membership.
func (tx *Tx) PutMembership(user matrix.UserID, m *Membership) {
	tx.Set(tableMemberships, membershipKey(user, m.Room), appendMembership(make([]byte, 0, 80), m))
}

func appendMembership(v []byte, m *Membership) []byte {
	v = appendString(v, m.Membership)
	v = appendString(v, m.Previous)
	v = binary.AppendVarint(v, int64(m.Order))
	v = binary.AppendVarint(v, int64(m.Since))
	v = binary.AppendUvarint(v, uint64(m.Pos))
	var flags byte
	if m.Forgotten {
		flags |= 1
	}
	if m.Ended != 0 {
		flags |= 2
	}
	v = append(v, flags)
	if m.Ended != 0 {
		v = binary.AppendVarint(v, int64(m.Ended))
		v = append(v, m.Left[:]...)
	}
	return v
}

func readMembership(room RoomNum, data []byte) (*Membership, error) {
	m := &Membership{Room: room}
	d := decoder{data: data}
	m.Membership, m.Previous = d.string(), d.string()
	m.Order, m.Since = Order(d.varint()), Order(d.varint())
	m.Pos = Pos(d.uvarint())
	flags := d.byte()
	m.Forgotten = flags&1 != 0
	if flags&2 != 0 {
		m.Ended = Order(d.varint())
		copy(m.Left[:], d.fixed(blob.HashSize))
	}
	if err := d.end(); err != nil {
		return nil, fmt.Errorf("reading membership in room %d: %w", room, err)
	}
	return m, nil
}

// Membership returns a local user's membership in a room, nil if there never was one.
func (s *Store) Membership(ctx context.Context, user matrix.UserID, room RoomNum) (*Membership, error) {
	v, err := s.Row(ctx, tableMemberships, membershipKey(user, room))
	if err != nil || v == nil {
		return nil, err
	}
	return readMembership(room, v)
}

// Memberships yields all rooms that a local user is or was in, forgotten ones included.
func (s *Store) Memberships(ctx context.Context, user matrix.UserID) iter.Seq2[*Membership, error] {
	return func(yield func(*Membership, error) bool) {
		prefix := append([]byte(user), 0)
		for row, err := range s.backend.Scan(ctx, blob.Prefix(tableMemberships, prefix)) {
			if err != nil {
				yield(nil, fmt.Errorf("reading the rooms of %s: %w", user, err))
				return
			}
			if len(row.Key) != len(prefix)+8 {
				yield(nil, fmt.Errorf("reading the rooms of %s: %w", user, errMalformed))
				return
			}
			m, err := readMembership(RoomNum(binary.BigEndian.Uint64(row.Key[len(prefix):])), row.Value)
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}
