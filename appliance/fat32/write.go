package fat32

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"
)

var le = binary.LittleEndian

// volume is one that is being written.
type volume struct {
	w    io.WriterAt
	o    Options
	g    geometry
	next uint32   // first cluster not in use
	fat  []uint32 // the table so far, without its first two entries
}

func (v *volume) write(root *node) error {
	label, err := v.label()
	if err != nil {
		return err
	}
	if err := v.place(root); err != nil {
		return err
	}
	if err := v.writeNode(root, label); err != nil {
		return err
	}
	if err := v.writeTables(); err != nil {
		return err
	}
	return v.writeBoot(label)
}

// label returns the volume's label padded with spaces.
func (v *volume) label() (label shortName, err error) {
	for _, c := range []byte(v.o.Label) {
		if c != ' ' && !allowedShort(c) {
			return label, fmt.Errorf("the label %q has a forbidden character", v.o.Label)
		}
	}
	if len(v.o.Label) > len(label) || v.o.Label == "" || strings.TrimSpace(v.o.Label) != v.o.Label {
		return label, fmt.Errorf("%q cannot be a label", v.o.Label)
	}
	copy(label[:], fmt.Sprintf("%-11s", v.o.Label))
	return label, nil
}

// place gives consecutive clusters to a node, then to what is in it.
func (v *volume) place(n *node) error {
	size := int64(len(n.data))
	if n.directory {
		size = n.listingSize()
		if size > maxDirectory {
			return fmt.Errorf("the directory %q has too many files", n.name)
		}
	}
	if size > 0 {
		if err := v.allocate(n, (size+v.g.clusterSize()-1)/v.g.clusterSize()); err != nil {
			return err
		}
	}
	for _, c := range n.children {
		if err := v.place(c); err != nil {
			return err
		}
	}
	return nil
}

func (v *volume) allocate(n *node, count int64) error {
	if int64(len(v.fat))+count > v.g.clusters {
		return fmt.Errorf("the volume of %d bytes is full at %q", v.o.Size, n.name)
	}
	n.cluster = v.next
	for range count - 1 {
		v.next++
		v.fat = append(v.fat, v.next)
	}
	v.next++
	v.fat = append(v.fat, endOfChain)
	return nil
}

// listingSize returns how many bytes of entries a directory has.
func (n *node) listingSize() int64 {
	entries := 2 // `.` and `..`, or the root's label and a spare one
	for _, c := range n.children {
		entries++
		if _, ok := exactShort(c.name); !ok {
			entries += len(longEntries(c.name, shortName{})) / entrySize
		}
	}
	return int64(entries) * entrySize
}

// writeNode writes what a node consists of, and what is in it. The label is for the root only.
func (v *volume) writeNode(n *node, label shortName) error {
	data := n.data
	if n.directory {
		data = n.listing(label)
	}
	if n.cluster != 0 {
		if err := v.writeAt(data, v.g.data(n.cluster)); err != nil {
			return err
		}
	}
	for _, c := range n.children {
		if err := v.writeNode(c, label); err != nil {
			return err
		}
	}
	return nil
}

func (v *volume) writeAt(data []byte, at int64) error {
	if _, err := v.w.WriteAt(data, at); err != nil {
		return fmt.Errorf("writing %d bytes at %d: %w", len(data), at, err)
	}
	return nil
}

// listing returns a directory's entries.
func (n *node) listing(label shortName) []byte {
	var b []byte
	if n.parent == nil {
		b = appendEntry(b, label, attrLabel, n.time, 0, 0)
	} else {
		up := n.parent.cluster
		if n.parent.parent == nil {
			up = 0 // the root, whatever its cluster
		}
		b = appendEntry(b, pad(".", ""), attrDirectory, n.time, n.cluster, 0)
		b = appendEntry(b, pad("..", ""), attrDirectory, n.parent.time, up, 0)
	}
	shorts := n.shortNames()
	for i, c := range n.children {
		if shorts[i].String() != c.name {
			b = append(b, longEntries(c.name, shorts[i])...)
		}
		attributes := byte(attrFile)
		if c.directory {
			attributes = attrDirectory
		}
		b = appendEntry(b, shorts[i], attributes, c.time, c.cluster, uint32(len(c.data)))
	}
	return b
}

