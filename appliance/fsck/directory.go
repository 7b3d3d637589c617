package fsck

import (
	"bytes"
	"cmp"
	"slices"
)

const tailSize = 12 // of a directory's block, the checksum in it

// directory is what is known of one.
type directory struct {
	inode    uint32
	seed     uint32 // of the checksums of its blocks
	parent   uint32 // the directory that has it
	dotdot   uint32 // the one that it says has it
	seenFrom uint32 // the directory from which the root was looked for
	indexed  bool   // by a hash tree
	reached  bool   // from the root
	pieces   []span
}

// blocks returns how many blocks a directory has.
func (d *directory) blocks() (n uint64) {
	for _, p := range d.pieces {
		n += p.count
	}
	return n
}

// at returns where a block of a directory is, which it must have.
func (d *directory) at(n uint64) uint64 {
	for _, p := range d.pieces {
		if n < p.count {
			return p.first + n
		}
		n -= p.count
	}
	return 0
}

// directory returns a directory by its inode, nil if it is none.
func (c *checker) directory(inode uint32) *directory {
	i, found := slices.BinarySearchFunc(c.directories, inode, func(d directory, inode uint32) int { return cmp.Compare(d.inode, inode) })
	if !found {
		return nil
	}
	return &c.directories[i]
}

// entry is an entry of a directory: inode (4), length of the entry (2), of the name (1), kind (1), name.
type entry struct {
	inode uint32
	kind  uint8
	name  []byte
}

// nextEntry returns the first entry of b, and what is behind it; ok is false if there is none that can be read.
func nextEntry(b []byte) (e entry, rest []byte, ok bool) {
	if len(b) < 12 {
		return e, nil, false
	}
	length, name := int(le.Uint16(b[4:])), int(b[6])
	if length < 12 || length%4 != 0 || length > len(b) || 8+name > length {
		return e, nil, false
	}
	return entry{le.Uint32(b), b[7], b[8 : 8+name]}, b[length:], true
}

// scanDirectories looks at all directories.
func (c *checker) scanDirectories() {
	names := make(map[string]bool)
	for i := range c.directories {
		if c.err != nil {
			return
		}
		c.lookAtDirectory(&c.directories[i], names)
	}
}

// lookAtDirectory looks at a directory. Names is room for those of a block.
func (c *checker) lookAtDirectory(d *directory, names map[string]bool) {
	count := d.blocks()
	var leaves []leaf
	if d.indexed {
		if leaves = c.lookAtTree(d, count); leaves == nil {
			return
		}
	}
	for n := range count {
		b := c.block(d.at(n))
		if b == nil {
			return
		}
		if !d.indexed {
			c.lookAtEntries(d, n, b, nil, names)
			continue
		}
		if l := leaves[n]; l.inner {
			if n == 0 {
				c.lookAtDots(d, b)
			}
		} else {
			c.lookAtEntries(d, n, b, &l, names)
		}
	}
}

// lookAtEntries looks at a block of entries, the n-th of its directory. Behind the entries is what looks like another:
//
//	inode 0 (4), length 12 (2), length of the name 0 (1), kind de (1), checksum of what is before (4)
func (c *checker) lookAtEntries(d *directory, n uint64, b []byte, l *leaf, names map[string]bool) {
	rest, tail := b[:blockSize-tailSize], b[blockSize-tailSize:]
	switch {
	case le.Uint32(tail) != 0 || le.Uint16(tail[4:]) != tailSize || tail[6] != 0 || tail[7] != 0xde:
		c.damage(d.inode, "its block %d is damaged, it has no checksum", n)
		return
	case le.Uint32(tail[8:]) != checksum(d.seed, rest):
		c.damage(d.inode, "its block %d is damaged, its checksum is wrong", n)
		return
	}
	if n == 0 {
		if rest = c.lookAtDots(d, rest); rest == nil {
			return
		}
	}
	clear(names)
	for len(rest) > 0 {
		e, after, ok := nextEntry(rest)
		if !ok {
			c.damage(d.inode, "its block %d is damaged, its entries cannot be read", n)
			return
		}
		if rest = after; e.inode == 0 {
			continue
		}
		if names[string(e.name)] {
			c.damage(d.inode, "it has two entries %q", e.name)
		}
		names[string(e.name)] = true
		c.lookAtEntry(d, e)
		if l != nil && !l.holds(c.hash(l.version, e.name)) {
			c.damage(d.inode, "its entry %q is in a block where nobody looks for it", e.name)
		}
	}
}

// lookAtDots looks at the first two entries of a directory, and returns what is behind them; nil if they are not there.
func (c *checker) lookAtDots(d *directory, b []byte) []byte {
	one, rest, ok := nextEntry(b)
	two, rest, also := nextEntry(rest)
	if !ok || !also || string(one.name) != "." || b[9] != 0 || string(two.name) != ".." || two.name[:3][2] != 0 || one.inode != d.inode ||
		one.kind != directoryFile || two.kind != directoryFile || c.node(two.inode) == nil {
		c.damage(d.inode, "its entries for itself and its parent are damaged")
		return nil
	}
	d.dotdot = two.inode
	c.node(d.inode).found++
	c.node(d.dotdot).found++
	return rest
}

// lookAtEntry looks at an entry of a directory, but not its first two.
func (c *checker) lookAtEntry(d *directory, e entry) {
	node := c.node(e.inode)
	switch {
	case len(e.name) == 0 || bytes.ContainsAny(e.name, "/\x00") || string(e.name) == "." || string(e.name) == "..":
		c.damage(d.inode, "it has an entry with the name %q", e.name)
	case node == nil || node.kind == unused || node.orphan && node.claimed == 0:
		c.damage(d.inode, "its entry %q is to inode %d, which is not in use", e.name, e.inode)
	case e.inode < c.super.firstInode:
		c.damage(d.inode, "its entry %q is to inode %d, which must have no name", e.name, e.inode)
	case e.kind != node.kind:
		c.damage(d.inode, "its entry %q is for another kind of file", e.name)
	default:
		node.found++
		if node.kind != directoryFile {
			return
		}
		child := c.directory(e.inode)
		if child.parent != 0 {
			c.damage(d.inode, "its entry %q is a second name of a directory", e.name)
		}
		child.parent = d.inode
	}
}
