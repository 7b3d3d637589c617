package fsck

import (
	"bytes"
	"fmt"
)

// The numbers of inodes.
const (
	rootInode    = 2
	resizeInode  = 7
	journalInode = 8
	lostInode    = 11 // lost+found, the first that is not reserved
)

// The kinds of files, as directories' entries have them. An inode's mode has them in its upper four bits, see kindOf.
const (
	unused = iota
	regularFile
	directoryFile
	characterDevice
	blockDevice
	pipe
	socket
	link
)

// The flags of inodes.
const (
	indexFlag    = 0x1000
	hugeFlag     = 0x40000 // its blocks are counted in blocks
	extentsFlag  = 0x80000
	foreignFlags = 0x10000000 /* its data are in the inode */ | 0x200000 /* it is an attribute */ | 0x800 /* encrypted */ | 0x100000 /* verity */ |
		0x40000000 /* names without case */
)

// node is what is known of an inode.
type node struct {
	kind    uint8
	orphan  bool // it is on the list of those to be deleted or cut off
	claimed uint16
	found   uint32 // names
}

// inode is one while it is looked at.
type inode struct {
	number  uint32
	raw     []byte
	kind    uint8
	seed    uint32 // of the checksums of its blocks
	orphan  bool
	next    uint64 // the first of its blocks that was not seen yet, as the file counts them
	written uint64 // the block behind the last one that holds data
	count   uint64 // blocks that it has, with those that list others
	pieces  []span // where the blocks of a directory and of the journal are
	bad     bool   // something is damaged
}

func (n *inode) mode() uint16  { return le.Uint16(n.raw[0:]) }
func (n *inode) flags() uint32 { return le.Uint32(n.raw[32:]) }
func (n *inode) links() uint16 { return le.Uint16(n.raw[26:]) }
func (n *inode) size() uint64 {
	return uint64(le.Uint32(n.raw[4:])) | uint64(le.Uint32(n.raw[108:]))<<32
}
func (n *inode) tree() []byte { return n.raw[40:100] }
func (n *inode) attributes() uint64 {
	return uint64(le.Uint32(n.raw[104:])) | uint64(le.Uint16(n.raw[118:]))<<32
}

// blocks returns how many blocks the inode says it has.
func (n *inode) blocks() uint64 {
	sectors := uint64(le.Uint32(n.raw[28:])) | uint64(le.Uint16(n.raw[116:]))<<32
	if n.flags()&hugeFlag != 0 {
		return sectors
	}
	if sectors%(blockSize/512) != 0 {
		return ^uint64(0)
	}
	return sectors / (blockSize / 512)
}

func (n *inode) setBlocks(count uint64) {
	if n.flags()&hugeFlag == 0 {
		count *= blockSize / 512
	}
	le.PutUint32(n.raw[28:], uint32(count))
	le.PutUint16(n.raw[116:], uint16(count>>32))
}

// inOnePiece reports whether an inode's data must be there without a hole.
func (n *inode) inOnePiece() bool { return n.kind == directoryFile || n.number == journalInode }

// kindOf returns the kind of a file by its mode.
func kindOf(mode uint16) (kind uint8, known bool) {
	switch mode >> 12 {
	case 0x8:
		return regularFile, true
	case 0x4:
		return directoryFile, true
	case 0x2:
		return characterDevice, true
	case 0x6:
		return blockDevice, true
	case 0x1:
		return pipe, true
	case 0xc:
		return socket, true
	case 0xa:
		return link, true
	}
	return unused, false
}

// seal gives an inode the checksum that it should have, and reports whether it had that.
func (s *superblock) seal(number uint32, raw []byte) (had bool) {
	low, high := le.Uint16(raw[124:]), le.Uint16(raw[130:])
	wide := le.Uint16(raw[128:]) >= 4
	le.PutUint16(raw[124:], 0)
	if wide {
		le.PutUint16(raw[130:], 0)
	}
	sum := checksum(s.inodeSeed(number, raw), raw)
	le.PutUint16(raw[124:], uint16(sum))
	if wide {
		le.PutUint16(raw[130:], uint16(sum>>16))
	}
	return low == uint16(sum) && (!wide || high == uint16(sum>>16))
}