// shortNames returns a short name for each child, first for those that need no other.
func (n *node) shortNames() []shortName {
	names, taken := make([]shortName, len(n.children)), make(map[shortName]bool)
	for i, c := range n.children {
		if short, ok := exactShort(c.name); ok {
			names[i], taken[short] = short, true
		}
	}
	for i, c := range n.children {
		if names[i] == (shortName{}) {
			names[i] = alias(c.name, taken)
			taken[names[i]] = true
		}
	}
	return names
}

func appendEntry(b []byte, name shortName, attributes byte, t time.Time, cluster, size uint32) []byte {
	date, clock := stamp(t)
	b = append(b, name[:]...)
	b = append(b, attributes, 0, 0)
	b = le.AppendUint16(b, clock)
	b = le.AppendUint16(b, date)
	b = le.AppendUint16(b, date)
	b = le.AppendUint16(b, uint16(cluster>>16))
	b = le.AppendUint16(b, clock)
	b = le.AppendUint16(b, date)
	b = le.AppendUint16(b, uint16(cluster))
	return le.AppendUint32(b, size)
}

func stamp(t time.Time) (date, clock uint16) {
	t = t.UTC()
	date = uint16(t.Year()-1980)<<9 | uint16(t.Month())<<5 | uint16(t.Day())
	return date, uint16(t.Hour())<<11 | uint16(t.Minute())<<5 | uint16(t.Second()/2)
}

// writeTables writes both file allocation tables, as far as they are in use.
func (v *volume) writeTables() error {
	b := le.AppendUint32(nil, 0x0fffff00|medium)
	b = le.AppendUint32(b, endOfChain)
	for _, next := range v.fat {
		b = le.AppendUint32(b, next)
	}
	for i := range int64(2) {
		if err := v.writeAt(b, (reserved+i*v.g.table)*sector); err != nil {
			return err
		}
	}
	return nil
}

// writeBoot writes the boot sector, FSInfo and their copies.
func (v *volume) writeBoot(label shortName) error {
	both := append(v.bootSector(label), v.info()...)
	for _, at := range []int64{0, backupBoot} {
		if err := v.writeAt(both, at*sector); err != nil {
			return err
		}
	}
	return nil
}

func (v *volume) bootSector(label shortName) []byte {
	b := make([]byte, sector)
	copy(b, "\xeb\xfe\x90HEARTH  ") // a jump to itself: nothing here can be run
	le.PutUint16(b[11:], sector)
	b[13] = byte(v.g.cluster)
	le.PutUint16(b[14:], reserved)
	b[16], b[21] = 2, medium
	le.PutUint16(b[24:], 63) // sectors of a track and heads: nobody uses them, some check that they are not zero
	le.PutUint16(b[26:], 255)
	le.PutUint32(b[28:], uint32(v.o.Start/sector))
	le.PutUint32(b[32:], uint32(v.g.sectors))
	le.PutUint32(b[36:], uint32(v.g.table))
	le.PutUint32(b[44:], rootCluster)
	le.PutUint16(b[48:], 1) // FSInfo
	le.PutUint16(b[50:], backupBoot)
	b[64], b[66] = 0x80, 0x29
	le.PutUint32(b[67:], v.o.ID)
	copy(b[71:], label[:])
	copy(b[82:], "FAT32   ")
	copy(b[510:], "\x55\xaa")
	return b
}

func (v *volume) info() []byte {
	b := make([]byte, sector)
	copy(b, "RRaA")
	copy(b[484:], "rrAa")
	le.PutUint32(b[488:], uint32(v.g.clusters-int64(len(v.fat))))
	le.PutUint32(b[492:], v.next)
	copy(b[510:], "\x55\xaa")
	return b
}
