package squashfs

import (
	"fmt"
	"io"
	"math"
	"math/bits"
)

// image is one that is being written.
type image struct {
	o    Options
	w    io.WriterAt
	root *node
	at   int64 // where the next byte goes

	fragments []*fragmentBlock
	filling   int // the content whose blocks are being written
	inodes    metadata
	listings  metadata
	ids       []uint32          // users and groups, each once
	idIndex   map[uint32]uint16 // where each is in ids
}

func (i *image) append(b []byte) error {
	if _, err := i.w.WriteAt(b, i.at); err != nil {
		return fmt.Errorf("writing %d bytes at %d: %w", len(b), i.at, err)
	}
	i.at += int64(len(b))
	return nil
}

func (i *image) write() error {
	if err := i.writeData(); err != nil {
		return err
	}
	i.idIndex = make(map[uint32]uint16)
	c := newCompressor()
	i.inodes.c, i.listings.c = c, c
	root, err := i.writeNode(i.root)
	if err != nil {
		return err
	}
	super := superblock{root: uint64(root.block)<<16 | uint64(root.offset), inodes: i.at}
	i.inodes.flush()
	i.listings.flush()
	if err := i.append(i.inodes.out); err != nil {
		return err
	}
	super.listings = i.at
	if err := i.append(i.listings.out); err != nil {
		return err
	}
	if super.fragments, err = i.writeTable(i.fragmentTable(), c); err != nil {
		return err
	}
	if super.ids, err = i.writeTable(i.idTable(), c); err != nil {
		return err
	}
	super.end = i.at
	if err := i.append(make([]byte, (padding-i.at%padding)%padding)); err != nil {
		return err
	}
	if _, err := i.w.WriteAt(i.superblock(super), 0); err != nil {
		return fmt.Errorf("writing the superblock: %w", err)
	}
	return nil
}

// writeTable writes a table and the places of its blocks, and returns where those are.
func (i *image) writeTable(table []byte, c *compressor) (places int64, err error) {
	m := metadata{c: c}
	m.write(table)
	m.flush()
	start := i.at
	if err := i.append(m.out); err != nil {
		return 0, err
	}
	var b []byte
	for _, at := range m.starts {
		b = le.AppendUint64(b, uint64(start)+uint64(at))
	}
	places = i.at
	return places, i.append(b)
}

func (i *image) fragmentTable() (b []byte) {
	for _, f := range i.fragments {
		b = le.AppendUint64(b, uint64(f.start))
		b = le.AppendUint32(b, f.size)
		b = le.AppendUint32(b, 0)
	}
	return b
}

func (i *image) idTable() (b []byte) {
	for _, id := range i.ids {
		b = le.AppendUint32(b, id)
	}
	return b
}

// id returns the index of a user or group.
func (i *image) id(id uint32) (uint16, error) {
	if index, ok := i.idIndex[id]; ok {
		return index, nil
	}
	if len(i.ids) == math.MaxUint16 {
		return 0, fmt.Errorf("%d users and groups are too many", len(i.ids)+1)
	}
	i.idIndex[id] = uint16(len(i.ids))
	i.ids = append(i.ids, id)
	return i.idIndex[id], nil
}

// superblock holds what a superblock says of where everything is.
type superblock struct {
	root                                  uint64
	inodes, listings, fragments, ids, end int64
}

func (i *image) superblock(s superblock) []byte {
	b := append(make([]byte, 0, superblockSize), "hsqs"...)
	b = le.AppendUint32(b, i.root.number)
	b = le.AppendUint32(b, uint32(i.o.Time.Unix()))
	b = le.AppendUint32(b, uint32(i.o.BlockSize))
	b = le.AppendUint32(b, uint32(len(i.fragments)))
	for _, n := range []uint16{1, uint16(bits.TrailingZeros(uint(i.o.BlockSize))), 0x0240, uint16(len(i.ids)), 4, 0} {
		b = le.AppendUint16(b, n)
	}
	for _, n := range []int64{int64(s.root), s.end, s.ids, -1, s.inodes, s.listings, s.fragments, -1} {
		b = le.AppendUint64(b, uint64(n))
	}
	return b
}
