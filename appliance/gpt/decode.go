package gpt

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"unicode/utf16"
)

// Read reads the partition table of a disk of size bytes: the primary one, or the backup at the disk's end if that is
// broken. It reads only what this package writes: 128 entries of 128 bytes, partitions from sector 2048.
func Read(r io.ReaderAt, size int64) (Table, error) {
	if size < 2*align {
		return Table{}, fmt.Errorf("a disk of %d bytes holds no partition table of ours", size)
	}
	t, err := readCopy(r, 1, size)
	if err != nil {
		backup, backupErr := readCopy(r, size/sector-1, size)
		if backupErr != nil {
			return Table{}, fmt.Errorf("reading the partition table: %w", errors.Join(err, backupErr))
		}
		t = backup
	}
	if t.Legacy, err = t.readLegacy(r); err != nil {
		return Table{}, err
	}
	if err := t.check(); err != nil {
		return Table{}, fmt.Errorf("reading the partition table: %w", err)
	}
	return t, nil
}

// readCopy reads the copy of the table whose header is in a sector.
func readCopy(r io.ReaderAt, self, size int64) (Table, error) {
	h := make([]byte, sector)
	if _, err := r.ReadAt(h, self*sector); err != nil {
		return Table{}, fmt.Errorf("reading sector %d: %w", self, err)
	}
	if err := checkHeader(h, self, size); err != nil {
		return Table{}, fmt.Errorf("the header in sector %d: %w", self, err)
	}
	t := Table{ID: GUID(h[56:72]), Size: (max(self, int64(le.Uint64(h[32:]))) + 1) * sector}
	if self == 1 {
		t.array = int64(le.Uint64(h[72:]))
	}
	entries := make([]byte, arraySize)
	if _, err := r.ReadAt(entries, int64(le.Uint64(h[72:]))*sector); err != nil {
		return Table{}, fmt.Errorf("reading the partitions of the header in sector %d: %w", self, err)
	}
	if crc32.ChecksumIEEE(entries) != le.Uint32(h[88:]) {
		return Table{}, fmt.Errorf("the partitions of the header in sector %d are damaged", self)
	}
	err := t.decodeArray(entries)
	return t, err
}

// checkHeader returns an error if a header is damaged, or not for a disk of size bytes or a larger one.
func checkHeader(h []byte, self, size int64) error {
	sum := le.Uint32(h[16:])
	zeroed := bytes.Clone(h[:headerSize])
	clear(zeroed[16:20])
	sectors, other := uint64(size/sector), le.Uint64(h[32:])
	array := le.Uint64(h[72:])
	switch {
	case !bytes.Equal(h[:8], signature[:]):
		return errors.New("it is no header of a partition table")
	case le.Uint32(h[12:]) != headerSize || crc32.ChecksumIEEE(zeroed) != sum:
		return errors.New("it is damaged")
	case le.Uint64(h[24:]) != uint64(self):
		return errors.New("it belongs to another sector")
	case le.Uint32(h[80:]) != arrayCount || le.Uint32(h[84:]) != entrySize:
		return fmt.Errorf("it has %d entries of %d bytes", le.Uint32(h[80:]), le.Uint32(h[84:]))
	case other >= sectors || self == 1 && other < 2*firstUsable-1 || self != 1 && other != 1:
		return errors.New("it says that its other copy is in another place")
	case self == 1 && array != firstArray && array != secondArray || self != 1 && array != uint64(self)-arraySectors:
		return errors.New("it says that its partitions are in another place")
	}
	return nil
}

// decodeArray reads the entries into t. Entries not in use count only before one that is.
func (t *Table) decodeArray(array []byte) error {
	for i := range arrayCount {
		e := array[i*entrySize:][:entrySize]
		if GUID(e[:16]).IsZero() {
			continue
		}
		first, last := le.Uint64(e[32:]), le.Uint64(e[40:])
		if first > last || last >= uint64(t.Size/sector) {
			return fmt.Errorf("partition %d has sectors %d to %d", i+1, first, last)
		}
		for len(t.Partitions) < i {
			t.Partitions = append(t.Partitions, Partition{})
		}
		t.Partitions = append(t.Partitions, Partition{
			Type: GUID(e[:16]), ID: GUID(e[16:32]), Name: decodeName(e[56:]),
			Start: int64(first) * sector, Size: int64(last-first+1) * sector, Attributes: le.Uint64(e[48:]),
		})
	}
	return nil
}

func decodeName(b []byte) string {
	var units []uint16
	for ; len(b) > 1 && le.Uint16(b) != 0; b = b[2:] {
		units = append(units, le.Uint16(b))
	}
	return string(utf16.Decode(units))
}

// readLegacy finds those of the table's partitions that the MBR lists. An MBR that says anything else is not hybrid.
func (t Table) readLegacy(r io.ReaderAt) ([]Legacy, error) {
	b := make([]byte, sector)
	if _, err := r.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("reading the MBR: %w", err)
	}
	var found []Legacy
	for e := b[446:510]; len(e) > 0; e = e[16:] {
		if e[4] == 0 || e[4] == protective {
			continue
		}
		i := t.at(int64(le.Uint32(e[8:]))*sector, int64(le.Uint32(e[12:]))*sector)
		if i < 0 {
			return nil, nil
		}
		found = append(found, Legacy{Partition: i, Type: e[4], Active: e[0] == 0x80})
	}
	if len(found) > 3 {
		return nil, nil
	}
	return found, nil
}

func (t Table) at(start, size int64) int {
	for i, p := range t.Partitions {
		if !p.Type.IsZero() && p.Start == start && p.Size == size {
			return i
		}
	}
	return -1
}
