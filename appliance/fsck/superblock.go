package fsck

import (
	"fmt"
	"io"
	"slices"
)

const (
	superblockAt   = 1024
	superblockSize = 1024
)

// The features by their names in the kernel, those of each of the three words that are known here.
const (
	journalFeature   = 0x4
	resizeFeature    = 0x10
	compatible       = journalFeature | 0x8 /* ext_attr */ | resizeFeature | 0x20 /* dir_index */
	recoverFeature   = 0x4
	metaFeature      = 0x10
	seedFeature      = 0x2000
	incompatibleMust = 0x2 /* filetype */ | 0x40 /* extents */ | 0x80 /* 64bit */
	incompatible     = incompatibleMust | recoverFeature | metaFeature | 0x200 /* flex_bg */ | seedFeature
	linksFeature     = 0x20                                                                            // dir_nlink
	writableMust     = 0x1 /* sparse_super */ | 0x400                                                  /* metadata_csum */
	writable         = writableMust | 0x2 /* large_file */ | 0x8 /* huge_file */ | linksFeature | 0x40 /* extra_isize */
)

// The bits of s_state.
const (
	stateClean  = 1
	stateErrors = 2
)

// superblock is what a superblock says. The names behind the fields are those of the kernel's documentation.
type superblock struct {
	raw          []byte
	blocks       uint64 // s_blocks_count
	groups       uint32
	groupInodes  uint32 // s_inodes_per_group
	features     [3]uint32
	reserved     uint32 // s_reserved_gdt_blocks
	firstMeta    uint32 // s_first_meta_bg
	firstInode   uint32 // s_first_ino
	lastOrphan   uint32 // s_last_orphan
	seed         uint32 // of all checksums
	hashSeed     [4]uint32
	hashUnsigned bool // names are hashed as if of unsigned bytes
}

// State tells by the superblock of a file system of at most size bytes whether it is to be checked before it is used: its journal
// is to be replayed, or it was not left clean, or an error was seen. An error is ErrUnknown, or one of reading.
func State(r io.ReaderAt, size int64) (toCheck bool, err error) {
	s, err := readSuperblock(r, size)
	if err != nil {
		return false, fmt.Errorf("reading the superblock of an ext4 file system: %w", err)
	}
	return s.marked() || s.has(1, recoverFeature), nil
}

// Mark writes into the superblock of a file system that it is to be checked. A replay of the journal keeps this mark.
func Mark(d Disk, size int64) error {
	s, err := readSuperblock(d, size)
	if err == nil {
		err = writeMark(d, s.raw)
	}
	if err != nil {
		return fmt.Errorf("marking an ext4 file system for a check: %w", err)
	}
	return nil
}

// intact returns an error unless b is a superblock with its checksum.
func intact(b []byte) error {
	switch {
	case le.Uint16(b[56:]) != 0xef53:
		return fmt.Errorf("%w: there is no ext4 file system", ErrUnknown)
	case le.Uint32(b[100:])&writableMust != writableMust || b[373] != 1:
		return fmt.Errorf("%w: it has no checksums of crc32c", ErrUnknown)
	case le.Uint32(b[1020:]) != checksum(^uint32(0), b[:1020]):
		return fmt.Errorf("%w: the superblock is damaged, its checksum is wrong", ErrUnknown)
	}
	return nil
}

// readSuperblock reads the superblock of a file system that can be checked, when its journal has been replayed.
func readSuperblock(r io.ReaderAt, size int64) (*superblock, error) {
	b := make([]byte, superblockSize)
	if _, err := r.ReadAt(b, superblockAt); err != nil {
		return nil, err
	}
	if err := intact(b); err != nil {
		return nil, err
	}
	s := &superblock{
		raw: b, blocks: uint64(le.Uint32(b[4:])) | uint64(le.Uint32(b[336:]))<<32, groupInodes: le.Uint32(b[40:]),
		features: [3]uint32{le.Uint32(b[92:]), le.Uint32(b[96:]), le.Uint32(b[100:])},
		reserved: uint32(le.Uint16(b[206:])), firstMeta: le.Uint32(b[260:]), firstInode: le.Uint32(b[84:]), lastOrphan: le.Uint32(b[232:]),
		seed: checksum(^uint32(0), b[104:120]), hashUnsigned: le.Uint32(b[352:])&2 != 0,
	}
	if s.has(1, seedFeature) {
		s.seed = le.Uint32(b[624:])
	}
	for i := range s.hashSeed {
		s.hashSeed[i] = le.Uint32(b[236+4*i:])
	}
	if err := s.known(); err != nil {
		return nil, err
	}
	return s, s.measure(size)
}

func (s *superblock) has(word int, feature uint32) bool { return s.features[word]&feature != 0 }

