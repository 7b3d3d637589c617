package ext4

import "io/fs"

// inode is what differs between those that are written.
type inode struct {
	mode     uint16
	uid, gid uint32
	links    uint16
	size     uint64
	blocks   uint32 // in use, of 4 KiB
	extents  bool   // whether map is of extents
	blockMap [60]byte
}

const (
	modeFile      = 0x8000
	modeDirectory = 0x4000
	flagExtents   = 0x80000
	extentsMagic  = 0xf30a
	extraSize     = 32
)

// oneExtent returns the map of a file that lies in one piece.
func oneExtent(first, count uint32) (m [60]byte) {
	le.PutUint16(m[0:], extentsMagic)
	le.PutUint16(m[2:], 1) // extent, of at most
	le.PutUint16(m[4:], 4)
	le.PutUint16(m[16:], uint16(count)) // from block 0 of the file
	le.PutUint32(m[20:], first)
	return m
}

// writeInodes writes the table of group 0 up to the last inode in use. Reserved ones without a use remain zero.
func (s *system) writeInodes(resize, journal inode) error {
	table := make([]byte, tableBlocks*blockSize)
	put := func(number uint32, n inode) { copy(table[(number-1)*inodeSize:], s.encode(number, n)) }
	put(resizeInode, resize)
	put(journalInode, journal)
	for _, d := range s.all {
		put(d.inode, d.node())
	}
	end := (s.inodesUsed()*inodeSize + blockSize - 1) / blockSize * blockSize
	return s.writeBlocks(s.table(0), table[:end])
}

// inodesUsed returns how many inodes are in use, which are the first.
func (s *system) inodesUsed() uint32 {
	return firstInode - 2 + uint32(len(s.all)) // all directories but the root come from firstInode on
}

// node returns a directory's inode.
func (d *directory) node() inode {
	n := inode{
		mode: modeDirectory | uint16(d.Mode.Perm()), uid: d.UID, gid: d.GID, links: 2 + uint16(len(d.children)),
		size: uint64(d.count) * blockSize, blocks: d.count, extents: true, blockMap: oneExtent(d.first, d.count),
	}
	if d.Mode&fs.ModeSetgid != 0 {
		n.mode |= 0o2000
	}
	if d.Mode&fs.ModeSticky != 0 {
		n.mode |= 0o1000
	}
	return n
}

// encode returns an inode's bytes.
func (s *system) encode(number uint32, n inode) []byte {
	b := s.fields(n)
	sum := checksum(s.inodeSeed(number), b)
	le.PutUint16(b[124:], uint16(sum))
	le.PutUint16(b[130:], uint16(sum>>16))
	return b
}

// fields returns an inode's bytes without checksum.
func (s *system) fields(n inode) []byte {
	b := make([]byte, inodeSize)
	le.PutUint16(b[0:], n.mode)
	le.PutUint16(b[2:], uint16(n.uid))
	le.PutUint32(b[4:], uint32(n.size))
	le.PutUint16(b[24:], uint16(n.gid))
	le.PutUint16(b[26:], n.links)
	le.PutUint32(b[28:], n.blocks*(blockSize/512))
	if n.extents {
		le.PutUint32(b[32:], flagExtents)
	}
	copy(b[40:], n.blockMap[:])
	le.PutUint32(b[108:], uint32(n.size>>32))
	le.PutUint16(b[120:], uint16(n.uid>>16))
	le.PutUint16(b[122:], uint16(n.gid>>16))
	le.PutUint16(b[128:], extraSize)
	seconds := s.o.Time.Unix()
	for _, at := range [][2]int{{8, 140}, {12, 132}, {16, 136}, {144, 148}} { // read, changed, written, created
		le.PutUint32(b[at[0]:], uint32(seconds))
		le.PutUint32(b[at[1]:], uint32((seconds-int64(int32(seconds)))>>32)) // beyond 2038
	}
	return b
}
