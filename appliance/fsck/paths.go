package fsck

import (
	"fmt"
	"strconv"
	"strings"
)

// layoutOwner stands for an inode where blocks belong to none.
const layoutOwner = ^uint32(0)

// watch notes who has blocks whose owners are wanted. The first who takes them is meant.
func (c *checker) watch(s span, owner uint32) {
	for _, f := range c.watched {
		if f.owner == 0 && f.twice.overlaps(s) {
			f.owner = owner
		}
	}
}

// findOwners finds out who else has the blocks that somebody has too, by a second look at all inodes.
func (c *checker) findOwners() {
	second := &checker{r: c.r, err: c.err, super: c.super, fixes: make(map[uint32][]byte)}
	for i := range c.report.Findings {
		if f := &c.report.Findings[i]; f.twice.count > 0 {
			second.watched = append(second.watched, f)
		}
	}
	if len(second.watched) == 0 || c.err != nil {
		return
	}
	if second.layout(); second.err == nil {
		second.scanInodes()
	}
	c.err = second.err
}

// name is where an inode is found: in a directory, under a name.
type name struct {
	directory uint32
	text      string
}

// namePaths gives findings the paths of the files that they are about. It goes through all directories once for each level.
func (c *checker) namePaths() {
	const deepest = 32
	names := make(map[uint32]*name) // nil where it is wanted
	for _, f := range c.report.Findings {
		for _, inode := range []uint32{f.inode, f.owner} {
			if inode != 0 && inode != rootInode && inode != layoutOwner {
				names[inode] = nil
			}
		}
	}
	for range deepest {
		if !c.findNames(names) {
			break
		}
	}
	for i := range c.report.Findings {
		f := &c.report.Findings[i]
		if f.inode != 0 {
			f.Path = path(f.inode, names)
		}
		switch {
		case f.twice.count == 0:
		case f.owner == layoutOwner:
			f.Text = fmt.Sprintf("its blocks %s are of the file system itself", f.twice)
		case f.owner == f.inode:
			f.Text = fmt.Sprintf("it has its blocks %s twice", f.twice)
		default:
			f.Text = fmt.Sprintf("its blocks %s are used by %s too", f.twice, path(f.owner, names))
		}
	}
}

// findNames looks for the names that are wanted, and adds the directories of what it finds to these. It reports whether it
// found any.
func (c *checker) findNames(names map[uint32]*name) (found bool) {
	wanted := false
	for _, n := range names {
		wanted = wanted || n == nil
	}
	for i := 0; i < len(c.directories) && wanted; i++ {
		d := &c.directories[i]
		for block := range d.blocks() {
			b := c.block(d.at(block))
			for e, rest, ok := nextEntry(b); ok; e, rest, ok = nextEntry(rest) {
				if known, want := names[e.inode]; !want || known != nil || string(e.name) == "." || string(e.name) == ".." {
					continue
				}
				found = true
				names[e.inode] = &name{d.inode, string(e.name)}
				if _, asked := names[d.inode]; !asked && d.inode != rootInode {
					names[d.inode] = nil
				}
			}
		}
	}
	return found
}

// path returns the path of an inode, as far as it is known.
func path(inode uint32, names map[uint32]*name) string {
	if inode == rootInode {
		return "/"
	}
	var parts []string
	for at := inode; at != rootInode; {
		n := names[at]
		if n == nil || len(parts) > len(names) {
			return strings.Join(append([]string{fmt.Sprintf("inode %d", at)}, parts...), "/")
		}
		text := strings.Trim(strconv.Quote(n.text), `"`)
		parts = append([]string{text}, parts...)
		at = n.directory
	}
	return "/" + strings.Join(parts, "/")
}
