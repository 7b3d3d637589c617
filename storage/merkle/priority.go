package merkle

import (
	"encoding/binary"

	"golang.org/x/crypto/blake2b"
)

// priority returns the priority on a level of the key that is prefix and suffix joined.
func priority(level int, prefix, suffix []byte) uint64 {
	var buf [1 + MaxKey]byte
	buf[0] = byte(level)
	n := 1 + copy(buf[1:], prefix)
	n += copy(buf[n:], suffix)
	sum := blake2b.Sum256(buf[:n])
	return binary.BigEndian.Uint64(sum[:])
}

// unit is an item, or the items of a whole node of which only the first can be a boundary: the others have less
// priority than it and than the next node's first.
type unit struct {
	priority uint64
	weight   int
}

// row is a sequence of units. at returns false beyond either end.
type row interface{ at(i int) (unit, bool) }

// starts reports whether the unit at i begins a node: whether it, the units around it of less priority, and the first
// one before these, together weigh more than limit. Of equal priorities the later counts as more.
func starts(r row, i, limit int) bool {
	u, _ := r.at(i)
	if _, ok := r.at(i - 1); !ok {
		return true // the first of its level
	}
	sum := u.weight
	for j := i - 1; sum <= limit; j-- {
		v, ok := r.at(j)
		if !ok {
			break
		}
		sum += v.weight
		if v.priority > u.priority {
			break
		}
	}
	for j := i + 1; sum <= limit; j++ {
		v, ok := r.at(j)
		if !ok || v.priority >= u.priority {
			break
		}
		sum += v.weight
	}
	return sum > limit
}

// units is a row that is all there.
type units []unit

func (r units) at(i int) (unit, bool) {
	if i < 0 || i >= len(r) {
		return unit{}, false
	}
	return r[i], true
}

// split cuts items, whose first begins a node and which end where another begins, into nodes.
func split(level int, items []item) [][]item {
	limit := limitOf(level)
	if weighAll(level, items) <= limit {
		return [][]item{items}
	}
	r := make(units, len(items))
	for i := range r {
		r[i].weight = items[i].weigh(level)
		if i > 0 { // the first ends all others' reach, whatever its priority
			r[i].priority = priority(level, items[i].key, nil)
		}
	}
	var out [][]item
	from := 0
	for i := 1; i < len(items); i++ {
		if starts(r, i, limit) {
			out = append(out, items[from:i:i])
			from = i
		}
	}
	return append(out, items[from:])
}
