package fsck

import (
	"maps"
	"math/bits"
	"slices"
)

// attributes is a block of extended attributes, which inodes with the same ones share.
type attributes struct {
	claimed uint32 // inodes that have it, as it says
	found   uint32
	first   uint32 // inode
}

const attributesMagic = 0xea020000

// lookAtAttributes looks at the block of an inode's extended attributes. It begins with
//
//	magic ea020000 (4), inodes that have it (4), blocks (4): 1, hash (4), checksum (4)
func (c *checker) lookAtAttributes(n *inode, block uint64) {
	if known := c.attributes[block]; known != nil {
		known.found++
		n.count++
		return
	}
	if !c.take(n, span{block, 1}) {
		return
	}
	b := c.block(block)
	if b == nil {
		return
	}
	claimed, held := le.Uint32(b[4:]), le.Uint32(b[16:])
	clear(b[16:20])
	sum := checksum(checksum(c.super.seed, le.AppendUint64(nil, block)), b)
	if le.Uint32(b[0:]) != attributesMagic || le.Uint32(b[8:]) != 1 || held != sum || !attributesSound(b, 32) {
		c.harm(n, "its extended attributes are damaged")
	}
	c.attributes[block] = &attributes{claimed: claimed, found: 1, first: n.number}
}

func (c *checker) compareAttributes() {
	for _, block := range slices.Sorted(maps.Keys(c.attributes)) {
		if a := c.attributes[block]; a.claimed != a.found && c.report.damaged == 0 {
			c.damage(a.first, "%d inodes have its extended attributes, which say %d", a.found, a.claimed)
		}
	}
}

// attributesSound reports whether extended attributes that begin at a byte of b are where they can be: entries, a zero (4), and
// somewhere behind them the values.
//
//	entry  length of the name (1), kind of name (1), where the value is in b (2), unused: 0 (4), length of the value (4), hash (4), name
func attributesSound(b []byte, at int) bool {
	used := newBitmap(blockSize)
	used.add(span{0, uint64(at)})
	for ; ; at += 16 + (int(b[at])+3)/4*4 {
		if at+4 > len(b) {
			return false
		}
		if le.Uint32(b[at:]) == 0 {
			return used.add(span{uint64(at), 4}).count == 0
		}
		length := 16 + (int(b[at])+3)/4*4
		if at+length > len(b) || le.Uint32(b[at+4:]) != 0 {
			return false
		}
		from, size, hash := int(le.Uint16(b[at+2:])), int64(le.Uint32(b[at+8:])), le.Uint32(b[at+12:])
		padded := (size + 3) / 4 * 4
		if size > 0 && int64(from)+padded > int64(len(b)) || used.add(span{uint64(at), uint64(length)}).count > 0 {
			return false
		}
		if size == 0 {
			from, padded = 0, 0
		} else if used.add(span{uint64(from), uint64(padded)}).count > 0 {
			return false
		}
		if hash != 0 && hash != attributeHash(b[at+16:][:b[at]], b[from:][:padded]) {
			return false
		}
	}
}

// attributeHash is that of a name and a value.
func attributeHash(name, value []byte) (hash uint32) {
	for _, c := range name {
		hash = bits.RotateLeft32(hash, 5) ^ uint32(c)
	}
	for ; len(value) > 0; value = value[4:] {
		hash = bits.RotateLeft32(hash, 16) ^ le.Uint32(value)
	}
	return hash
}
