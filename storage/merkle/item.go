package merkle

import (
	"encoding/binary"

	"hearth/storage/blob"
)

// item is one item of any level, with its whole key: an entry at level 0, a child above.
type item struct {
	key   []byte
	value []byte // level 0
	ref          // above
}

// weigh returns what an item counts against its level's limit. One too heavy for any company weighs the limit and 1.
func (it *item) weigh(level int) int {
	if level > 0 {
		return 1
	}
	return min(len(it.key)+len(it.value)+lenSize+startSize, leafLimit+1)
}

func limitOf(level int) int {
	if level > 0 {
		return fanLimit
	}
	return leafLimit
}

func weighAll(level int, items []item) (sum int) {
	for i := range items {
		sum += items[i].weigh(level)
	}
	return sum
}

// small reports whether these entries, which are all of a map, are one leaf whatever their priorities say.
func small(items []item) bool {
	if len(items) > smallCount {
		return false
	}
	sum := 0
	for i := range items {
		w := items[i].weigh(0)
		sum += w
		if w > leafLimit {
			return false
		}
	}
	return sum <= smallLimit
}

// items returns the node's items with whole keys.
func (d *node) items() []item {
	out := make([]item, d.n)
	arena := make([]byte, 0, d.n*d.p+len(d.raw)-d.body)
	for i := range out {
		from := len(arena)
		arena = d.appendKey(arena, i)
		out[i].key = arena[from:len(arena):len(arena)]
		if d.level() > 0 {
			out[i].ref = d.ref(i)
		} else {
			out[i].value = d.value(i)
		}
	}
	return out
}

// encode returns the node that holds items, of which there is at least one.
func encode(level int, items []item) []byte {
	p := sharedLen(items[0].key, items[len(items)-1].key)
	size := headSize + p
	for i := range items {
		size += startSize + len(items[i].key) - p + lenSize + len(items[i].value)
		if level > 0 {
			size += refSize - lenSize
		}
	}
	raw := make([]byte, headSize, size)
	raw[0], raw[1] = magic, byte(level)
	binary.BigEndian.PutUint16(raw[2:], uint16(len(items)))
	binary.BigEndian.PutUint16(raw[4:], uint16(p))
	raw = append(raw, items[0].key[:p]...)
	table := len(raw)
	body := table + startSize*len(items)
	raw = raw[:body]
	for i := range items {
		binary.BigEndian.PutUint16(raw[table+startSize*i:], uint16(len(raw)-body))
		raw = items[i].append(raw, level, p)
	}
	return raw
}

func (it *item) append(raw []byte, level, p int) []byte {
	if level > 0 {
		raw = append(raw, it.hash[:]...)
		raw = binary.BigEndian.AppendUint32(raw, uint32(it.count))
		raw = binary.BigEndian.AppendUint16(raw, uint16(it.weight))
		return append(raw, it.key[p:]...)
	}
	raw = binary.BigEndian.AppendUint16(raw, uint16(len(it.key)-p))
	return append(append(raw, it.key[p:]...), it.value...)
}

func sharedLen(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// nodeItem makes the item one level up for the node that holds items and was stored as h.
func nodeItem(level int, items []item, h blob.Hash) item {
	up := item{key: items[0].key, ref: ref{hash: h, weight: weighAll(level, items)}}
	for i := range items {
		if level > 0 {
			up.count += items[i].count
		} else {
			up.count++
		}
	}
	return up
}