// known returns an error for what is not of the kind that is checked here.
func (s *superblock) known() error {
	for word, known := range []uint32{compatible, incompatible, writable} {
		if unknown := s.features[word] &^ known; unknown != 0 {
			return fmt.Errorf("%w: it has features that are not known, %#x of word %d", ErrUnknown, unknown, word)
		}
	}
	if s.features[1]&incompatibleMust != incompatibleMust || !s.has(0, journalFeature) || s.has(0, resizeFeature) && s.has(1, metaFeature) {
		return fmt.Errorf("%w: it lacks features that all have which are known", ErrUnknown)
	}
	for at, want := range map[int]uint32{20: 0, 24: 2, 28: 2, 32: groupBlocks, 36: groupBlocks, 76: 1, 208: 0, 212: 0, 216: 0, 220: 0,
		224: journalInode, 228: 0, 576: 0, 580: 0, 620: 0} {
		// s_first_data_block; sizes of blocks, clusters, groups; s_rev_level, s_journal_uuid, s_journal_inum, s_journal_dev; inodes for quotas
		if le.Uint32(s.raw[at:]) != want {
			return fmt.Errorf("%w: byte %d of the superblock has %d, not %d", ErrUnknown, at, le.Uint32(s.raw[at:]), want)
		}
	}
	for at, want := range map[int]uint16{88: inodeSize, 254: descriptorSize} {
		if le.Uint16(s.raw[at:]) != want {
			return fmt.Errorf("%w: byte %d of the superblock has %d, not %d", ErrUnknown, at, le.Uint16(s.raw[at:]), want)
		}
	}
	for _, at := range []int{348, 350} { // s_min_extra_isize, s_want_extra_isize
		if extra := le.Uint16(s.raw[at:]); extra%4 != 0 || extra > inodeSize-128 {
			return fmt.Errorf("%w: byte %d of the superblock has %d, which does not fit into inodes", ErrUnknown, at, extra)
		}
	}
	return nil
}

// measure sees whether the sizes can be.
func (s *superblock) measure(size int64) error {
	s.groups = uint32((s.blocks + groupBlocks - 1) / groupBlocks)
	perTableBlock := uint32(blockSize / inodeSize)
	switch {
	case s.blocks < 64 || s.blocks > uint64(max(size, 0))/blockSize || s.blocks >= 1<<32:
		return fmt.Errorf("%w: it has %d blocks and its disk %d bytes", ErrUnknown, s.blocks, size)
	case s.groupInodes == 0 || s.groupInodes%perTableBlock != 0 || s.groupInodes > 8*blockSize ||
		uint64(s.groupInodes)*uint64(s.groups) != uint64(le.Uint32(s.raw[0:])):
		return fmt.Errorf("%w: it has %d inodes, %d in each of %d groups", ErrUnknown, le.Uint32(s.raw[0:]), s.groupInodes, s.groups)
	case s.firstInode != lostInode:
		return fmt.Errorf("%w: its first inode is %d", ErrUnknown, s.firstInode)
	case s.reserved > addresses || s.has(1, metaFeature) && s.firstMeta > s.descriptorBlocks():
		return fmt.Errorf("%w: it reserves %d blocks for descriptors, and other places from block %d of them on", ErrUnknown, s.reserved, s.firstMeta)
	}
	return nil
}

func (s *superblock) descriptorBlocks() uint32 { return (s.groups + perBlock - 1) / perBlock }

// contains reports whether blocks are all in the file system.
func (s *superblock) contains(first, count uint64) bool {
	return first > 0 && count <= s.blocks && first <= s.blocks-count
}

// marked reports whether the file system was in use, or an error was seen.
func (s *superblock) marked() bool {
	return le.Uint16(s.raw[58:]) != stateClean || !isZero(s.raw[errorsFrom:errorsTo]) && le.Uint32(s.raw[errorsFrom:]) != 0
}

// The bytes of a superblock in which the kernel tells of errors.
const (
	errorsFrom = 404 // s_error_count
	errorsTo   = 512
)

// clean returns the superblock as that of a file system without error.
func (s *superblock) clean() []byte {
	b := slices.Clone(s.raw)
	le.PutUint16(b[58:], stateClean)
	clear(b[errorsFrom:errorsTo])
	return b
}

func isZero(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
}

// hasCopy reports whether a group has a copy of the superblock: 0, 1, and the powers of 3, 5 and 7 have.
func hasCopy(group uint32) bool {
	if group < 2 {
		return true
	}
	for _, base := range []uint32{3, 5, 7} {
		n := base
		for n < group {
			n *= base
		}
		if n == group {
			return true
		}
	}
	return false
}
