package search

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"

	"hearth/homeserver/store"
)

// level says how well an event answers to one of its words, and for names and topics what it is.
type level uint8

// The levels. A message's are what BM25 gives for a word that occurs so often in a text so long, in six steps.
const (
	levelName  level = 0
	levelTopic level = 1
	levelBody  level = 2 // and the five above
	maxLevel   level = 7
)

// points is what a level is worth when results are ordered by rank.
func (l level) points() int {
	if l < levelBody {
		return 4
	}
	return int(l-levelBody) + 1
}

// spot is where a word occurs: an event, by its room and its position in the log.
type spot struct {
	room store.RoomNum
	pos  store.Pos
}

func (s spot) compare(o spot) int {
	return cmp.Or(cmp.Compare(s.room, o.room), cmp.Compare(s.pos, o.pos))
}

// entry is a posting: a word occurs at a spot.
type entry struct {
	term string
	spot
	level level
}

func (e *entry) compare(o *entry) int {
	return cmp.Or(cmp.Compare(e.term, o.term), e.spot.compare(o.spot))
}

// maxChunk is the size at which a chunk is full, in bytes.
const maxChunk = 4 << 10

// chunk collects entries, which come in order, in the form of a row's value.
type chunk struct {
	first, last entry
	data        []byte
	count       int
}

// What the step of an entry says has changed since the one before it.
const (
	samePlace = 0 // nothing but the position
	otherRoom = 1
	otherTerm = 2 // and room
)

// add appends an entry, see the package's comment.
func (c *chunk) add(e entry) {
	head := func(delta, step uint64) {
		c.data = binary.AppendUvarint(c.data, delta<<5|uint64(e.level)<<2|step)
	}
	switch {
	case c.count == 0 || e.term != c.last.term:
		head(uint64(e.pos), otherTerm)
		c.data = binary.AppendUvarint(c.data, uint64(e.room))
		same := shared(c.last.term, e.term)
		c.data = append(c.data, byte(same), byte(len(e.term)-same))
		c.data = append(c.data, e.term[same:]...)
	case e.room != c.last.room:
		head(uint64(e.pos), otherRoom)
		c.data = binary.AppendUvarint(c.data, uint64(e.room-c.last.room))
	default:
		head(uint64(e.pos-c.last.pos), samePlace)
	}
	if c.count == 0 {
		c.first = e
	}
	c.last = e
	c.count++
}

// shared returns the length of the longest common prefix.
func shared(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

var errMalformed = errors.New("malformed record")

// chunkReader reads a chunk's entries one after the other.
type chunkReader struct {
	data []byte
	last entry
	any  bool
}

// next returns the next entry; ok is false at the end.
func (r *chunkReader) next() (e entry, ok bool, err error) {
	if len(r.data) == 0 {
		return entry{}, false, nil
	}
	e, err = r.read()
	if err != nil {
		return entry{}, false, fmt.Errorf("reading a part of the search index: %w", err)
	}
	if r.any && e.compare(&r.last) <= 0 {
		return entry{}, false, fmt.Errorf("reading a part of the search index: %w: not in order", errMalformed)
	}
	r.last, r.any = e, true
	return e, true, nil
}

func (r *chunkReader) read() (e entry, err error) {
	head, err := r.uvarint()
	if err != nil {
		return e, err
	}
	e.level = level(head >> 2 & 7)
	delta := head >> 5
	e.term, e.room, e.pos = r.last.term, r.last.room, store.Pos(delta)
	switch head & 3 {
	case samePlace:
		e.pos += r.last.pos
		if !r.any || e.pos < r.last.pos {
			return e, errMalformed
		}
	case otherRoom:
		room, err := r.uvarint()
		if err != nil || !r.any {
			return e, errMalformed
		}
		e.room += store.RoomNum(room)
	case otherTerm:
		room, err := r.uvarint()
		if err != nil {
			return e, err
		}
		e.room = store.RoomNum(room)
		e.term, err = r.term()
		return e, err
	default:
		return e, errMalformed
	}
	return e, nil
}

func (r *chunkReader) term() (string, error) {
	if len(r.data) < 2 {
		return "", errMalformed
	}
	same, more := int(r.data[0]), int(r.data[1])
	r.data = r.data[2:]
	if same > len(r.last.term) || more > len(r.data) || same+more == 0 || same+more > maxWord {
		return "", errMalformed
	}
	term := r.last.term[:same] + string(r.data[:more])
	r.data = r.data[more:]
	return term, nil
}

func (r *chunkReader) uvarint() (uint64, error) {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		return 0, errMalformed
	}
	r.data = r.data[n:]
	return v, nil
}

// chunkKey is the key of the chunk that begins with an entry: the segment, the term, a 0, room and position.
func chunkKey(segment uint64, term string, s spot) []byte {
	k := binary.BigEndian.AppendUint64(make([]byte, 0, 25+len(term)), segment)
	k = append(append(k, term...), 0)
	k = binary.BigEndian.AppendUint64(k, uint64(s.room))
	return binary.BigEndian.AppendUint64(k, uint64(s.pos))
}