func (s *superblock) inodeSeed(number uint32, raw []byte) uint32 {
	return checksum(checksumNumber(s.seed, number), raw[100:104]) // its generation
}

// node returns the state of an inode, nil for one that does not exist or was never in use.
func (c *checker) node(number uint32) *node {
	if number == 0 {
		return nil
	}
	group, at := (number-1)/c.super.groupInodes, (number-1)%c.super.groupInodes
	if group >= c.super.groups || int(at) >= len(c.groups[group].nodes) {
		return nil
	}
	return &c.groups[group].nodes[at]
}

// inodeAt returns the byte at which an inode is, which must exist.
func (c *checker) inodeAt(number uint32) int64 {
	group, at := (number-1)/c.super.groupInodes, (number-1)%c.super.groupInodes
	return int64(c.groups[group].table)*blockSize + int64(at)*inodeSize
}

// followOrphans follows the list of inodes that are to be deleted or cut off when the file system is mounted.
func (c *checker) followOrphans() {
	c.orphans = make(map[uint32]bool)
	raw := make([]byte, inodeSize)
	for number := c.super.lastOrphan; number != 0 && c.err == nil; number = le.Uint32(raw[20:]) {
		if c.node(number) == nil || number < c.super.firstInode || c.orphans[number] {
			c.damage(0, "the list of inodes to delete leads to inode %d, which cannot be in it", number)
			return
		}
		c.orphans[number] = true
		c.read(raw, c.inodeAt(number))
	}
}

// scanInodes looks at all inodes that were ever in use.
func (c *checker) scanInodes() {
	const together = 1024
	buffer := make([]byte, together*inodeSize)
	c.attributes = make(map[uint64]*attributes)
	for g := range c.groups {
		first := uint32(g)*c.super.groupInodes + 1
		for at, ever := 0, len(c.groups[g].nodes); at < ever; at += together {
			b := buffer[:min(together, ever-at)*inodeSize]
			if !c.read(b, int64(c.groups[g].table)*blockSize+int64(at)*inodeSize) {
				return
			}
			for i := 0; i < len(b); i += inodeSize {
				c.lookAtInode(first+uint32(at+i/inodeSize), b[i:i+inodeSize])
			}
		}
	}
	if root := c.node(rootInode); root == nil || root.kind != directoryFile {
		c.damage(0, "there is no root directory")
	}
	c.compareAttributes()
}

// lookAtInode looks at an inode, and what lists its blocks.
func (c *checker) lookAtInode(number uint32, raw []byte) {
	n := &inode{number: number, raw: raw, seed: c.super.inodeSeed(number, raw), orphan: c.orphans[number]}
	reserved := number < c.super.firstInode && number != rootInode
	switch {
	case c.err != nil || reserved && n.links() == 0 && isZero(n.tree()) && n.mode() == 0 && number != journalInode:
		return
	case n.links() == 0 && !n.orphan && !reserved:
		if n.mode() != 0 && le.Uint32(raw[20:]) == 0 {
			c.derived(number, "its deletion has no time")
			le.PutUint32(raw[20:], max(le.Uint32(c.super.raw[48:]), 1)) // s_wtime
			c.fixInode(number, raw)
		}
		return
	}
	if !c.super.seal(number, raw) {
		c.damage(number, "its inode is damaged, its checksum is wrong")
		c.enter(n)
		return
	}
	if n.kind, _ = kindOf(n.mode()); n.kind == unused && reserved && number != journalInode {
		n.kind = regularFile // the first inode lists bad blocks, and has no mode
	}
	switch {
	case n.flags()&foreignFlags != 0:
		c.damage(number, "it has flags that no file here has, %#x", n.flags()&foreignFlags)
	case n.flags()&indexFlag != 0 && n.kind != directoryFile:
		c.damage(number, "it has a hash tree, and is no directory")
	case reserved && n.attributes() != 0:
		c.damage(number, "it has extended attributes, which no reserved inode has")
	case number == resizeInode:
		c.lookAtResize(n)
	case n.kind == unused:
		c.damage(number, "it is of no kind, its mode is %#o", n.mode())
	case !n.orphan && !reserved && le.Uint32(raw[20:]) != 0:
		c.damage(number, "it is in use and has a time of deletion")
	case int(le.Uint16(raw[128:]))%4 != 0 || le.Uint16(raw[128:]) > inodeSize-128:
		c.damage(number, "the size of its inode is %d bytes", 128+int(le.Uint16(raw[128:])))
	default:
		c.lookAtBlocks(n)
	}
	if number == journalInode {
		c.lookAtJournal(n)
	}
	c.enter(n)
}

