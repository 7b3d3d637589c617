package fsck

import "slices"

// lookAtLists looks at an inode whose blocks are listed one by one: 12 in the inode, and then blocks of 1,024 numbers in one,
// two and three levels. Zero is a hole.
func (c *checker) lookAtLists(n *inode) {
	for i := range 15 {
		number := uint64(le.Uint32(n.tree()[4*i:]))
		c.lookAtListed(n, number, max(0, i-11))
	}
}

// lookAtListed looks at a block that lists those of depth levels, or at one of data if that is 0.
func (c *checker) lookAtListed(n *inode, number uint64, depth int) {
	holds := uint64(1) // blocks of data
	for range depth {
		holds *= addresses
	}
	switch {
	case n.bad || c.err != nil:
		return
	case number == 0:
		n.next += holds // a hole
		return
	case !c.take(n, span{number, 1}):
		return
	case depth == 0:
		if n.inOnePiece() {
			if n.next != n.written {
				c.harm(n, "it has no block %d", n.written)
				return
			}
			n.pieces = append(n.pieces, span{number, 1})
		}
		n.next++
		n.written = n.next
		return
	}
	b := c.block(number)
	for at := 0; at < len(b) && !n.bad && c.err == nil; at += 4 {
		c.lookAtListed(n, uint64(le.Uint32(b[at:])), depth-1)
	}
}

// lookAtResize looks at the inode that the blocks belong to which are reserved for descriptors, see appliance/ext4.
func (c *checker) lookAtResize(n *inode) {
	tree := n.tree()
	double := le.Uint32(tree[4*13:])
	if !c.super.has(0, resizeFeature) {
		if !isZero(tree) {
			c.damage(0, "the inode of reserved blocks has blocks, and there are none")
		}
		return
	}
	const size = (addresses*addresses + addresses + 12) * blockSize
	if n.links() == 0 || n.size() > size || n.kind != regularFile || double == 0 || !isZero(tree[:4*13]) || !isZero(tree[4*14:]) {
		c.damage(0, "the inode of reserved blocks is damaged")
		return
	}
	if !c.take(n, span{uint64(double), 1}) {
		return
	}
	list := c.block(uint64(double))
	if list == nil {
		return
	}
	want := make([]byte, blockSize)
	var copies []uint32
	for g := uint32(1); g < c.super.groups; g++ {
		if hasCopy(g) {
			copies = append(copies, g)
		}
	}
	for i := range c.super.reserved {
		at := 1 + c.super.descriptorBlocks() + i
		le.PutUint32(want[(at-1)%addresses*4:], at)
		n.count += 1 + uint64(len(copies))
		if b := c.block(uint64(at)); b != nil && !slices.Equal(b, listOfCopies(at, copies)) {
			c.damage(0, "block %d, which is reserved for descriptors, does not list its copies", at)
		}
	}
	if !slices.Equal(list, want) {
		c.damage(0, "the list of blocks that are reserved for descriptors is damaged")
	}
	if c.report.damaged == 0 && n.blocks() != n.count {
		c.derived(0, "the inode of reserved blocks has %d blocks and says %d", n.count, int64(n.blocks()))
		n.setBlocks(n.count)
		c.fixInode(n.number, n.raw)
	}
}

// listOfCopies is what a reserved block holds: where its copies in other groups are.
func listOfCopies(at uint32, groups []uint32) []byte {
	b := make([]byte, 0, blockSize)
	for _, g := range groups[:min(len(groups), addresses)] {
		b = le.AppendUint32(b, g*groupBlocks+at)
	}
	return b[:blockSize]
}
