// Package gpt writes, reads and grows the partition table of a disk.
//
// The format is the UEFI Specification 2.10, chapter 5; sectors are 512 bytes, numbers little-endian. A disk of n
// sectors holds
//
//	sector        what
//	0             MBR: bytes 0-439 boot code (kept), four entries of 16 bytes from 446, 55 aa at 510
//	1             primary header
//	2 or 34       primary array: 128 entries of 128 bytes, 32 sectors
//	2048          first sector that a partition may have
//	n-33          backup array
//	n-1           backup header
//
// A header has 92 bytes:
//
//	0   8  "EFI PART"                           40  8  first sector for partitions: 2048
//	8   4  revision 00 00 01 00                 48  8  last sector for partitions: n-34
//	12  4  92                                   56 16  the disk's GUID
//	16  4  CRC-32 of these 92 bytes with        72  8  the array's first sector
//	       this field zero                      80  4  128, the number of entries
//	20  4  zero                                 84  4  128, the size of an entry
//	24  8  the sector that this header is in    88  4  CRC-32 of the array
//	32  8  the sector of the other header
//
// and an entry: type GUID (zero: not in use), the partition's GUID, first sector (8 bytes), last sector (8),
// attributes (8), name (72 bytes of UTF-16). A GUID's first three numbers are little-endian: EFI system partitions,
// C12A7328-F81F-11D2-BA4B-00A0C93EC93B, have the type 28 73 2a c1 1f f8 d2 11 ba 4b 00 a0 c9 3e c9 3b.
//
// The MBR is protective (one entry of type ee over the whole disk) or, for a firmware that knows only MBRs, hybrid: it
// lists some of the partitions too, and the entry ee comes after them and covers sectors 1 to 2047 only. The boot ROM
// of a Raspberry Pi needs its FAT partition there, with type 0c.
//
// # Growing
//
// An image is smaller than the card that it is written to. [Grow] says what to write so that the last partition and
// the table reach the card's end. It does so that a power cut between any two of the writes leaves a table that every
// reader accepts: Linux takes the backup only if it is told to, so the primary must be whole at all times. The grown
// array goes where the primary array is not (sector 34 instead of 2, or 2 instead of 34), and one write of one sector,
// the primary header's, makes it count.
package gpt

import (
	"fmt"
	"io"
	"slices"
)

const (
	sector        = 512
	align         = 1 << 20 // of partitions' starts, in bytes
	arrayCount    = 128
	entrySize     = 128
	arraySize     = arrayCount * entrySize
	arraySectors  = arraySize / sector
	firstArray    = 2 // the two places of the primary array
	secondArray   = firstArray + arraySectors
	firstUsable   = align / sector
	backupSectors = arraySectors + 1 // at the disk's end
)

// A Table is the partition table of a disk.
type Table struct {
	ID         GUID
	Size       int64       // the disk's, in bytes
	Partitions []Partition // at most 128; the kernel numbers them from 1 in this order
	Legacy     []Legacy    // what a hybrid MBR lists; if empty the MBR is protective

	array int64 // the sector of the primary array; zero means 2
}

// A Partition is one entry of a table. One whose type is zero is not in use, but has its number.
type Partition struct {
	Type, ID   GUID
	Name       string // at most 36 units of UTF-16
	Start      int64  // in bytes from the disk's start, a multiple of 512
	Size       int64  // in bytes, a multiple of 512
	Attributes uint64 // UEFI 2.10 §5.3.3; the upper 16 bits belong to the type
}

// A Legacy is an entry of a hybrid MBR.
type Legacy struct {
	Partition int  // which of the table's partitions, counted from 0
	Type      byte // LegacyFAT32 for instance
	Active    bool
}

// LegacyFAT32 is FAT32 with sector addresses, the type that the Raspberry Pi's boot ROM looks for.
const LegacyFAT32 = 0x0c

