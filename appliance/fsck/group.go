package fsck

import "fmt"

// The flags of a group.
const (
	inodesUninitialised = 1 // none of its inodes was ever in use, and its bitmap of them was not written
	blocksUninitialised = 2 // its bitmap of blocks was not written: what it holds of the layout is in use
)

// The bytes of a descriptor that have the low half of a number, and its flags and checksum.
const (
	freeBlocksAt  = 12
	freeInodesAt  = 14
	directoriesAt = 16
	flagsAt       = 18
	blocksSumAt   = 24
	inodesSumAt   = 26
	unusedAt      = 28
	sumAt         = 30
)

// group is a group of blocks.
type group struct {
	raw         []byte // its descriptor
	blockBitmap uint64 // block
	inodeBitmap uint64 // block
	table       uint64 // first block
	nodes       []node // of the inodes that were ever in use
	directories uint32
}

func (g *group) flags() uint16 { return le.Uint16(g.raw[flagsAt:]) }

// number returns a number of which the descriptor has two halves.
func (g *group) number(at int) uint32 {
	return uint32(le.Uint16(g.raw[at:])) | uint32(le.Uint16(g.raw[highAt(at):]))<<16
}

func putNumber(descriptor []byte, at int, n uint32) {
	le.PutUint16(descriptor[at:], uint16(n))
	le.PutUint16(descriptor[highAt(at):], uint16(n>>16))
}

// highAt returns where the high half of a number is.
func highAt(low int) int {
	if low == unusedAt {
		return 50
	}
	return low + 32
}

func place(descriptor []byte, at int) uint64 {
	return uint64(le.Uint32(descriptor[at:])) | uint64(le.Uint32(descriptor[at+32:]))<<32
}

// descriptorSum is the checksum of a group's descriptor.
func (s *superblock) descriptorSum(number uint32, d []byte) uint16 {
	sum := checksum(checksumNumber(s.seed, number), d[:sumAt])
	return uint16(checksum(checksum(sum, []byte{0, 0}), d[sumAt+2:]))
}

// descriptorAt returns the byte at which a group's descriptor is.
func (s *superblock) descriptorAt(number uint32) int64 {
	block := number / perBlock
	at := int64(1+block) * blockSize
	if s.has(1, metaFeature) && block >= s.firstMeta {
		first := block * perBlock // the group that has it
		at = int64(first) * groupBlocks * blockSize
		if hasCopy(first) {
			at += blockSize
		}
	}
	return at + int64(number%perBlock)*descriptorSize
}

// front returns the blocks at a group's start that are of the superblock and of descriptors.
func (s *superblock) front(number uint32) uint64 {
	n := uint64(0)
	if hasCopy(number) {
		n = 1
	}
	meta := s.has(1, metaFeature)
	switch {
	case meta && number/perBlock >= s.firstMeta:
		if at := number % perBlock; at == 0 || at == 1 || at == perBlock-1 {
			n++
		}
	case hasCopy(number) && meta:
		n += uint64(s.firstMeta)
	case hasCopy(number):
		n += uint64(s.descriptorBlocks() + s.reserved)
	}
	return n
}

// groupEnd returns the block behind a group's last.
func (s *superblock) groupEnd(number uint32) uint64 {
	return min(s.blocks, (uint64(number)+1)*groupBlocks)
}

func (s *superblock) tableBlocks() uint64 { return uint64(s.groupInodes) * inodeSize / blockSize }

// layout reads what says where the rest is.
func (c *checker) layout() {
	s := c.super
	c.used = newBitmap(s.blocks)
	c.groups = make([]group, s.groups)
	for number := range s.groups {
		if !c.readDescriptor(number) {
			return
		}
	}
	for number := range s.groups {
		first := uint64(number) * groupBlocks
		c.place(fmt.Sprintf("the superblock of group %d", number), span{first, min(s.front(number), s.blocks-first)})
	}
	for number := range c.groups {
		g := &c.groups[number]
		c.place(fmt.Sprintf("the bitmap of blocks of group %d", number), span{g.blockBitmap, 1})
		c.place(fmt.Sprintf("the bitmap of inodes of group %d", number), span{g.inodeBitmap, 1})
		c.place(fmt.Sprintf("the table of inodes of group %d", number), span{g.table, s.tableBlocks()})
	}
	if c.report.damaged > 0 {
		return
	}
	for number := range c.groups {
		c.makeRoom(uint32(number))
	}
	c.followOrphans()
}

func (c *checker) readDescriptor(number uint32) bool {
	g := &c.groups[number]
	g.raw = make([]byte, descriptorSize)
	at := c.super.descriptorAt(number)
	if at+descriptorSize > int64(c.super.blocks)*blockSize {
		c.damage(0, "the descriptor of group %d is beyond the end", number)
		return true
	}
	if !c.read(g.raw, at) {
		return false
	}
	g.blockBitmap, g.inodeBitmap, g.table = place(g.raw, 0), place(g.raw, 4), place(g.raw, 8)
	if le.Uint16(g.raw[sumAt:]) != c.super.descriptorSum(number, g.raw) {
		c.damage(0, "the descriptor of group %d is damaged, its checksum is wrong", number)
	}
	return true
}

// place takes the blocks of a part of the layout.
func (c *checker) place(what string, s span) {
	c.watch(s, layoutOwner)
	switch {
	case s.count == 0 || c.report.damaged > 0:
	case s.first+s.count < s.first || s.end() > c.super.blocks || s.first == 0 && s.count == 1:
		c.damage(0, "%s is beyond the end", what)
	case c.used.add(s).count > 0:
		c.damage(0, "%s is where another part is", what)
	}
}

// makeRoom makes room for the states of a group's inodes that were ever in use. Of these the descriptor says how many there
// are; if an intact bitmap knows more, they are looked at too.
func (c *checker) makeRoom(number uint32) {
	g, s := &c.groups[number], c.super
	if g.flags()&inodesUninitialised != 0 {
		return
	}
	held := c.block(g.inodeBitmap)
	if held == nil {
		return
	}
	ever := s.groupInodes - min(g.number(unusedAt), s.groupInodes)
	if g.number(inodesSumAt) == checksum(s.seed, held[:s.groupInodes/8]) {
		for n := s.groupInodes; n > ever; n-- {
			if held[(n-1)/8]&(1<<((n-1)%8)) != 0 {
				ever = n
			}
		}
	}
	g.nodes = make([]node, ever)
}
