package search

import (
	"encoding/binary"
	"fmt"
	"slices"

	"hearth/homeserver/store"
)

// segment is a part of the index that was written at once.
type segment struct {
	id    uint64
	level uint64    // 0 as it was first written, one more with each merge
	upTo  store.Pos // the position of the log up to which it was made
	size  uint64    // entries
}

// dead is an event whose entries, in segments that were made before at, are to be removed.
type dead struct {
	spot
	at store.Pos
}

// manifest says what the index consists of. It is one row.
type manifest struct {
	pos      store.Pos // everything up to here is in the segments
	next     uint64    // the next segment's id
	segments []segment // oldest first
	dead     []dead
}

const manifestVersion = 1

// appendManifest writes the value of the manifest's row, see the package's comment.
func appendManifest(dst []byte, m *manifest) []byte {
	dst = append(dst, manifestVersion)
	put := func(values ...uint64) {
		for _, v := range values {
			dst = binary.AppendUvarint(dst, v)
		}
	}
	put(uint64(m.pos), m.next, uint64(len(m.segments)))
	for _, s := range m.segments {
		put(s.id, s.level, uint64(s.upTo), s.size)
	}
	for _, d := range m.dead {
		put(uint64(d.room), uint64(d.pos), uint64(d.at))
	}
	return dst
}

func readManifest(data []byte) (*manifest, error) {
	m := &manifest{}
	if len(data) == 0 || data[0] != manifestVersion {
		return nil, fmt.Errorf("reading the search index: %w", errMalformed)
	}
	r := chunkReader{data: data[1:]}
	failed := false
	get := func() uint64 {
		v, err := r.uvarint()
		failed = failed || err != nil
		return v
	}
	m.pos, m.next = store.Pos(get()), get()
	for n := get(); n > 0 && !failed; n-- {
		m.segments = append(m.segments, segment{get(), get(), store.Pos(get()), get()})
	}
	for len(r.data) > 0 && !failed {
		m.dead = append(m.dead, dead{spot{store.RoomNum(get()), store.Pos(get())}, store.Pos(get())})
	}
	if failed {
		return nil, fmt.Errorf("reading the search index: %w", errMalformed)
	}
	return m, nil
}

func (m *manifest) clone() *manifest {
	c := *m
	c.segments, c.dead = slices.Clone(m.segments), slices.Clone(m.dead)
	return &c
}

// fanIn is how many segments of one level are merged into one of the next.
const fanIn = 16

// due returns segments that are to be merged: neighbours of one level, nil if there are not enough.
func (m *manifest) due() []segment {
	for i := 0; i+fanIn <= len(m.segments); i++ {
		run := m.segments[i : i+fanIn]
		if !slices.ContainsFunc(run, func(s segment) bool { return s.level != run[0].level }) {
			return slices.Clone(run)
		}
	}
	return nil
}

// replace puts what segments were merged into in their place; an empty one is left out.
func (m *manifest) replace(old []segment, merged segment) {
	at := slices.IndexFunc(m.segments, func(s segment) bool { return s.id == old[0].id })
	m.segments = slices.Delete(m.segments, at, at+len(old))
	if merged.size > 0 {
		m.segments = slices.Insert(m.segments, at, merged)
	}
}
