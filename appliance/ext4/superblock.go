package ext4

// The features, by their names in the kernel without the prefixes: what a reader may ignore, what it must know, and what
// it must know to write.
const (
	compatible   = 0x4 /* has_journal */ | 0x8 /* ext_attr */ | 0x10 /* resize_inode */ | 0x20 /* dir_index */
	incompatible = 0x2 /* filetype */ | 0x40 /* extents */ | 0x80 /* 64bit */ | 0x200          /* flex_bg */
	writable     = 0x1 /* sparse_super */ | 0x2 /* large_file */ | 0x8 /* huge_file */ | 0x20 /* dir_nlink */ |
		0x40 /* extra_isize */ | 0x400 /* metadata_csum */
)

// writeSuperblocks writes the superblock and the descriptors to every group that has them.
func (s *system) writeSuperblocks(descriptors []byte, journal inode) error {
	for g := range s.groups {
		if !hasCopy(g) {
			continue
		}
		b := make([]byte, 2*blockSize)
		super := b[:1024]
		if g == 0 {
			super = b[1024:2048]
		}
		s.superblock(super, g, journal)
		copy(b[blockSize:], descriptors)
		if err := s.writeBlocks(g*groupBlocks, b); err != nil {
			return err
		}
	}
	return nil
}

// superblock fills in the superblock of a group. The names are those of the kernel's documentation.
func (s *system) superblock(b []byte, group uint32, journal inode) {
	var free uint32
	for g := range s.groups {
		free += s.freeBlocks(g)
	}
	seconds := uint32(s.o.Time.Unix())
	for at, v := range map[int]uint32{
		0: s.groups * groupInodes, 4: s.blocks, 8: s.blocks / 100, // s_inodes_count, s_blocks_count, s_r_blocks_count: 1 % for root
		12: free, 16: s.groups*groupInodes - s.inodesUsed(), // s_free_blocks_count, s_free_inodes_count
		24: 2, 28: 2, 32: groupBlocks, 36: groupBlocks, 40: groupInodes, // log of block and cluster size less 10, sizes of groups
		48: seconds, 64: seconds, 264: seconds, // s_wtime, s_lastcheck, s_mkfs_time
		76: 1, 84: firstInode, 92: compatible, 96: incompatible, 100: writable, // s_rev_level, s_first_ino, features
		224: journalInode, 256: 0xc, 352: 1, // s_default_mount_opts: user_xattr, acl; s_flags: names are hashed as signed
	} {
		le.PutUint32(b[at:], v)
	}
	for at, v := range map[int]uint16{
		54: 0xffff, 56: 0xef53, 58: 1, 60: 2, // s_max_mnt_count: none; s_magic; s_state: clean; s_errors: read only from then on
		88: inodeSize, 90: uint16(group), 206: reservedBlocks, 254: descriptorSize, 348: extraSize, 350: extraSize,
	} {
		le.PutUint16(b[at:], v)
	}
	b[252], b[253], b[372], b[373] = 1, 1, 4, 1 // half MD4; s_jnl_blocks is valid; 16 groups to a flexible one; crc32c
	copy(b[104:120], s.o.UUID[:])
	copy(b[236:252], s.o.UUID[:]) // s_hash_seed
	copy(b[120:136], s.o.Label)
	copy(b[268:], journal.blockMap[:]) // s_jnl_blocks
	le.PutUint32(b[332:], uint32(journal.size))
	le.PutUint32(b[1020:], checksum(^uint32(0), b[:1020]))
}
