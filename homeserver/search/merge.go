package search

import (
	"context"
	"encoding/binary"
	"slices"

	"hearth/homeserver/store"
	"hearth/storage/blob"
)

func beUint64(key []byte) uint64 { return binary.BigEndian.Uint64(key) }

// merge writes the entries of segments, the oldest first, as one segment.
func (x *Index) merge(ctx context.Context, id uint64, old []segment, gone []dead) *outcome {
	merged := segment{id: id, level: old[0].level + 1, upTo: old[len(old)-1].upTo}
	size, err := x.mergeInto(ctx, id, old, gone)
	if err != nil {
		return &outcome{err: err, old: []uint64{id}}
	}
	merged.size = size
	out := &outcome{apply: func(m *manifest) { m.replace(old, merged) }}
	for _, s := range old {
		out.old = append(out.old, s.id)
	}
	return out
}

func (x *Index) mergeInto(ctx context.Context, id uint64, old []segment, gone []dead) (size uint64, err error) {
	var heads []head
	for i, s := range old {
		h := head{reader: &segmentReader{x: x, id: s.id, drop: dropped(s, gone, nil)}, age: i}
		if err := h.forward(ctx, &heads); err != nil {
			return 0, err
		}
	}
	w := chunkWriter{id: id}
	var last *entry
	for len(heads) > 0 {
		i := least(heads)
		e, h := heads[i].entry, heads[i]
		heads = slices.Delete(heads, i, i+1)
		if err := h.forward(ctx, &heads); err != nil {
			return 0, err
		}
		if last != nil && last.compare(&e) == 0 {
			continue
		}
		last = &e
		w.add(e)
		size++
		if len(w.rows) == page {
			if err := x.write(ctx, w.rows); err != nil {
				return 0, err
			}
			w.rows = nil
		}
	}
	return size, x.write(ctx, w.end())
}

// head is the next entry of one of the segments that are merged.
type head struct {
	entry
	reader *segmentReader
	age    int // higher is newer
}

// forward reads the next entry and puts the head back, unless there is none.
func (h head) forward(ctx context.Context, heads *[]head) error {
	e, ok, err := h.reader.next(ctx)
	if err == nil && ok {
		h.entry = e
		*heads = append(*heads, h)
	}
	return err
}

// least returns which head is the first, the newest of those that are the same.
func least(heads []head) int {
	best := 0
	for i := 1; i < len(heads); i++ {
		c := heads[i].compare(&heads[best].entry)
		if c < 0 || c == 0 && heads[i].age > heads[best].age {
			best = i
		}
	}
	return best
}

// dropped returns which entries of a segment are to be removed.
func dropped(s segment, gone []dead, rooms map[store.RoomNum]bool) func(spot) bool {
	events := make(map[spot]bool)
	for _, d := range gone {
		if s.upTo < d.at {
			events[d.spot] = true
		}
	}
	return func(at spot) bool { return events[at] || rooms[at.room] }
}

// sweep rewrites the chunks that hold entries of what was redacted, and of rooms that were deleted.
func (x *Index) sweep(ctx context.Context, m *manifest) *outcome {
	rooms, err := x.deletedRooms(ctx)
	if err != nil || len(rooms) == 0 && len(m.dead) == 0 {
		return &outcome{err: err}
	}
	for _, s := range m.segments {
		if err := x.sweepSegment(ctx, s.id, dropped(s, m.dead, rooms)); err != nil {
			return &outcome{err: err}
		}
	}
	return &outcome{apply: func(now *manifest) {
		now.dead = now.dead[len(m.dead):] // more may have come behind them
		for r := range rooms {
			x.swept[r] = true
		}
	}}
}

// deletedRooms returns the rooms that were deleted and not swept since the program began.
func (x *Index) deletedRooms(ctx context.Context) (map[store.RoomNum]bool, error) {
	out := make(map[store.RoomNum]bool)
	for r, err := range x.store.Rooms(ctx, 0) {
		if err != nil {
			return nil, err
		}
		if r.Deleted && !x.swept[r.Num] {
			out[r.Num] = true
		}
	}
	return out, nil
}

// sweepSegment removes entries from a segment's chunks where they are. A chunk keeps its key, which stands before its
// first entry all the same.
func (x *Index) sweepSegment(ctx context.Context, id uint64, drop func(spot) bool) error {
	r := &segmentReader{x: x, id: id}
	for {
		rows, err := r.page(ctx)
		if err != nil || len(rows) == 0 {
			return err
		}
		var changed []blob.Row
		for _, row := range rows {
			value, some, err := without(row.Value, drop)
			if err != nil {
				return err
			}
			if some {
				row.Value = value
				changed = append(changed, row)
			}
		}
		if len(changed) > 0 {
			if err := x.write(ctx, changed); err != nil {
				return err
			}
		}
	}
}

// without returns a chunk without the entries that are to be dropped, nil if none is left, and whether there were some.
func without(data []byte, drop func(spot) bool) (value []byte, some bool, err error) {
	r, out := chunkReader{data: data}, chunk{}
	for {
		e, ok, err := r.next()
		if err != nil || !ok {
			return out.data, some, err
		}
		if drop(e.spot) {
			some = true
			continue
		}
		out.add(e)
	}
}