// Arrange sets each partition's start, in their order and aligned to 1 MiB, and returns the size of the smallest
// disk that holds them, rounded to 1 MiB.
func Arrange(partitions []Partition) (size int64) {
	end := int64(align)
	for i := range partitions {
		if partitions[i].Type.IsZero() {
			continue
		}
		partitions[i].Start = roundUp(end, align)
		end = partitions[i].Start + partitions[i].Size
	}
	return roundUp(end+backupSectors*sector, align)
}

func roundUp(n, multiple int64) int64 {
	return (n + multiple - 1) / multiple * multiple
}

// Write writes the table with both its copies and the MBR to a disk whose first 440 bytes it leaves alone.
func (t Table) Write(w io.WriterAt) error {
	changes, err := t.sectors()
	if err != nil {
		return err
	}
	for _, c := range changes {
		if _, err := w.WriteAt(c.Data, c.Offset); err != nil {
			return fmt.Errorf("writing the partition table: %w", err)
		}
	}
	return nil
}

// check returns an error if the table cannot be written.
func (t Table) check() error {
	switch {
	case t.Size%sector != 0 || t.Size < 2*align:
		return fmt.Errorf("a disk of %d bytes holds no partition table of ours", t.Size)
	case len(t.Partitions) > arrayCount:
		return fmt.Errorf("%d partitions are more than %d", len(t.Partitions), arrayCount)
	case len(t.Legacy) > 3:
		return fmt.Errorf("a hybrid MBR lists at most 3 partitions, not %d", len(t.Legacy))
	}
	for i, p := range t.Partitions {
		if err := t.checkPartition(p); err != nil {
			return fmt.Errorf("partition %d (%s): %w", i+1, p.Name, err)
		}
	}
	for _, l := range t.Legacy {
		if err := t.checkLegacy(l); err != nil {
			return err
		}
	}
	return t.checkOverlaps()
}

func (t Table) checkPartition(p Partition) error {
	switch {
	case p.Type.IsZero():
		return nil
	case p.ID.IsZero():
		return fmt.Errorf("it has no GUID")
	case p.Start%sector != 0 || p.Size%sector != 0:
		return fmt.Errorf("%d bytes from %d are not whole sectors", p.Size, p.Start)
	case p.Size <= 0 || p.Start < firstUsable*sector || p.Start > t.usableEnd()-p.Size:
		return fmt.Errorf("%d bytes from %d are outside of the disk's %d to %d", p.Size, p.Start, firstUsable*sector, t.usableEnd())
	}
	_, err := encodeName(p.Name)
	return err
}

func (t Table) checkLegacy(l Legacy) error {
	if l.Partition < 0 || l.Partition >= len(t.Partitions) || t.Partitions[l.Partition].Type.IsZero() {
		return fmt.Errorf("the MBR lists partition %d, which does not exist", l.Partition+1)
	}
	if p := t.Partitions[l.Partition]; p.Start+p.Size > maxLegacy*sector {
		return fmt.Errorf("partition %d (%s) is too far into the disk for an MBR", l.Partition+1, p.Name)
	}
	if l.Type == 0 || l.Type == protective {
		return fmt.Errorf("the MBR lists partition %d with type %02x", l.Partition+1, l.Type)
	}
	return nil
}

func (t Table) checkOverlaps() error {
	var used []Partition
	for _, p := range t.Partitions {
		if !p.Type.IsZero() {
			used = append(used, p)
		}
	}
	slices.SortFunc(used, func(a, b Partition) int { return int(min(1, max(-1, a.Start-b.Start))) })
	for i := 1; i < len(used); i++ {
		if used[i].Start < used[i-1].Start+used[i-1].Size {
			return fmt.Errorf("partitions %q and %q overlap", used[i-1].Name, used[i].Name)
		}
	}
	return nil
}

// usableEnd is where partitions must end, in bytes.
func (t Table) usableEnd() int64 {
	return t.Size - backupSectors*sector
}
