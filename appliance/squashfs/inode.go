package squashfs

import (
	"fmt"
	"math"
)

// place is where an inode is in its table.
type place struct {
	block  uint32
	offset uint16
}

// writeNode writes the inodes below n, its listing if it is a directory, and its inode.
func (i *image) writeNode(n *node) (at place, err error) {
	places := make([]place, len(n.children))
	for c, child := range n.children {
		if places[c], err = i.writeNode(child); err != nil {
			return at, err
		}
	}
	b, err := i.header(n)
	if err != nil {
		return at, err
	}
	if n.file.Mode.IsDir() {
		b, err = i.appendDirectory(b, n, places)
		if err != nil {
			return at, err
		}
	} else {
		b = appendOther(b, n)
	}
	at.block, at.offset = i.inodes.reference()
	i.inodes.write(b)
	return at, nil
}

// header returns what every inode begins with.
func (i *image) header(n *node) ([]byte, error) {
	user, err := i.id(n.file.UID)
	if err != nil {
		return nil, err
	}
	group, err := i.id(n.file.GID)
	if err != nil {
		return nil, err
	}
	b := le.AppendUint16(nil, kind(n.file.Mode))
	b = le.AppendUint16(b, permissions(n.file.Mode))
	b = le.AppendUint16(b, user)
	b = le.AppendUint16(b, group)
	b = le.AppendUint32(b, n.seconds)
	return le.AppendUint32(b, n.number), nil
}

// appendDirectory writes a directory's listing and appends the rest of its inode.
func (i *image) appendDirectory(b []byte, n *node, places []place) ([]byte, error) {
	l := listing(n.children, places)
	if len(l) > math.MaxUint32-3 {
		return nil, fmt.Errorf("the directory %q has too many files", n.name)
	}
	block, offset := i.listings.reference()
	i.listings.write(l)
	links, size := uint32(2), uint32(len(l)+3) // the size counts `.` and `..`
	for _, c := range n.children {
		if c.file.Mode.IsDir() {
			links++
		}
	}
	if size <= math.MaxUint16 {
		b = le.AppendUint32(b, block)
		b = le.AppendUint32(b, links)
		b = le.AppendUint16(b, uint16(size))
		b = le.AppendUint16(b, offset)
		return le.AppendUint32(b, n.parentNumber()), nil
	}
	le.PutUint16(b, largeDirectory)
	for _, v := range []uint32{links, size, block, n.parentNumber()} {
		b = le.AppendUint32(b, v)
	}
	b = le.AppendUint16(b, 0) // no index: it only speeds up looking for names
	b = le.AppendUint16(b, offset)
	return le.AppendUint32(b, math.MaxUint32), nil
}

// parentNumber returns the number of the parent's inode; the root has as its parent one that does not exist.
func (n *node) parentNumber() uint32 {
	if n.parent == n {
		return n.number + 1
	}
	return n.parent.number
}

// listing returns a directory's entries.
func listing(children []*node, places []place) (b []byte) {
	for start := 0; start < len(children); {
		end := start + 1
		for end < len(children) && end-start < 256 && places[end].block == places[start].block &&
			children[end].number-children[start].number <= math.MaxInt16 {
			end++
		}
		b = le.AppendUint32(b, uint32(end-start-1))
		b = le.AppendUint32(b, places[start].block)
		b = le.AppendUint32(b, children[start].number)
		for c := start; c < end; c++ {
			b = le.AppendUint16(b, places[c].offset)
			b = le.AppendUint16(b, uint16(children[c].number-children[start].number))
			b = le.AppendUint16(b, kind(children[c].file.Mode))
			b = le.AppendUint16(b, uint16(len(children[c].name)-1))
			b = append(b, children[c].name...)
		}
		start = end
	}
	return b
}

// appendOther appends the rest of the inode of what is not a directory.
func appendOther(b []byte, n *node) []byte {
	const links = 1
	switch kind(n.file.Mode) {
	case regular:
		for _, v := range []uint32{n.content.start, n.content.fragment, n.content.offset, uint32(len(n.file.Data))} {
			b = le.AppendUint32(b, v)
		}
		for _, size := range n.content.sizes {
			b = le.AppendUint32(b, size)
		}
		return b
	case symlink:
		b = le.AppendUint32(b, links)
		b = le.AppendUint32(b, uint32(len(n.file.Target)))
		return append(b, n.file.Target...)
	case blockDevice, characterDevice:
		b = le.AppendUint32(b, links)
		return le.AppendUint32(b, n.file.Minor&0xff|n.file.Major<<8|n.file.Minor>>8<<20)
	}
	return le.AppendUint32(b, links)
}
