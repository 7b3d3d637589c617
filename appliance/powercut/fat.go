package powercut

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"hearth/appliance/ota"
)

const sector = 512

// node is the content of a file, by whatever name it is found.
type node struct {
	seen []byte         // what the running system sees
	disk map[int][]byte // the sectors that are on the disk
}

// place is where a folder says that a file is.
type place struct {
	node *node
	size int
}

// change is one that is not on the disk yet: of a sector of a node, or of what a name stands for.
type change struct {
	node  *node
	index int    // of the sector
	data  []byte // what it will hold

	name string
	to   *place // nil: the name is gone
}

// FAT is an ota.Boot.
type FAT struct {
	power   *Power
	names   map[string]*node // what the running system sees
	disk    map[string]place
	pending []change
	stale   []byte // what sectors hold that were not written
}

// NewFAT returns a file system with some files on its disk. Sectors that were not written hold stale, over and over.
func NewFAT(files map[string]string, stale string) *FAT {
	f := &FAT{power: On(-1), names: make(map[string]*node), disk: make(map[string]place), stale: []byte(stale)}
	for name, text := range files {
		file, err := f.Open(name, int64(len(text)))
		if err == nil {
			_, err = file.WriteAt([]byte(text), 0)
		}
		if err != nil {
			panic(err) // the model never fails with this power
		}
	}
	f.Sync()
	return f
}

// Lose returns the file system as it is found after the power was lost, fed by another.
func (f *FAT) Lose(luck Luck, next *Power) *FAT {
	disk := maps.Clone(f.disk)
	written := make(map[*node]map[int][]byte)
	overwritten := false // something was written after a name went: its sectors may be another's now
	for i, c := range f.pending {
		fate := luck(i, len(f.pending))
		switch {
		case c.node != nil && fate != lost:
			if written[c.node] == nil {
				written[c.node] = maps.Clone(c.node.disk)
			}
			old := f.sector(written[c.node], c.index)
			data := slices.Clone(c.data)
			if fate == torn {
				copy(data[sector/2:], old[sector/2:])
			}
			written[c.node][c.index] = data
			overwritten = true
		case c.node == nil && c.to == nil && fate == kept:
			delete(disk, c.name)
		case c.node == nil && c.to != nil && fate == kept:
			disk[c.name] = *c.to
		case c.node == nil && c.to != nil && fate == torn: // a long name that is half there is none
			if was, ok := disk[c.name]; !ok || was.node != c.to.node {
				delete(disk, c.name)
			}
		}
	}
	after := &FAT{power: next, names: make(map[string]*node), disk: make(map[string]place), stale: f.stale}
	for name, p := range disk {
		sectors := p.node.disk
		if written[p.node] != nil {
			sectors = written[p.node]
		}
		if f.names[name] != p.node && overwritten && !f.alive(p.node) {
			sectors = nil
		}
		fresh := &node{disk: make(map[int][]byte)}
		for i := range (p.size + sector - 1) / sector {
			fresh.disk[i] = f.sector(sectors, i)
			fresh.seen = append(fresh.seen, fresh.disk[i]...)
		}
		fresh.seen = fresh.seen[:p.size]
		after.names[name] = fresh
		after.disk[name] = place{fresh, p.size}
	}
	return after
}

// alive reports whether the running system sees a node by any name.
func (f *FAT) alive(n *node) bool {
	for _, other := range f.names {
		if other == n {
			return true
		}
	}
	return false
}

// sector returns one of some sectors, or what was there before.
func (f *FAT) sector(sectors map[int][]byte, i int) []byte {
	if data, ok := sectors[i]; ok {
		return data
	}
	data := make([]byte, sector)
	for n := 0; n < sector && len(f.stale) > 0; n += copy(data[n:], f.stale) {
	}
	return data
}

func (f *FAT) change(c change) {
	f.power.step()
	f.pending = append(f.pending, c)
}

// Open implements ota.Boot.
func (f *FAT) Open(name string, size int64) (ota.File, error) {
	n := f.names[name]
	if n == nil && size < 0 {
		return nil, fmt.Errorf("opening %s: %w", name, fs.ErrNotExist)
	}
	if n == nil {
		n = &node{disk: make(map[int][]byte)}
		f.change(change{name: name, to: &place{n, 0}})
		f.names[name] = n
	}
	if size >= 0 && len(n.seen) > int(size) {
		f.change(change{name: name, to: &place{n, int(size)}})
		n.seen = n.seen[:size]
	}
	return &fatFile{f, name, n}, nil
}

// Rename implements ota.Boot.
func (f *FAT) Rename(from, to string) error {
	n := f.names[from]
	if n == nil {
		return fmt.Errorf("renaming %s: %w", from, fs.ErrNotExist)
	}
	if f.names[to] != nil {
		return fmt.Errorf("renaming %s: %w", to, fs.ErrExist)
	}
	f.change(change{name: to, to: &place{n, len(n.seen)}})
	f.names[to] = n
	f.change(change{name: from})
	delete(f.names, from)
	return nil
}

// Remove implements ota.Boot.
func (f *FAT) Remove(name string) error {
	if f.names[name] == nil {
		return fmt.Errorf("removing %s: %w", name, fs.ErrNotExist)
	}
	f.change(change{name: name})
	delete(f.names, name)
	return nil
}

// List implements ota.Boot.
func (f *FAT) List(folder string) ([]string, error) {
	found := make(map[string]bool)
	for name := range f.names {
		if rest, ok := strings.CutPrefix(name, folder+"/"); ok {
			first, _, below := strings.Cut(rest, "/")
			if below {
				first += "/"
			}
			found[first] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// Sync implements ota.Boot. Power may be lost before it and after it.
func (f *FAT) Sync() error {
	f.power.step()
	for _, c := range f.pending {
		switch {
		case c.node != nil:
			c.node.disk[c.index] = c.data
		case c.to == nil:
			delete(f.disk, c.name)
		default:
			f.disk[c.name] = *c.to
		}
	}
	f.pending = nil
	f.power.step()
	return nil
}

// fatFile is an open file.
type fatFile struct {
	fat  *FAT
	name string
	node *node
}

func (f *fatFile) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(f.node.seen).ReadAt(p, at)
}
func (f *fatFile) Size() (int64, error) { return int64(len(f.node.seen)), nil }
func (f *fatFile) Close() error         { return nil }

func (f *fatFile) WriteAt(p []byte, at int64) (int, error) {
	end := int(at) + len(p)
	if grown := end - len(f.node.seen); grown > 0 {
		f.node.seen = append(f.node.seen, make([]byte, grown)...)
		f.fat.change(change{name: f.name, to: &place{f.node, end}})
	}
	copy(f.node.seen[at:], p)
	for i := int(at) / sector; i*sector < end; i++ {
		data := make([]byte, sector)
		copy(data, f.node.seen[i*sector:])
		f.fat.change(change{node: f.node, index: i, data: data})
	}
	return len(p), nil
}

var (
	_ ota.Boot  = (*FAT)(nil)
	_ io.Closer = (*fatFile)(nil)
)

// Files returns what the running system sees.
func (f *FAT) Files() map[string]string {
	files := make(map[string]string)
	for name, n := range f.names {
		files[name] = string(n.seen)
	}
	return files
}
