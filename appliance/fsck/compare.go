package fsck

import (
	"bytes"
	"math/bits"
	"slices"
)

// compareGroups compares the bitmaps and counts of all groups with what was found.
func (c *checker) compareGroups() {
	var freeBlocks uint64
	var freeInodes uint32
	for number := range c.super.groups {
		blocks, inodes := c.blocksOf(number), c.inodesOf(number)
		freeBlocks += uint64(zeros(blocks))
		freeInodes += zeros(inodes)
		if c.compareGroup(number, blocks, inodes); c.err != nil {
			return
		}
	}
	c.report.Blocks = int64(c.super.blocks - freeBlocks)
	super := c.report.super
	if held := uint64(le.Uint32(super[12:])) | uint64(le.Uint32(super[344:]))<<32; held != freeBlocks {
		c.derived(0, "%d blocks are free and the superblock says %d", freeBlocks, held)
		le.PutUint32(super[12:], uint32(freeBlocks))
		le.PutUint32(super[344:], uint32(freeBlocks>>32))
	}
	if held := le.Uint32(super[16:]); held != freeInodes {
		c.derived(0, "%d inodes are free and the superblock says %d", freeInodes, held)
		le.PutUint32(super[16:], freeInodes)
	}
}

// blocksOf returns what a group's bitmap of blocks should be, in which what does not exist is in use.
func (c *checker) blocksOf(number uint32) []byte {
	first := uint64(number) * groupBlocks
	b := c.used.bytes(first, groupBlocks)
	fill(b, c.super.groupEnd(number)-first)
	return b
}

// inodesOf returns what a group's bitmap of inodes should be, in which what does not exist is in use.
func (c *checker) inodesOf(number uint32) []byte {
	b := make([]byte, blockSize)
	fill(b, uint64(c.super.groupInodes))
	for i, n := range c.groups[number].nodes {
		if n.kind != unused || uint32(i)+1 < c.super.firstInode && number == 0 {
			b[i/8] |= 1 << (i % 8)
		}
	}
	return b
}

// fill sets the bits from a number on.
func fill(b []byte, from uint64) {
	for n := from; n < 8*uint64(len(b)); n++ {
		b[n/8] |= 1 << (n % 8)
	}
}

func zeros(b []byte) (n uint32) {
	for _, x := range b {
		n += 8 - uint32(bits.OnesCount8(x))
	}
	return n
}

func differences(a, b []byte) (n int) {
	for i := range a {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}

// uninitialised returns the bitmap of blocks of a group whose own was never written.
func (c *checker) uninitialised(number uint32) []byte {
	s, g := c.super, &c.groups[number]
	first := uint64(number) * groupBlocks
	b := make([]byte, blockSize)
	fill(b, s.groupEnd(number)-first)
	for _, part := range []span{{first, s.front(number)}, {g.blockBitmap, 1}, {g.inodeBitmap, 1}, {g.table, s.tableBlocks()}} {
		for n := max(part.first, first); n < min(part.end(), s.groupEnd(number)); n++ {
			b[(n-first)/8] |= 1 << ((n - first) % 8)
		}
	}
	return b
}

// compareGroup compares a group's bitmaps and counts with what they should be.
func (c *checker) compareGroup(number uint32, blocks, inodes []byte) {
	g := &c.groups[number]
	d := slices.Clone(g.raw)
	c.compareBlocks(number, d, blocks)
	if g.flags()&inodesUninitialised == 0 {
		c.compareInodes(number, d, inodes)
	}
	for _, count := range []struct {
		what string
		at   int
		n    uint32
	}{{"blocks are free", freeBlocksAt, zeros(blocks)}, {"inodes are free", freeInodesAt, zeros(inodes)}, {"directories are there", directoriesAt, g.directories}} {
		if held := g.number(count.at); held != count.n {
			c.derived(0, "in group %d %d %s and its descriptor says %d", number, count.n, count.what, held)
			putNumber(d, count.at, count.n)
		}
	}
	if !bytes.Equal(d, g.raw) {
		le.PutUint16(d[sumAt:], c.super.descriptorSum(number, d))
		c.repair(c.super.descriptorAt(number), d)
	}
}

func (c *checker) compareBlocks(number uint32, d, want []byte) {
	g := &c.groups[number]
	held, intact := c.uninitialised(number), true
	if g.flags()&blocksUninitialised == 0 {
		if held = c.block(g.blockBitmap); held == nil {
			return
		}
		intact = g.number(blocksSumAt) == checksum(c.super.seed, held)
	}
	wrong := differences(held, want)
	switch {
	case wrong > 0:
		c.derived(0, "the bitmap of group %d is wrong about %d blocks", number, wrong)
	case !intact:
		c.derived(0, "the checksum of the bitmap of blocks of group %d is wrong", number)
	default:
		return
	}
	c.repair(int64(g.blockBitmap)*blockSize, want)
	le.PutUint16(d[flagsAt:], le.Uint16(d[flagsAt:])&^blocksUninitialised)
	putNumber(d, blocksSumAt, checksum(c.super.seed, want))
}

func (c *checker) compareInodes(number uint32, d, want []byte) {
	g, s := &c.groups[number], c.super
	ever := uint32(0)
	for i, n := range g.nodes {
		if n.kind != unused {
			ever = uint32(i) + 1
		}
	}
	if unused := g.number(unusedAt); unused > s.groupInodes-ever {
		c.derived(0, "the descriptor of group %d says that %d inodes were never in use, and some of them are", number, unused)
		putNumber(d, unusedAt, s.groupInodes-ever)
	}
	held := c.block(g.inodeBitmap)
	if held == nil {
		return
	}
	wrong := differences(held, want)
	switch {
	case wrong > 0:
		c.derived(0, "the bitmap of group %d is wrong about %d inodes", number, wrong)
	case g.number(inodesSumAt) != checksum(s.seed, held[:s.groupInodes/8]):
		c.derived(0, "the checksum of the bitmap of inodes of group %d is wrong", number)
	default:
		return
	}
	c.repair(int64(g.inodeBitmap)*blockSize, want)
	putNumber(d, inodesSumAt, checksum(s.seed, want[:s.groupInodes/8]))
}
