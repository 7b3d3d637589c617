package ext4

const addresses = blockSize / 4 // in an indirect block

// writeResize writes the blocks of the inode to which the reserved blocks belong, and returns it.
func (s *system) writeResize() (inode, error) {
	double := s.allocate(1)
	list := make([]byte, blockSize)
	n := inode{mode: modeFile | 0o600, links: 1, size: (addresses*addresses + addresses + 12) * blockSize, blocks: 1}
	for i := range uint32(reservedBlocks) {
		at := 2 + i // the block of descriptors i+1
		le.PutUint32(list[(i+1)*4:], at)
		copies := make([]byte, 0, blockSize)
		for g := uint32(1); g < s.groups; g++ {
			if hasCopy(g) {
				copies = le.AppendUint32(copies, g*groupBlocks+at)
			}
		}
		n.blocks += 1 + uint32(len(copies)/4)
		if err := s.writeBlocks(at, copies[:blockSize]); err != nil {
			return n, err
		}
	}
	le.PutUint32(n.blockMap[13*4:], double)
	return n, s.writeBlocks(double, list)
}
