package ext4

import "fmt"

// writeJournal writes the superblock of an empty journal, and returns the journal's inode. Its numbers are big-endian:
//
//	 0  magic c03b3998          16  blocks                  48 16 UUID
//	 4  4: superblock           20  first block of the log  64    file systems that use it
//	12  block size              24  first transaction
func (s *system) writeJournal() (inode, error) {
	if s.next+s.journal > min(groupBlocks, s.blocks) {
		return inode{}, fmt.Errorf("a journal of %d blocks does not fit into the first group", s.journal)
	}
	first := s.allocate(s.journal)
	b := make([]byte, blockSize)
	for at, v := range map[int]uint32{0: 0xc03b3998, 4: 4, 12: blockSize, 16: s.journal, 20: 1, 24: 1, 64: 1} {
		be.PutUint32(b[at:], v)
	}
	copy(b[48:], s.o.UUID[:])
	n := inode{
		mode: modeFile | 0o600, links: 1, size: uint64(s.journal) * blockSize, blocks: s.journal,
		extents: true, blockMap: oneExtent(first, s.journal),
	}
	return n, s.writeBlocks(first, b)
}
