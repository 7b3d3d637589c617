package fat32

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// node is a file or directory of the tree to be written.
type node struct {
	name      string
	data      []byte
	directory bool
	time      time.Time
	children  []*node // by name, once sorted
	parent    *node   // nil for the root
	cluster   uint32  // its first, zero if it is empty
}

// tree puts the files into their directories.
func tree(files []File, standard time.Time) (*node, error) {
	if err := checkTime(standard); err != nil {
		return nil, err
	}
	root := &node{directory: true, time: standard}
	known := map[string]*node{".": root}
	for _, f := range files {
		if err := add(known, f, standard); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return root, root.sort()
}

func checkTime(t time.Time) error {
	if y := t.UTC().Year(); y < 1980 || y > 2107 {
		return fmt.Errorf("the year %d cannot be written", y)
	}
	return nil
}

// add adds a file with the directories on the way to it.
func add(known map[string]*node, f File, standard time.Time) error {
	if f.Time.IsZero() {
		f.Time = standard
	}
	switch {
	case !fs.ValidPath(f.Path) || f.Path == ".":
		return fmt.Errorf("it is not the path of a file")
	case f.Directory && len(f.Data) > 0:
		return fmt.Errorf("a directory has no data")
	case int64(len(f.Data)) > 1<<32-1:
		return fmt.Errorf("%d bytes are more than a file can have", len(f.Data))
	}
	if err := checkTime(f.Time); err != nil {
		return err
	}
	if n := known[f.Path]; n != nil {
		if !n.directory || !f.Directory {
			return fmt.Errorf("it is there twice")
		}
		n.time = f.Time
		return nil
	}
	parent, err := directory(known, path.Dir(f.Path), standard)
	if err != nil {
		return err
	}
	return parent.add(known, f)
}

// directory returns the directory of a path, made if it is not there.
func directory(known map[string]*node, dir string, standard time.Time) (*node, error) {
	if n := known[dir]; n != nil {
		if !n.directory {
			return nil, fmt.Errorf("%s is a file", dir)
		}
		return n, nil
	}
	parent, err := directory(known, path.Dir(dir), standard)
	if err != nil {
		return nil, err
	}
	if err := parent.add(known, File{Path: dir, Directory: true, Time: standard}); err != nil {
		return nil, err
	}
	return known[dir], nil
}

func (n *node) add(known map[string]*node, f File) error {
	name := path.Base(f.Path)
	if err := checkName(name); err != nil {
		return err
	}
	child := &node{name: name, data: f.Data, directory: f.Directory, time: f.Time, parent: n}
	n.children = append(n.children, child)
	known[f.Path] = child
	return nil
}

// sort brings all children into the order of their names, in which two may not differ only in case.
func (n *node) sort() error {
	slices.SortFunc(n.children, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	seen := make(map[string]string)
	for _, c := range n.children {
		if other, ok := seen[folded(c.name)]; ok {
			return fmt.Errorf("the names %q and %q differ only in case", other, c.name)
		}
		seen[folded(c.name)] = c.name
		if err := c.sort(); err != nil {
			return err
		}
	}
	return nil
}
