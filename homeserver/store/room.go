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
	tableRooms   = "room"
	tableRoomIDs = "rid"
)

// Room is what the store knows of a room beside its events. It is a value: writers put a changed copy.
type Room struct {
	Num     RoomNum
	ID      matrix.RoomID
	Version *matrix.RoomVersion
	State   blob.Hash // root of the current state
	Joined  int64     // members by m.room.member, of all servers
	Invited int64
	// Changed is the position of the newest state event.
	Changed Pos
	// Heads are the forward extremities while there is not exactly one; otherwise the newest event that is
	// neither soft-failed nor rejected is the only one.
	Heads []Order
	// Deleted marks a room that an administrator removed, and Blocked one of which this server's users are kept away.
	Deleted, Blocked bool
}

func (r *Room) size() int { return len(r.ID) + 200 + 8*len(r.Heads) }

// The flags of a room's record.
const (
	roomDeleted = 1 << iota
	roomBlocked
)

// appendRoom writes the value of a "room" row.
func appendRoom(dst []byte, r *Room) []byte {
	var flags byte
	if r.Deleted {
		flags |= roomDeleted
	}
	if r.Blocked {
		flags |= roomBlocked
	}
	dst = append(dst, flags)
	dst = appendString(dst, string(r.ID))
	dst = appendString(dst, string(r.Version.Version))
	dst = append(dst, r.State[:]...)
	dst = binary.AppendVarint(dst, r.Joined)
	dst = binary.AppendVarint(dst, r.Invited)
	dst = binary.AppendUvarint(dst, uint64(r.Changed))
	for _, h := range r.Heads {
		dst = binary.AppendVarint(dst, int64(h))
	}
	return dst
}

func readRoom(num RoomNum, data []byte) (*Room, error) {
	r := &Room{Num: num}
	d := decoder{data: data}
	flags := d.byte()
	r.Deleted, r.Blocked = flags&roomDeleted != 0, flags&roomBlocked != 0
	r.ID = matrix.RoomID(d.string())
	v, ok := matrix.LookupVersion(matrix.Version(d.string()))
	copy(r.State[:], d.fixed(blob.HashSize))
	r.Joined, r.Invited = d.varint(), d.varint()
	r.Changed = Pos(d.uvarint())
	for d.more() {
		r.Heads = append(r.Heads, Order(d.varint()))
	}
	if err := d.end(); err != nil || !ok {
		return nil, fmt.Errorf("reading room %d: %w", num, errMalformed)
	}
	r.Version = v
	return r, nil
}

// PutNewRoom writes a room for the first time.
func (tx *Tx) PutNewRoom(r *Room) {
	tx.Set(tableRoomIDs, []byte(r.ID), key8(uint64(r.Num)))
	tx.PutRoom(r)
}

// PutRoom writes a room that exists.
func (tx *Tx) PutRoom(r *Room) {
	tx.Set(tableRooms, key8(uint64(r.Num)), appendRoom(nil, r))
	tx.rooms = append(tx.rooms, r)
}

// RoomByID returns a room, nil if it is not known.
func (s *Store) RoomByID(ctx context.Context, id matrix.RoomID) (*Room, error) {
	if !fitsKey(string(id)) {
		return nil, nil
	}
	num, ok := s.roomNums.get(id)
	if !ok {
		v, err := s.Row(ctx, tableRoomIDs, []byte(id))
		if err != nil || len(v) != 8 {
			return nil, err
		}
		num = RoomNum(binary.BigEndian.Uint64(v))
		s.roomNums.put(id, num, len(id)+100) // a room keeps its number for ever
	}
	rooms, err := s.RoomsByNum(ctx, num)
	if err != nil {
		return nil, err
	}
	return rooms[0], nil
}

// RoomsByNum returns rooms in the order asked for, nil for each that is not known.
func (s *Store) RoomsByNum(ctx context.Context, nums ...RoomNum) ([]*Room, error) {
	out := make([]*Room, len(nums))
	var keys []blob.RowKey
	var missing []int
	for i, n := range nums {
		if r, ok := s.rooms.get(n); ok {
			out[i] = r
			continue
		}
		missing = append(missing, i)
		keys = append(keys, blob.RowKey{Table: tableRooms, Key: key8(uint64(n))})
	}
	if len(missing) == 0 {
		return out, nil
	}
	epoch := s.rooms.now()
	rows, err := s.Rows(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("reading rooms: %w", err)
	}
	for j, row := range rows {
		if row == nil {
			continue
		}
		r, err := readRoom(nums[missing[j]], row)
		if err != nil {
			return nil, err
		}
		out[missing[j]] = r
		s.rooms.add(epoch, r.Num, r, r.size())
	}
	return out, nil
}

// Rooms yields all rooms by number.
func (s *Store) Rooms(ctx context.Context, after RoomNum) iter.Seq2[*Room, error] {
	return func(yield func(*Room, error) bool) {
		for row, err := range s.backend.Scan(ctx, blob.Range{Table: tableRooms, From: key8(uint64(after + 1))}) {
			if err != nil {
				yield(nil, fmt.Errorf("reading rooms: %w", err))
				return
			}
			if len(row.Key) != 8 {
				yield(nil, fmt.Errorf("reading rooms: %w", errMalformed))
				return
			}
			r, err := readRoom(RoomNum(binary.BigEndian.Uint64(row.Key)), row.Value)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}
