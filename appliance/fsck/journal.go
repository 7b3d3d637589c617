package fsck

const (
	journalMagic = 0xc03b3998
	journalSums  = 0x8 | 0x10 // JBD2_FEATURE_INCOMPAT_CSUM_V2, V3
)

// lookAtJournal looks at the journal's inode and at its superblock, see appliance/ext4.
func (c *checker) lookAtJournal(n *inode) {
	if n.kind != regularFile || len(n.pieces) == 0 || n.links() == 0 {
		if !n.bad {
			c.damage(0, "there is no journal")
		}
		return
	}
	b := c.block(n.pieces[0].first)
	if n.bad || b == nil {
		return
	}
	b = b[:1024]
	held := be.Uint32(b[252:])
	clear(b[252:256])
	kind := be.Uint32(b[4:])
	switch {
	case be.Uint32(b[0:]) != journalMagic || kind != 3 && kind != 4 || be.Uint32(b[12:]) != blockSize || uint64(be.Uint32(b[16:])) > n.written:
		c.damage(0, "the journal is damaged")
	case be.Uint32(b[40:])&journalSums != 0 && held != checksum(^uint32(0), b):
		c.damage(0, "the journal is damaged, its checksum is wrong")
	case be.Uint32(b[28:]) != 0:
		c.damage(0, "the journal is not empty, and the superblock says that it is")
	}
}
