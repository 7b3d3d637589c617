package fsck

// leaf is what a hash tree says about a block of its directory.
type leaf struct {
	seen      bool // the tree knows it
	inner     bool // it is of the tree itself
	low, high uint32
	version   uint8 // of hashes
}

// holds reports whether a name with a hash is looked for in a leaf. The first name of a leaf may have the hash of the last
// of the leaf before.
func (l *leaf) holds(hash uint32) bool { return hash >= l.low && hash <= l.high }

const (
	rootAt  = 32 // the entries of a tree's root are behind those of the directory itself and of its parent
	innerAt = 8  // and those of other nodes behind what looks like an entry that is not in use
)

// lookAtTree looks at the hash tree of a directory, and returns what it says about its blocks; nil if it is damaged. A node
// has, behind what makes it look empty to those who do not know it,
//
//	root   0 (4), version of the hash (1), length of this (1): 8, levels below (1), flags (1): 0
//	entry  hash from which on names are in the block (4), number of the block in the directory (4)
//	tail   unused (4), checksum (4), behind the places for entries
//
// where the first entry has instead of the hash: places for entries (2), entries (2).
func (c *checker) lookAtTree(d *directory, count uint64) []leaf {
	b := c.block(d.at(0))
	if b == nil {
		return nil
	}
	levels, version := b[30], b[28]
	if count < 2 || levels > 1 || version > 5 || b[29] != 8 || b[31] != 0 || le.Uint32(b[24:]) != 0 ||
		le.Uint16(b[4:]) != 12 || le.Uint16(b[16:]) != blockSize-12 {
		c.damage(d.inode, "its hash tree is damaged")
		return nil
	}
	if version <= 2 && c.super.hashUnsigned {
		version += 3
	}
	t := &tree{directory: d, leaves: make([]leaf, count), version: version}
	t.leaves[0] = leaf{seen: true, inner: true}
	if !c.lookAtTreeNode(t, b, rootAt, levels, 0, ^uint32(0)) {
		return nil
	}
	for n, l := range t.leaves {
		if !l.seen {
			c.damage(d.inode, "its hash tree is damaged, it does not know block %d", n)
			return nil
		}
	}
	return t.leaves
}

// tree is one while it is looked at.
type tree struct {
	directory *directory
	leaves    []leaf
	version   uint8
}

// lookAtTreeNode looks at a node whose entries begin at a byte, which speak of hashes from low to high. It reports whether
// the tree is sound so far.
func (c *checker) lookAtTreeNode(t *tree, b []byte, at int, levels uint8, low, high uint32) bool {
	places, count := int(le.Uint16(b[at:])), int(le.Uint16(b[at+2:]))
	tail := at + 8*places
	if places != (blockSize-at-8)/8 || count == 0 || count > places {
		c.damage(t.directory.inode, "its hash tree is damaged")
		return false
	}
	sum := checksum(checksum(t.directory.seed, b[:at+8*count]), b[tail:tail+4])
	if le.Uint32(b[tail+4:]) != checksum(sum, make([]byte, 4)) {
		c.damage(t.directory.inode, "its hash tree is damaged, its checksum is wrong")
		return false
	}
	entries := b[at:]
	for i := range count {
		from, to, number := low, high, le.Uint32(entries[8*i+4:])
		if i > 0 {
			from = le.Uint32(entries[8*i:]) &^ 1
		}
		if i+1 < count {
			to = le.Uint32(entries[8*i+8:]) &^ 1
		}
		if from < low || from > to || to > high || number == 0 || uint64(number) >= uint64(len(t.leaves)) || t.leaves[number].seen {
			c.damage(t.directory.inode, "its hash tree is damaged")
			return false
		}
		t.leaves[number] = leaf{seen: true, inner: levels > 0, low: from, high: to, version: t.version}
		if levels == 0 {
			continue
		}
		below := c.block(t.directory.at(uint64(number)))
		if below == nil {
			return false
		}
		if le.Uint32(below) != 0 || le.Uint16(below[4:]) != blockSize {
			c.damage(t.directory.inode, "its hash tree is damaged")
			return false
		}
		if !c.lookAtTreeNode(t, below, innerAt, levels-1, from, to) {
			return false
		}
	}
	return true
}
