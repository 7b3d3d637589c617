package fsck

const (
	extentMagic  = 0xf30a
	maxDepth     = 5
	entrySize    = 12
	longestPiece = 32768 // blocks; what is longer by n is n blocks that were never written
)

// lookAtExtents looks at the tree of pieces that an inode's data are in. A node of it is a header, then entries in the order
// of the file's blocks; only the root is in the inode, and in a block behind all places for entries is a checksum:
//
//	header  magic f30a (2), entries (2), places for entries (2), levels below (2), generation (4)
//	leaf    first block of the file (4), length (2), first block: high (2) and low (4)
//	inner   first block of the file (4), block of the node below: low (4) and high (2), unused (2)
func (c *checker) lookAtExtents(n *inode) {
	root := n.tree()
	depth := le.Uint16(root[6:])
	if depth > maxDepth {
		c.harm(n, "its tree of extents has %d levels", depth)
		return
	}
	c.lookAtExtentNode(n, root, depth, 1<<32)
}

// lookAtExtentNode looks at a node, which has depth levels below it and speaks of the blocks from n.next up to end.
func (c *checker) lookAtExtentNode(n *inode, b []byte, depth uint16, end uint64) {
	count, places := int(le.Uint16(b[2:])), int(le.Uint16(b[4:]))
	root := len(b) < blockSize
	if le.Uint16(b[0:]) != extentMagic || count > places || places > (len(b)-entrySize)/entrySize || le.Uint16(b[6:]) != depth ||
		count == 0 && (!root || depth > 0) {
		c.harm(n, "its tree of extents is damaged")
		return
	}
	entries := b[entrySize:][:count*entrySize]
	for i := 0; i < len(entries) && !n.bad && c.err == nil; i += entrySize {
		e := entries[i:]
		logical := uint64(le.Uint32(e))
		if logical < n.next || logical >= end {
			c.harm(n, "its extents are not in order")
			return
		}
		if depth == 0 {
			c.lookAtExtent(n, e, logical, end)
			continue
		}
		below := end
		if i+entrySize < len(entries) {
			below = uint64(le.Uint32(e[entrySize:]))
		}
		c.descend(n, uint64(le.Uint32(e[4:]))|uint64(le.Uint16(e[8:]))<<32, depth-1, logical, min(below, end))
	}
}

// lookAtExtent takes the blocks of one extent.
func (c *checker) lookAtExtent(n *inode, e []byte, logical, end uint64) {
	length := uint64(le.Uint16(e[4:]))
	written := length <= longestPiece
	if !written {
		length -= longestPiece
	}
	if length == 0 || logical+length > end {
		c.harm(n, "its extents are not in order")
		return
	}
	piece := span{uint64(le.Uint16(e[6:]))<<32 | uint64(le.Uint32(e[8:])), length}
	if !c.take(n, piece) {
		return
	}
	if n.inOnePiece() {
		if logical != n.next || !written {
			c.harm(n, "it has no block %d", n.next)
			return
		}
		n.pieces = append(n.pieces, piece)
	}
	n.next = logical + length
	if written {
		n.written = n.next
	}
}

// descend looks at the node in a block.
func (c *checker) descend(n *inode, block uint64, depth uint16, logical, end uint64) {
	if !c.take(n, span{block, 1}) {
		return
	}
	b := c.block(block)
	if b == nil {
		return
	}
	tail := entrySize + int(le.Uint16(b[4:]))*entrySize
	switch {
	case tail > blockSize-4 || le.Uint32(b[tail:]) != checksum(n.seed, b[:tail]):
		c.harm(n, "block %d of its tree of extents is damaged, its checksum is wrong", block)
	case uint64(le.Uint32(b[entrySize:])) != logical:
		c.harm(n, "its tree of extents is damaged, block %d does not begin where it should", block)
	default:
		c.lookAtExtentNode(n, b, depth, end)
	}
}
