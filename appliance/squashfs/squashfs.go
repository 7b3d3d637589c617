// Package squashfs writes read-only file systems of the format squashfs 4.0.
//
// The format is the Linux kernel's (fs/squashfs/squashfs_fs.h, Documentation/filesystems/squashfs.rst). Numbers are
// little-endian. An image is
//
//	superblock    96 bytes
//	data          the files' blocks, then the fragment blocks
//	inodes        \
//	directories    | each a sequence of metadata blocks
//	fragments      |
//	identities    /
//	              zeros up to a multiple of 4 KiB
//
// A file is cut into blocks of 128 KiB (or another power of 2 up to 1 MiB), each compressed for itself. A file that is
// smaller than a block lies with others in a fragment block. Files of the same content share it.
//
// A metadata block has two bytes, the size of what follows (with bit 15 set if that is not compressed), and holds 8 KiB
// of what it is a part of, the last one less. A reference is the place of a metadata block, in bytes from the table's
// start, times 65536, plus an offset in what it holds. The tables of fragments and of identities are followed by the
// places of their metadata blocks, 8 bytes each; the superblock points at those.
//
// The compression is zlib, the only one that all of gokrazy's kernels can read: CONFIG_SQUASHFS_ZLIB alone is set.
//
//	superblock                              inode: 16 bytes, and then by its type
//	 0  4  "hsqs"                            0  2  1 directory, 2 file, 3 symbolic link, 4 block device,
//	 4  4  number of inodes                        5 character device, 6 FIFO, 7 socket, 8 large directory
//	 8  4  time, in seconds since 1970       2  2  permissions
//	12  4  block size                        4  2  user, as an index of the table of identities
//	16  4  number of fragment blocks         6  2  group, the same
//	20  2  compression: 1 for zlib           8  4  time
//	22  2  log2 of the block size           12  4  number, from 1
//	24  2  flags: 0240, duplicates are     1: block (4) and offset (2, at 26) of the listing, links (4, at 20), size + 3
//	       shared, no extended attributes     (2, at 24), number of the parent (4, at 28)
//	26  2  number of identities            2: place of the first block (4), fragment block (4) or ffffffff, offset in it
//	28  4  4, 0: the version                  (4), size (4), then for each block its size (4), with bit 24 set if it is
//	32  8  reference of the root's inode      not compressed, zero if it is all zeros
//	40  8  bytes up to the end             3: links (4), size (4), target
//	48  8  identities                      4, 5: links (4), device (4): minor&255 | major<<8 | minor>>8<<20
//	56  8  ff: extended attributes         6, 7: links (4)
//	64  8  inodes                          8: links (4), size + 3 (4), block (4), parent (4), 0 (2), offset (2),
//	72  8  directories                        ffffffff
//	80  8  fragments
//	88  8  ff: export table
//
// A directory's listing is sorted by name, in runs of up to 256 entries whose inodes are in the same metadata block: the
// number of entries less 1 (4), the metadata block (4), a number of an inode (4); then for each entry the offset of its
// inode (2), what its number is more than that of the run (2, signed), its type (2), the length of its name less 1 (2),
// the name. For example the listing of a directory with one file, init, that is the first inode:
//
//	00000000 00000000 01000000 0000 0000 0200 0300 696e6974
package squashfs

import (
	"fmt"
	"io"
	"io/fs"
	"time"
)

const (
	superblockSize   = 96
	metadataSize     = 8192
	defaultBlockSize = 128 << 10
	noFragment       = 0xffffffff
	padding          = 4096
)

// A File is a file of any kind: what it holds depends on the type in its mode.
type File struct {
	Path   string      // slashed, without a slash at the start; "." is the root
	Mode   fs.FileMode // type, permissions, and setuid, setgid, sticky
	UID    uint32
	GID    uint32
	Time   time.Time // last written; zero means the image's
	Data   []byte    // of a regular file
	Target string    // of a symbolic link
	Major  uint32    // of a device
	Minor  uint32
}

// Options are how an image is made, besides its files.
type Options struct {
	Time      time.Time // of the image, and of files without one; from 1970 to 2106
	BlockSize int       // a power of 2 from 4 KiB to 1 MiB; zero means 128 KiB
	Workers   int       // how many blocks are compressed at a time; that changes nothing in the image; zero means 1
}

// Write writes an image with the files to w, and returns its size, which is a multiple of 4 KiB. Directories that files
// are in but are not among them belong to user 0 and have the permissions 0755, as has the root.
func Write(w io.WriterAt, files []File, o Options) (size int64, err error) {
	if o.BlockSize == 0 {
		o.BlockSize = defaultBlockSize
	}
	if b := o.BlockSize; b < 4<<10 || b > 1<<20 || b&(b-1) != 0 {
		return 0, fmt.Errorf("building a squashfs: a block cannot have %d bytes", b)
	}
	root, err := tree(files, o.Time)
	if err != nil {
		return 0, fmt.Errorf("building a squashfs: %w", err)
	}
	i := &image{o: o, w: w, root: root, at: superblockSize}
	if err := i.write(); err != nil {
		return 0, fmt.Errorf("building a squashfs: %w", err)
	}
	return i.at, nil
}
