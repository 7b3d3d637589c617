package merkle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"hearth/storage/blob"
)

const (
	magic     = 'M'
	headSize  = 6
	startSize = 2
	refSize   = blob.HashSize + 4 + 2 // an interior item without its key's rest
	lenSize   = 2                     // a leaf item without its key's rest and value
)

// node looks at the raw bytes of a node that parse found well-formed; nothing is decoded before it is asked for.
type node struct {
	raw  []byte
	n    int // items
	p    int // bytes of the prefix that all keys share
	body int // where the items begin
}

// ref is what an interior node knows of a child beside its first key.
type ref struct {
	hash   blob.Hash
	count  uint64 // entries below
	weight int    // of the child itself
}

var (
	errHead  = errors.New("no map node")
	errTable = errors.New("offsets out of order")
	errOrder = errors.New("keys out of order")
)

// parse checks that raw is a well-formed node, so that the methods below cannot fail.
func parse(raw []byte) (node, error) {
	if len(raw) < headSize || len(raw) > blob.MaxBlob || raw[0] != magic || raw[1] > maxLevel {
		return node{}, errHead
	}
	d := node{raw: raw, n: int(binary.BigEndian.Uint16(raw[2:])), p: int(binary.BigEndian.Uint16(raw[4:]))}
	d.body = headSize + d.p + startSize*d.n
	if d.n == 0 || d.p > MaxKey || d.body > len(raw) {
		return node{}, errHead
	}
	if err := d.checkItems(); err != nil {
		return node{}, err
	}
	return d, d.checkSize()
}

// checkItems checks that items lie within the node, one after the other, that keys ascend, and that the prefix is the
// longest possible.
func (d *node) checkItems() error {
	least := refSize
	if d.level() == 0 {
		least = lenSize
	}
	table := d.raw[headSize+d.p : d.body]
	room := len(d.raw) - d.body
	if table[0] != 0 || table[1] != 0 {
		return errTable
	}
	from := 0
	var last []byte
	for i := range d.n {
		to := room
		if i+1 < d.n {
			to = int(binary.BigEndian.Uint16(table[startSize*(i+1):]))
		}
		if to > room || to-from < least {
			return errTable
		}
		item := d.raw[d.body+from : d.body+to]
		key := item[least:]
		if d.level() == 0 {
			k := int(binary.BigEndian.Uint16(item))
			if k > len(key) {
				return errTable
			}
			if len(key)-k > MaxValue {
				return fmt.Errorf("a value of %d bytes", len(key)-k)
			}
			key = key[:k]
		}
		if d.p+len(key) > MaxKey {
			return fmt.Errorf("a key of %d bytes", d.p+len(key))
		}
		if i > 0 && bytes.Compare(last, key) >= 0 {
			return errOrder
		}
		last, from = key, to
	}
	return d.checkPrefix(last)
}

func (d *node) checkPrefix(last []byte) error {
	first := d.suffix(0)
	if d.n == 1 && len(first) > 0 || d.n > 1 && len(first) > 0 && first[0] == last[0] {
		return errors.New("prefix too short")
	}
	return nil
}

// checkSize checks the limits that keep nodes small.
func (d *node) checkSize() error {
	switch {
	case d.level() > 0 && d.n > fanLimit:
		return fmt.Errorf("%d children, at most %d", d.n, fanLimit)
	case d.level() == 0 && d.n > smallCount && d.weight() > leafLimit, d.level() == 0 && d.n > 1 && d.weight() > smallLimit:
		return fmt.Errorf("%d entries that weigh %d", d.n, d.weight())
	}
	return nil
}

func (d *node) level() int     { return int(d.raw[1]) }
func (d *node) prefix() []byte { return d.raw[headSize : headSize+d.p] }

// item returns the bytes of item i.
func (d *node) item(i int) []byte {
	at := headSize + d.p + startSize*i
	from, to := d.body+int(binary.BigEndian.Uint16(d.raw[at:])), len(d.raw)
	if i+1 < d.n {
		to = d.body + int(binary.BigEndian.Uint16(d.raw[at+startSize:]))
	}
	return d.raw[from:to:to]
}

// suffix returns what follows the prefix in the key of item i.
func (d *node) suffix(i int) []byte {
	it := d.item(i)
	if d.level() > 0 {
		return it[refSize:]
	}
	return it[lenSize : lenSize+int(binary.BigEndian.Uint16(it))]
}

// appendKey appends the key of item i to dst.
func (d *node) appendKey(dst []byte, i int) []byte {
	return append(append(dst, d.prefix()...), d.suffix(i)...)
}

// value returns the value of entry i of a leaf, never nil.
func (d *node) value(i int) []byte {
	it := d.item(i)
	return it[lenSize+int(binary.BigEndian.Uint16(it)):]
}

// ref returns child i of an interior node.
func (d *node) ref(i int) ref {
	it := d.item(i)
	return ref{
		hash:   blob.Hash(it[:blob.HashSize]),
		count:  uint64(binary.BigEndian.Uint32(it[blob.HashSize:])),
		weight: int(binary.BigEndian.Uint16(it[blob.HashSize+4:])),
	}
}

// weight returns the sum of the items' weights.
func (d *node) weight() int {
	if d.level() > 0 {
		return d.n
	}
	w := len(d.raw) - d.body + d.n*(d.p+startSize)
	if d.n == 1 {
		return min(w, leafLimit+1)
	}
	return w
}

// count returns how many entries are at or below the node.
func (d *node) count() uint64 {
	if d.level() == 0 {
		return uint64(d.n)
	}
	var sum uint64
	for i := range d.n {
		sum += uint64(binary.BigEndian.Uint32(d.item(i)[blob.HashSize:]))
	}
	return sum
}

// search returns the first item whose key is not less than key, n if there is none, and whether it is equal.
func (d *node) search(key []byte) (int, bool) {
	pre := d.prefix()
	if !bytes.HasPrefix(key, pre) {
		if bytes.Compare(key, pre) < 0 {
			return 0, false
		}
		return d.n, false
	}
	rest := key[d.p:]
	lo, hi := 0, d.n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch bytes.Compare(d.suffix(mid), rest) {
		case 0:
			return mid, true
		case -1:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo, false
}

// child returns the child whose range has key; -1 if key is before the first.
func (d *node) child(key []byte) int {
	i, exact := d.search(key)
	if exact {
		return i
	}
	return i - 1
}

// compareKeys compares the keys of two nodes' items.
func compareKeys(a *node, i int, b *node, j int) int {
	p := min(a.p, b.p)
	if c := bytes.Compare(a.prefix()[:p], b.prefix()[:p]); c != 0 {
		return c
	}
	return compareJoined(a.prefix()[p:], a.suffix(i), b.prefix()[p:], b.suffix(j))
}

// compareJoined compares a1+a2 with b1+b2, where a1 or b1 is empty.
func compareJoined(a1, a2, b1, b2 []byte) int {
	if len(a1) > 0 {
		return -compareJoined(b1, b2, a1, a2)
	}
	n := min(len(b1), len(a2))
	if c := bytes.Compare(a2[:n], b1); c != 0 {
		return c
	}
	return bytes.Compare(a2[n:], b2)
}
