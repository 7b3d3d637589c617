package fat32

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
	"unicode/utf16"
)

// entry is a file or directory as its directory lists it. It is an fs.FileInfo and an fs.DirEntry.
type entry struct {
	name      string
	directory bool
	time      time.Time
	cluster   uint32
	size      int64
}

func (e *entry) Name() string               { return e.name }
func (e *entry) Size() int64                { return e.size }
func (e *entry) ModTime() time.Time         { return e.time }
func (e *entry) IsDir() bool                { return e.directory }
func (e *entry) Sys() any                   { return nil }
func (e *entry) Type() fs.FileMode          { return e.Mode().Type() }
func (e *entry) Info() (fs.FileInfo, error) { return e, nil }

func (e *entry) Mode() fs.FileMode {
	if e.directory {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// decodeDirectory reads a directory's entries, without `.`, `..` and the label.
func decodeDirectory(b []byte) ([]*entry, error) {
	var out []*entry
	var long longName
	for ; len(b) >= entrySize && b[0] != 0; b = b[entrySize:] {
		e := b[:entrySize]
		switch {
		case e[0] == 0xe5:
			long = longName{}
			continue
		case e[11]&0x3f == attrLongName:
			long.add(e)
			continue
		}
		name := long.name(e)
		long = longName{}
		if e[11]&attrLabel != 0 || e[0] == '.' {
			continue
		}
		if !fs.ValidPath(name) || name == "." || strings.Contains(name, "/") {
			return nil, fmt.Errorf("the name %q is damaged", name)
		}
		out = append(out, decodeEntry(e, name))
	}
	return out, nil
}

func decodeEntry(e []byte, name string) *entry {
	date, clock := le.Uint16(e[24:]), le.Uint16(e[22:])
	out := &entry{
		name: name, directory: e[11]&attrDirectory != 0,
		cluster: (uint32(le.Uint16(e[20:]))<<16 | uint32(le.Uint16(e[26:]))) & 0x0fffffff,
		time: time.Date(1980+int(date>>9), time.Month(date>>5&15), int(date&31),
			int(clock>>11), int(clock>>5&63), int(clock&31)*2, 0, time.UTC),
	}
	if !out.directory {
		out.size = int64(le.Uint32(e[28:]))
	}
	return out
}

// longName gathers the parts of a long name, which come last part first.
type longName struct {
	units []uint16
	next  byte // the number of the part that must come now; zero once the first part was there
	sum   byte
	valid bool
}

func (l *longName) add(e []byte) {
	if e[0]&0x40 != 0 {
		*l = longName{next: e[0] & 0x3f, sum: e[13], valid: e[0]&0x3f != 0 && e[0]&0x3f <= 20}
	}
	if !l.valid || e[0]&0x3f != l.next || e[13] != l.sum || l.next == 0 {
		l.valid = false
		return
	}
	l.next--
	part := make([]uint16, 0, len(partOffsets)+len(l.units))
	for _, at := range partOffsets {
		part = append(part, le.Uint16(e[at:]))
	}
	l.units = append(part, l.units...)
}

// name returns the name of the file whose entry is e: the long one if its parts were whole and belong to it, or else the
// short one.
func (l *longName) name(e []byte) string {
	short := shortName(e[:11])
	if l.valid && l.next == 0 && l.sum == short.sum() {
		units := l.units
		for i, u := range units {
			if u == 0 {
				units = units[:i]
				break
			}
		}
		return string(utf16.Decode(units))
	}
	return short.shown(e[12])
}

// shown returns the short name with its parts in lower case as the flags say. Characters beyond ASCII depend on a code
// page that nobody knows: they are shown as those of Latin 1.
func (s shortName) shown(flags byte) string {
	if s[0] == 0x05 {
		s[0] = 0xe5
	}
	for i := range s {
		lower := i < 8 && flags&0x08 != 0 || i >= 8 && flags&0x10 != 0
		if lower && s[i] >= 'A' && s[i] <= 'Z' {
			s[i] += 'a' - 'A'
		}
	}
	var b strings.Builder
	for _, c := range []byte(s.String()) {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// openFile is an open file.
type openFile struct {
	*io.SectionReader
	entry *entry
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *openFile) Close() error               { return nil }

// openDirectory is an open directory.
type openDirectory struct {
	entry *entry
	rest  []fs.DirEntry // not yet returned by ReadDir
}

func (d *openDirectory) Stat() (fs.FileInfo, error) { return d.entry, nil }
func (d *openDirectory) Close() error               { return nil }

func (d *openDirectory) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.entry.name, Err: errors.New("it is a directory")}
}

// ReadDir returns the next n entries, or all that are left if n is not positive.
func (d *openDirectory) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.rest) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.rest) {
		n = len(d.rest)
	}
	out := d.rest[:n]
	d.rest = d.rest[n:]
	return out, nil
}
