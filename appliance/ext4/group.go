package ext4

// The places of each group's bitmaps and table.
func (s *system) blockBitmap(group uint32) uint32 { return frontBlocks + group }
func (s *system) inodeBitmap(group uint32) uint32 { return frontBlocks + s.groups + group }
func (s *system) table(group uint32) uint32 {
	return frontBlocks + 2*s.groups + group*tableBlocks
}

const inodesUninitialised = 1 // the flag of a group none of whose inodes was ever in use

// writeGroups writes the bitmaps of all groups and returns their descriptors.
func (s *system) writeGroups() (descriptors []byte, err error) {
	for g := range s.groups {
		blocks, inodes := s.bitmaps(g)
		if err := s.writeBlocks(s.blockBitmap(g), blocks); err != nil {
			return nil, err
		}
		if err := s.writeBlocks(s.inodeBitmap(g), inodes); err != nil {
			return nil, err
		}
		descriptors = append(descriptors, s.descriptor(g, blocks, inodes)...)
	}
	return descriptors, nil
}

// bitmaps returns a group's bitmaps, in which what does not exist is in use.
func (s *system) bitmaps(group uint32) (blocks, inodes []byte) {
	blocks, inodes = make([]byte, blockSize), make([]byte, blockSize)
	for b := range uint32(groupBlocks) {
		if s.used[group*groupBlocks+b] {
			blocks[b/8] |= 1 << (b % 8)
		}
		if b >= groupInodes || b < s.inodesUsedOf(group) {
			inodes[b/8] |= 1 << (b % 8)
		}
	}
	return blocks, inodes
}

func (s *system) inodesUsedOf(group uint32) uint32 {
	if group == 0 {
		return s.inodesUsed()
	}
	return 0
}

func (s *system) freeBlocks(group uint32) (free uint32) {
	for _, used := range s.used[group*groupBlocks:][:groupBlocks] {
		if !used {
			free++
		}
	}
	return free
}

func (s *system) descriptor(group uint32, blocks, inodes []byte) []byte {
	d := make([]byte, descriptorSize)
	le.PutUint32(d[0:], s.blockBitmap(group))
	le.PutUint32(d[4:], s.inodeBitmap(group))
	le.PutUint32(d[8:], s.table(group))
	le.PutUint16(d[12:], uint16(s.freeBlocks(group)))
	le.PutUint16(d[14:], uint16(groupInodes-s.inodesUsedOf(group)))
	le.PutUint16(d[28:], uint16(groupInodes-s.inodesUsedOf(group))) // never in use
	if group == 0 {
		le.PutUint16(d[16:], uint16(len(s.all))) // directories
	} else {
		le.PutUint16(d[18:], inodesUninitialised)
	}
	ofBlocks, ofInodes := checksum(s.seed, blocks), checksum(s.seed, inodes[:groupInodes/8])
	le.PutUint16(d[24:], uint16(ofBlocks))
	le.PutUint16(d[56:], uint16(ofBlocks>>16))
	le.PutUint16(d[26:], uint16(ofInodes))
	le.PutUint16(d[58:], uint16(ofInodes>>16))
	le.PutUint16(d[30:], uint16(checksum(checksumNumber(s.seed, group), d))) // with itself zero
	return d
}