// enter keeps what was found out about an inode.
func (c *checker) enter(n *inode) {
	node := c.node(n.number)
	if node == nil {
		return
	}
	node.kind, node.orphan, node.claimed = max(n.kind, regularFile), n.orphan, n.links()
	c.report.Inodes++
	if n.kind == directoryFile {
		c.groups[(n.number-1)/c.super.groupInodes].directories++
		c.directories = append(c.directories, directory{
			inode: n.number, seed: n.seed, pieces: n.pieces, indexed: n.flags()&indexFlag != 0,
		})
	}
}

// lookAtBlocks looks at where an inode's data are.
func (c *checker) lookAtBlocks(n *inode) {
	attributes := n.attributes()
	switch {
	case n.flags()&extentsFlag != 0:
		c.lookAtExtents(n)
	case n.kind == link && n.size() < 60: // its target is in the inode
		if n.size() == 0 || bytes.IndexByte(n.tree(), 0) != int(n.size()) {
			c.harm(n, "it is a link whose target is damaged")
		}
	case n.kind == regularFile || n.kind == directoryFile || n.kind == link:
		c.lookAtLists(n)
	}
	if attributes != 0 {
		c.lookAtAttributes(n, attributes)
	}
	if at := 128 + int(le.Uint16(n.raw[128:])); at+4 <= inodeSize && le.Uint32(n.raw[at:]) == attributesMagic && !attributesSound(n.raw[at+4:], 0) {
		c.harm(n, "its extended attributes are damaged")
	}
	if n.bad {
		return
	}
	if n.blocks() != n.count {
		c.derived(n.number, "it has %d blocks and says %d", n.count, int64(n.blocks()))
		n.setBlocks(n.count)
		c.fixInode(n.number, n.raw)
	}
	if n.number != journalInode && !isZero(n.raw[112:116]) { // i_obso_faddr
		c.derived(n.number, "it says that it has a fragment, which nothing has")
		clear(n.raw[112:116])
		c.fixInode(n.number, n.raw)
	}
	c.lookAtSize(n)
}

// lookAtSize compares a file's size with where its data are. The size of one that is to be cut off is not final.
func (c *checker) lookAtSize(n *inode) {
	size := n.size()
	switch {
	case n.kind == directoryFile:
		if size == 0 || size%blockSize != 0 || size/blockSize != n.written {
			c.harm(n, "its size is %d bytes, and its entries are in %d blocks", size, n.written)
		}
	case n.number == journalInode:
		if size != n.written*blockSize {
			c.harm(n, "its size is %d bytes, and it has %d blocks", size, n.written)
		}
	case n.kind != regularFile && n.kind != link:
		if size != 0 {
			c.harm(n, "its size is %d bytes, and it has no data", size)
		}
	case n.flags()&extentsFlag != 0 && size > 1<<32*blockSize-1:
		c.harm(n, "its size is %d bytes, which no file can have", size)
	case !n.orphan && n.written > 0 && size < (n.written-1)*blockSize:
		c.harm(n, "its size is %d bytes, and its data reach to %d", size, n.written*blockSize)
	}
}

// harm adds a finding that is not for repair about an inode.
func (c *checker) harm(n *inode, format string, args ...any) {
	n.bad = true
	c.damage(n.number, format, args...)
}

// take gives blocks to an inode, and reports whether it is the only one that has them.
func (c *checker) take(n *inode, s span) bool {
	if !c.super.contains(s.first, s.count) {
		c.harm(n, "its blocks %s are beyond the end", s)
		return false
	}
	c.watch(s, n.number)
	n.count += s.count
	twice := c.used.add(s)
	if twice.count == 0 {
		return true
	}
	n.bad = true
	c.report.damaged++
	c.add(Finding{inode: n.number, twice: twice})
	return false
}

// String returns a span as a person would say it.
func (s span) String() string {
	if s.count == 1 {
		return fmt.Sprint(s.first)
	}
	return fmt.Sprintf("%d..%d", s.first, s.end()-1)
}
