package ext4

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// The numbers of inodes.
const (
	rootInode    = 2
	resizeInode  = 7
	journalInode = 8
	firstInode   = 11 // lost+found
)

const (
	tailSize       = 12 // of a directory's block
	typeDirectory  = 2
	maxDirectories = groupInodes - firstInode
)

// directory is one that is being written.
type directory struct {
	Directory
	inode    uint32
	first    uint32 // block
	count    uint32 // blocks
	parent   *directory
	children []*directory
}

// planDirectories puts all directories into their parents and gives them inodes.
func (s *system) planDirectories() error {
	s.root = &directory{Directory: Directory{Path: ".", Mode: 0o755}, inode: rootInode, count: 1}
	s.root.parent = s.root
	known := map[string]*directory{".": s.root}
	s.all = []*directory{s.root}
	for _, d := range append([]Directory{{Path: "lost+found", Mode: 0o700}}, s.o.Directories...) {
		if err := s.add(known, d); err != nil {
			return fmt.Errorf("%s: %w", d.Path, err)
		}
	}
	return nil
}

func (s *system) add(known map[string]*directory, d Directory) error {
	parent := known[path.Dir(d.Path)]
	switch {
	case !fs.ValidPath(d.Path):
		return errors.New("it is not the path of a directory")
	case d.Mode&^(fs.ModeDir|fs.ModePerm|fs.ModeSetgid|fs.ModeSticky) != 0:
		return fmt.Errorf("its mode is %v", d.Mode)
	case d.Path == ".":
		s.root.Directory = d
		return nil
	case known[d.Path] != nil:
		return errors.New("it is there twice")
	case parent == nil:
		return errors.New("its parent does not come before it")
	case len(path.Base(d.Path)) > 255:
		return errors.New("its name is longer than 255 bytes")
	case len(s.all) > maxDirectories:
		return errors.New("there are too many directories")
	}
	n := &directory{Directory: d, inode: firstInode - 1 + uint32(len(s.all)), count: 1, parent: parent}
	if n.inode == firstInode {
		n.count = lostBlocks
	}
	known[d.Path] = n
	s.all = append(s.all, n)
	parent.children = append(parent.children, n)
	return nil
}

func (s *system) writeDirectories() error {
	for _, d := range s.all {
		d.first = s.allocate(d.count)
	}
	for _, d := range s.all {
		b, err := s.listing(d)
		if err != nil {
			return fmt.Errorf("%s: %w", d.Path, err)
		}
		if err := s.writeBlocks(d.first, b); err != nil {
			return err
		}
	}
	return nil
}

// listing returns a directory's blocks: its entries are in the first, the others are empty.
func (s *system) listing(d *directory) ([]byte, error) {
	slices.SortFunc(d.children, func(a, b *directory) int { return strings.Compare(a.Path, b.Path) })
	entries := appendEntry(nil, d.inode, ".")
	entries = appendEntry(entries, d.parent.inode, "..")
	last := len(entries) - entryLength("..")
	for _, c := range d.children {
		last = len(entries)
		entries = appendEntry(entries, c.inode, path.Base(c.Path))
	}
	if len(entries) > blockSize-tailSize {
		return nil, errors.New("there are too many directories in it")
	}
	b := make([]byte, d.count*blockSize)
	copy(b, entries)
	le.PutUint16(b[last+4:], uint16(blockSize-tailSize-last)) // the last entry reaches to the tail
	for block := range slices.Chunk(b, blockSize) {
		if le.Uint16(block[4:]) == 0 {
			le.PutUint16(block[4:], blockSize-tailSize)
		}
		tail := block[blockSize-tailSize:]
		tail[4], tail[7] = tailSize, 0xde
		le.PutUint32(tail[8:], checksum(s.inodeSeed(d.inode), block[:blockSize-tailSize]))
	}
	return b, nil
}

// entryLength is that of the entry of a name, in bytes.
func entryLength(name string) int { return 8 + (len(name)+3)/4*4 }

// appendEntry appends a directory's entry: inode (4), length of the entry (2), of the name (1), type (1), name.
func appendEntry(b []byte, inode uint32, name string) []byte {
	b = le.AppendUint32(b, inode)
	b = le.AppendUint16(b, uint16(entryLength(name)))
	b = append(b, byte(len(name)), typeDirectory)
	b = append(b, name...)
	return append(b, make([]byte, entryLength(name)-8-len(name))...)
}
