package gpt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"unicode/utf16"
)

const (
	headerSize = 92
	protective = 0xee
	maxLegacy  = 1 << 32 // sectors that an MBR can count
)

var (
	le        = binary.LittleEndian
	signature = [8]byte{'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T'}
)

// A Change is bytes to write to the disk.
type Change struct {
	Offset int64
	Data   []byte
}

// sectors returns all that the table consists of, in the order in which Grow wants it written.
func (t Table) sectors() ([]Change, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	last, array := t.Size/sector-1, max(t.array, firstArray)
	entries, err := t.encodeArray()
	if err != nil {
		return nil, err
	}
	return []Change{
		{(last - arraySectors) * sector, entries},
		{last * sector, t.encodeHeader(entries, last, 1, last-arraySectors)},
		{array * sector, entries},
		{sector, t.encodeHeader(entries, 1, last, array)},
		{mbrOffset, t.encodeMBR()},
	}, nil
}

func (t Table) encodeArray() ([]byte, error) {
	array := make([]byte, arraySize)
	for i, p := range t.Partitions {
		if p.Type.IsZero() {
			continue
		}
		name, err := encodeName(p.Name)
		if err != nil {
			return nil, err
		}
		e := array[i*entrySize:]
		copy(e, p.Type[:])
		copy(e[16:], p.ID[:])
		le.PutUint64(e[32:], uint64(p.Start/sector))
		le.PutUint64(e[40:], uint64((p.Start+p.Size)/sector-1))
		le.PutUint64(e[48:], p.Attributes)
		copy(e[56:], name)
	}
	return array, nil
}

// encodeName returns a name as UTF-16.
func encodeName(name string) ([]byte, error) {
	units := utf16.Encode([]rune(name))
	if len(units) > 36 {
		return nil, fmt.Errorf("the name %q is longer than 36", name)
	}
	var b []byte
	for _, u := range units {
		if u == 0 {
			return nil, fmt.Errorf("the name %q holds a zero", name)
		}
		b = le.AppendUint16(b, u)
	}
	return b, nil
}

// encodeHeader returns the sector of a header that stands in sector self.
func (t Table) encodeHeader(entries []byte, self, other, array int64) []byte {
	h := make([]byte, sector)
	copy(h, signature[:])
	le.PutUint32(h[8:], 0x10000)
	le.PutUint32(h[12:], headerSize)
	le.PutUint64(h[24:], uint64(self))
	le.PutUint64(h[32:], uint64(other))
	le.PutUint64(h[40:], firstUsable)
	le.PutUint64(h[48:], uint64(t.usableEnd()/sector-1))
	copy(h[56:], t.ID[:])
	le.PutUint64(h[72:], uint64(array))
	le.PutUint32(h[80:], arrayCount)
	le.PutUint32(h[84:], entrySize)
	le.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
	le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:headerSize]))
	return h
}

// mbrOffset is where what encodeMBR returns stands: behind the boot code.
const mbrOffset = 440

// encodeMBR returns the MBR from its disk signature, which is zero, to its end.
func (t Table) encodeMBR() []byte {
	b := make([]byte, sector-mbrOffset)
	entries := b[446-mbrOffset:]
	for i, l := range t.Legacy {
		p := t.Partitions[l.Partition]
		putLegacy(entries[i*16:], l.Type, p.Start/sector, p.Size/sector)
		if l.Active {
			entries[i*16] = 0x80
		}
	}
	whole := min(t.Size/sector-1, maxLegacy-1)
	if len(t.Legacy) > 0 {
		whole = firstUsable - 1
	}
	putLegacy(entries[len(t.Legacy)*16:], protective, 1, whole)
	copy(b[len(b)-2:], []byte{0x55, 0xaa})
	return b
}

// putLegacy puts an entry of an MBR. The addresses by cylinder say that they do not fit, except that of sector 1.
func putLegacy(e []byte, kind byte, start, count int64) {
	copy(e[1:], []byte{0xfe, 0xff, 0xff, kind, 0xfe, 0xff, 0xff})
	if kind == protective { // UEFI 2.10 table 5-4
		copy(e[1:], []byte{0x00, 0x02, 0x00, kind, 0xff, 0xff, 0xff})
	}
	le.PutUint32(e[8:], uint32(start))
	le.PutUint32(e[12:], uint32(count))
}
