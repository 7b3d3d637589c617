// Package ext4 makes small, empty ext4 file systems that Linux can grow while they are mounted.
//
// The format is that of the Linux kernel (Documentation/filesystems/ext4). Numbers are little-endian but in the journal;
// blocks have 4 KiB, inodes 256 bytes, and groups 32,768 blocks and 2,048 inodes: one for each 64 KiB of the disk. A file
// system of up to 16 groups, 2 GiB, is laid out as follows:
//
//	block of group 0   what
//	0                  superblock, 1,024 bytes from byte 1024
//	1                  group descriptors, 64 bytes each
//	2                  128 reserved blocks, for the descriptors of the groups that are added later
//	130                block bitmap of each group, inode bitmap of each group
//	130 + 2g           inode table of each group, 128 blocks each
//	130 + 130g         root directory; lost+found, 4 blocks; the directories asked for; the resize inode's block; the journal
//
// and groups 1, 3, 5, 7 and 9 begin with copies of the first three. All metadata has checksums (crc32c, seeded with that
// of the UUID), directories and journal are in extents. The features are has_journal, ext_attr, resize_inode, dir_index;
// filetype, extent, 64bit, flex_bg; sparse_super, large_file, huge_file, dir_nlink, extra_isize, metadata_csum.
//
// # Growing
//
// EXT4_IOC_RESIZE_FS adds groups to a mounted file system. Descriptors of more than 64 groups, 8 GiB, need further blocks
// right behind the first, in group 0 and in every copy: that is what the reserved ones are for, enough for 1 TiB (beyond
// that the kernel changes to another layout by itself). They belong to inode 7 so that nobody else takes them. Its
// double indirect block lists at place n the n-th block of descriptors in group 0, from the second one on, and that block
// lists where the copies of it will be:
//
//	inode 7, i_block[13]: d     block d: 0, 2, 3, 4 ...     block 2: 32768+2, 3*32768+2, 5*32768+2 ...
//
// # What the target must be
//
// Only what matters is written: the rest of the target must read as zeros. Where it does not, the unused parts of inode
// tables do no harm, since the kernel knows that they were never written; but the journal's would, if they held the
// journal of an earlier file system with the same UUID. So whoever copies an image to a used disk writes its zeros too.
package ext4

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

const (
	blockSize      = 4096
	groupBlocks    = 8 * blockSize
	groupInodes    = 2048
	inodeSize      = 256
	tableBlocks    = groupInodes * inodeSize / blockSize
	maxGroups      = 16 // of one flexible group, whose metadata are all in group 0
	descriptorSize = 64
	reservedBlocks = 128 // for descriptors
	frontBlocks    = 2 + reservedBlocks
	minLastGroup   = frontBlocks + 64
	lostBlocks     = 4
	minJournal     = 1024
	maxJournal     = 16384
)

// A Directory is one that is there from the start.
type Directory struct {
	Path     string      // slashed, without a slash at the start; "." is the root; parents come before what is in them
	Mode     fs.FileMode // permissions, and setgid, sticky
	UID, GID uint32
}

// Options are what a file system is.
type Options struct {
	Size        int64    // in bytes, a multiple of 4 KiB; from 32 MiB to 2 GiB
	Journal     int64    // in bytes, a multiple of 4 KiB; from 4 to 64 MiB, zero means a 16th of the size; it does not grow later
	UUID        [16]byte // in the order in which it is printed
	Label       string   // at most 16 bytes
	Time        time.Time
	Directories []Directory // the root belongs to user 0 and has the permissions 0755 if it is not among them
}

// Write writes a file system to w, which must read as zeros.
func Write(w io.WriterAt, o Options) error {
	s, err := plan(w, o)
	if err == nil {
		err = s.write()
	}
	if err != nil {
		return fmt.Errorf("building an ext4 file system: %w", err)
	}
	return nil
}

// system is a file system that is being written.
type system struct {
	w       io.WriterAt
	o       Options
	seed    uint32 // of all checksums
	blocks  uint32
	groups  uint32
	journal uint32 // blocks
	root    *directory
	all     []*directory // in the order of their inodes
	used    []bool       // blocks
	next    uint32       // first block of group 0 that nothing has
}

func plan(w io.WriterAt, o Options) (*system, error) {
	if o.Size%blockSize != 0 || o.Size < 32<<20 || o.Size > maxGroups*groupBlocks*blockSize {
		return nil, fmt.Errorf("it cannot have %d bytes", o.Size)
	}
	s := &system{w: w, o: o, blocks: uint32(o.Size / blockSize)}
	s.groups = (s.blocks + groupBlocks - 1) / groupBlocks
	s.used = make([]bool, s.groups*groupBlocks)
	s.seed = checksum(^uint32(0), o.UUID[:])
	if last := s.blocks - (s.groups-1)*groupBlocks; last < minLastGroup {
		return nil, fmt.Errorf("of %d bytes the last %d are too few for a group", o.Size, last*blockSize)
	}
	s.journal = min(max(s.blocks/16, minJournal), maxJournal)
	if o.Journal != 0 {
		s.journal = uint32(o.Journal / blockSize)
	}
	switch {
	case o.Journal%blockSize != 0 || o.Journal < 0 || o.Journal > maxJournal*blockSize || s.journal < minJournal:
		return nil, fmt.Errorf("its journal cannot have %d bytes", o.Journal)
	case len(o.Label) > 16:
		return nil, fmt.Errorf("the label %q is longer than 16 bytes", o.Label)
	case o.UUID == [16]byte{}:
		return nil, errors.New("it has no UUID")
	case o.Time.Unix() < 0 || o.Time.Unix() >= 1<<32:
		return nil, fmt.Errorf("the time %v cannot be written", o.Time)
	}
	return s, s.planDirectories()
}

func (s *system) write() error {
	s.reserveFront()
	resize, err := s.writeResize()
	if err != nil {
		return err
	}
	if err := s.writeDirectories(); err != nil {
		return err
	}
	journal, err := s.writeJournal()
	if err != nil {
		return err
	}
	if err := s.writeInodes(resize, journal); err != nil {
		return err
	}
	descriptors, err := s.writeGroups()
	if err != nil {
		return err
	}
	return s.writeSuperblocks(descriptors, journal)
}

// reserveFront takes the blocks whose places are fixed.
func (s *system) reserveFront() {
	for g := range s.groups {
		if hasCopy(g) {
			s.take(g*groupBlocks, frontBlocks)
		}
	}
	s.next = frontBlocks
	s.allocate(s.groups * (2 + tableBlocks))
	for b := s.blocks; b < s.groups*groupBlocks; b++ {
		s.used[b] = true // beyond the end
	}
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

func (s *system) take(first, count uint32) {
	for b := first; b < first+count; b++ {
		s.used[b] = true
	}
}

// allocate takes the next blocks of group 0, where everything but the copies is.
func (s *system) allocate(count uint32) (first uint32) {
	first = s.next
	s.take(first, count)
	s.next += count
	return first
}

func (s *system) writeBlocks(first uint32, b []byte) error {
	if _, err := s.w.WriteAt(b, int64(first)*blockSize); err != nil {
		return fmt.Errorf("writing block %d: %w", first, err)
	}
	return nil
}
