package squashfs

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"time"
)

// node is a file of the tree to be written.
type node struct {
	name     string
	file     File
	seconds  uint32
	children []*node // of a directory, by name once sorted
	parent   *node   // the root's is itself
	number   uint32  // of its inode
	content  *content
}

// tree puts the files into their directories, sorts and numbers them.
func tree(files []File, standard time.Time) (*node, error) {
	known := make(map[string]*node)
	if err := implied(known, ".", standard); err != nil {
		return nil, err
	}
	given := make(map[string]bool)
	for _, f := range files {
		if given[f.Path] {
			return nil, fmt.Errorf("%s is there twice", f.Path)
		}
		given[f.Path] = true
		if err := add(known, f, standard); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	root := known["."]
	root.number = root.enumerate(0)
	return root, nil
}

// implied adds the directory of a path if it is not there.
func implied(known map[string]*node, dir string, standard time.Time) error {
	if n := known[dir]; n != nil {
		if !n.file.Mode.IsDir() {
			return fmt.Errorf("%s is no directory", dir)
		}
		return nil
	}
	return add(known, File{Path: dir, Mode: fs.ModeDir | 0o755}, standard)
}

func add(known map[string]*node, f File, standard time.Time) error {
	if f.Time.IsZero() {
		f.Time = standard
	}
	if err := check(f); err != nil {
		return err
	}
	n := &node{name: path.Base(f.Path), file: f, seconds: uint32(f.Time.Unix())}
	if old := known[f.Path]; old != nil {
		if !f.Mode.IsDir() || !old.file.Mode.IsDir() {
			return errors.New("it is a directory, and something else")
		}
		old.file, old.seconds = f, n.seconds
		return nil
	}
	known[f.Path] = n
	if f.Path == "." {
		n.parent = n
		return nil
	}
	if err := implied(known, path.Dir(f.Path), standard); err != nil {
		return err
	}
	n.parent = known[path.Dir(f.Path)]
	n.parent.children = append(n.parent.children, n)
	return nil
}

// check returns an error if a file cannot be written.
func check(f File) error {
	seconds := f.Time.Unix()
	switch {
	case !fs.ValidPath(f.Path) || f.Path == "." && !f.Mode.IsDir():
		return errors.New("it is not the path of a file")
	case len(path.Base(f.Path)) > 255:
		return errors.New("its name is longer than 255 bytes")
	case seconds < 0 || seconds > math.MaxUint32:
		return fmt.Errorf("the time %v cannot be written", f.Time)
	case kind(f.Mode) == 0:
		return fmt.Errorf("its mode is %v", f.Mode)
	case len(f.Data) > 0 && !f.Mode.IsRegular():
		return errors.New("only a regular file has data")
	case (f.Target != "") != (f.Mode.Type() == fs.ModeSymlink) || len(f.Target) > 4095 || strings.Contains(f.Target, "\x00"):
		return fmt.Errorf("with mode %v, its target cannot be %q", f.Mode, f.Target)
	case f.Major >= 1<<12 || f.Minor >= 1<<20:
		return fmt.Errorf("device %d:%d cannot be written", f.Major, f.Minor)
	}
	return nil
}

// The types of inodes.
const (
	directory = iota + 1
	regular
	symlink
	blockDevice
	characterDevice
	fifo
	socket
	largeDirectory
)

// kind returns the type of a mode's inode, zero if there is none.
func kind(mode fs.FileMode) uint16 {
	switch mode.Type() {
	case 0:
		return regular
	case fs.ModeDir:
		return directory
	case fs.ModeSymlink:
		return symlink
	case fs.ModeDevice:
		return blockDevice
	case fs.ModeDevice | fs.ModeCharDevice:
		return characterDevice
	case fs.ModeNamedPipe:
		return fifo
	case fs.ModeSocket:
		return socket
	}
	return 0
}

// permissions returns a mode's lower twelve bits as Unix has them.
func permissions(mode fs.FileMode) uint16 {
	bits := uint16(mode.Perm())
	for i, flag := range []fs.FileMode{fs.ModeSticky, fs.ModeSetgid, fs.ModeSetuid} {
		if mode&flag != 0 {
			bits |= 0o1000 << i
		}
	}
	return bits
}

// enumerate sorts what is below n and numbers it after last, what is in a directory before it; it returns n's number.
func (n *node) enumerate(last uint32) uint32 {
	slices.SortFunc(n.children, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	for _, c := range n.children {
		last = c.enumerate(last)
	}
	n.number = last + 1
	return n.number
}

// walk calls visit for n and all below it, directories before what is in them.
func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, c := range n.children {
		c.walk(visit)
	}
}
