package fat32

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A Volume is a FAT32 volume to read from. It is an [fs.FS] in which the case of names does not matter.
type Volume struct {
	r     io.ReaderAt
	g     geometry
	start int64  // first sector of the table
	label string // of the boot sector
	id    uint32
	root  uint32
}

// Open returns the volume that r holds, written by this package or any other.
func Open(r io.ReaderAt) (*Volume, error) {
	b := make([]byte, sector)
	if _, err := r.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("reading the boot sector of a FAT32 volume: %w", err)
	}
	v := &Volume{r: r, start: int64(le.Uint16(b[14:])), root: le.Uint32(b[44:])}
	v.id, v.label = le.Uint32(b[67:]), strings.TrimRight(string(b[71:82]), " ")
	v.g = geometry{sectors: int64(le.Uint32(b[32:])), table: int64(le.Uint32(b[36:])), cluster: int64(b[13])}
	copies := int64(b[16])
	switch {
	case b[510] != 0x55 || b[511] != 0xaa || le.Uint16(b[11:]) != sector || le.Uint16(b[22:]) != 0 || v.g.table == 0:
		return nil, errors.New("this is no FAT32 volume with sectors of 512 bytes")
	case v.g.cluster == 0 || v.g.cluster&(v.g.cluster-1) != 0 || copies == 0 || v.start == 0:
		return nil, errors.New("the boot sector of the FAT32 volume is damaged")
	}
	v.g.before = v.start + copies*v.g.table
	v.g.clusters = (v.g.sectors - v.g.before) / v.g.cluster
	if v.g.clusters <= 0 || v.g.clusters > maxClusters || (v.g.clusters+rootCluster)*4 > v.g.table*sector {
		return nil, errors.New("the boot sector of the FAT32 volume is damaged")
	}
	return v, nil
}

// Label returns the volume's label.
func (v *Volume) Label() string { return v.label }

// ID returns the volume's identifier.
func (v *Volume) ID() uint32 { return v.id }

// Open opens a file or directory.
func (v *Volume) Open(name string) (fs.File, error) {
	e, err := v.find(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if e.IsDir() {
		entries, err := v.list(e.cluster)
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return &openDirectory{entry: e, rest: entries}, nil
	}
	content, err := v.content(e)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{SectionReader: io.NewSectionReader(content, 0, e.size), entry: e}, nil
}

// Stat describes a file or directory.
func (v *Volume) Stat(name string) (fs.FileInfo, error) {
	e, err := v.find(name)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return e, nil
}

// ReadDir lists a directory, sorted by name.
func (v *Volume) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := v.find(name)
	if err == nil && !e.IsDir() {
		err = errors.New("it is not a directory")
	}
	var entries []fs.DirEntry
	if err == nil {
		entries, err = v.list(e.cluster)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return entries, nil
}

// find returns the entry of a path.
func (v *Volume) find(name string) (*entry, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	at := &entry{name: ".", directory: true, cluster: v.root}
	if name == "." {
		return at, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if !at.directory {
			return nil, fs.ErrNotExist
		}
		entries, err := v.entries(at.cluster)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(entries, func(e *entry) bool { return folded(e.name) == folded(part) })
		if i < 0 {
			return nil, fs.ErrNotExist
		}
		at = entries[i]
	}
	named := *at
	named.name = path.Base(name) // in the case that was asked for
	return &named, nil
}

// list returns the entries of the directory at a cluster, sorted by name.
func (v *Volume) list(cluster uint32) ([]fs.DirEntry, error) {
	entries, err := v.entries(cluster)
	if err != nil {
		return nil, err
	}
	var out []fs.DirEntry
	for _, e := range entries {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

// entries reads the directory at a cluster.
func (v *Volume) entries(cluster uint32) ([]*entry, error) {
	runs, err := v.chain(cluster, maxDirectory)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, r := range runs {
		part := make([]byte, r.size)
		if _, err := v.r.ReadAt(part, r.at); err != nil {
			return nil, fmt.Errorf("reading a directory: %w", err)
		}
		b.Write(part)
	}
	return decodeDirectory(b.Bytes())
}

// content returns what a file consists of.
func (v *Volume) content(e *entry) (*content, error) {
	c := &content{r: v.r}
	if e.size == 0 {
		return c, nil
	}
	var err error
	if c.runs, err = v.chain(e.cluster, e.size); err != nil {
		return nil, err
	}
	if c.size() < e.size {
		return nil, errors.New("the file is shorter than its directory says")
	}
	return c, nil
}

// run is a part of a file that lies in one piece.
type run struct{ at, size int64 }

// chain returns the pieces that begin at a cluster: those of a file of so many bytes, or those of a directory, which may
// be shorter but not longer.
func (v *Volume) chain(cluster uint32, limit int64) ([]run, error) {
	var runs []run
	table := window{r: v.r}
	for left := limit; left > 0; left -= v.g.clusterSize() {
		if cluster < rootCluster || int64(cluster-rootCluster) >= v.g.clusters {
			return nil, fmt.Errorf("cluster %d does not exist", cluster)
		}
		at := v.g.data(cluster)
		if n := len(runs); n > 0 && runs[n-1].at+runs[n-1].size == at {
			runs[n-1].size += v.g.clusterSize()
		} else {
			runs = append(runs, run{at, v.g.clusterSize()})
		}
		next, err := table.uint32(v.start*sector + int64(cluster)*4)
		if err != nil {
			return nil, fmt.Errorf("reading the file allocation table: %w", err)
		}
		if cluster = next & 0x0fffffff; cluster >= 0x0ffffff8 {
			return runs, nil
		}
	}
	if limit == maxDirectory {
		return nil, errors.New("the directory is longer than any can be")
	}
	return runs, nil
}

// window reads numbers that are near each other.
type window struct {
	r  io.ReaderAt
	at int64
	b  []byte
}

func (w *window) uint32(at int64) (uint32, error) {
	const size = 4096
	if w.b == nil || at/size != w.at {
		w.b = make([]byte, size)
		if n, err := w.r.ReadAt(w.b, at/size*size); err != nil && n <= int(at%size+3) {
			w.b = nil
			return 0, err
		}
		w.at = at / size
	}
	return le.Uint32(w.b[at%size:]), nil
}

// content reads the pieces of a file as one.
type content struct {
	r    io.ReaderAt
	runs []run
}

func (c *content) size() (total int64) {
	for _, r := range c.runs {
		total += r.size
	}
	return total
}

func (c *content) ReadAt(p []byte, off int64) (n int, err error) {
	for _, r := range c.runs {
		if off >= r.size {
			off -= r.size
			continue
		}
		part := p[n:min(int64(len(p)), int64(n)+r.size-off)]
		m, err := c.r.ReadAt(part, r.at+off)
		n += m
		if m < len(part) {
			return n, err
		}
		if n == len(p) {
			return n, nil
		}
		off = 0
	}
	return n, io.EOF
}
