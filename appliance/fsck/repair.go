package fsck

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// Disk is what a file system that is to be repaired is on.
type Disk interface {
	io.ReaderAt
	io.WriterAt
	Sync() error // returns when what was written lasts
}

// repair is one thing to write.
type repair struct {
	at   int64
	data []byte
}

func (c *checker) repair(at int64, data []byte) {
	c.report.repairs = append(c.report.repairs, repair{at, data})
}

// maxFixes is how many inodes are repaired: more are no accident.
const maxFixes = 10000

// fixInode keeps how an inode should be.
func (c *checker) fixInode(number uint32, raw []byte) {
	if len(c.fixes) == maxFixes && c.fixes[number] == nil {
		c.damage(0, "more than %d inodes are wrong", maxFixes)
		return
	}
	raw = slices.Clone(raw)
	c.super.seal(number, raw)
	c.fixes[number] = raw
}

// planRepair completes what Repair is to write.
func (c *checker) planRepair() {
	r := &c.report
	if r.damaged > 0 {
		r.repairs = nil
		return
	}
	for _, number := range slices.Sorted(maps.Keys(c.fixes)) {
		c.repair(c.inodeAt(number), c.fixes[number])
	}
}

// Repair repairs what was found, and takes the marks from the superblock. It writes nothing if something is not for repair.
func (r *Report) Repair(d Disk) error {
	if !r.Repairable() {
		return errors.New("repairing a file system: it is damaged beyond what can be derived")
	}
	if r.Sound() && !r.Marked {
		return nil
	}
	if err := r.write(d); err != nil {
		return fmt.Errorf("repairing a file system: %w", err)
	}
	return nil
}

func (r *Report) write(d Disk) error {
	held := make([]byte, superblockSize)
	if _, err := d.ReadAt(held, superblockAt); err != nil {
		return err
	}
	if len(r.repairs) > 0 {
		if err := writeMark(d, held); err != nil {
			return err
		}
	}
	for _, p := range r.repairs {
		if _, err := d.WriteAt(p.data, p.at); err != nil {
			return err
		}
	}
	if err := d.Sync(); err != nil {
		return err
	}
	return writeSuperblock(d, slices.Clone(r.super), le.Uint32(held[1020:]))
}

// writeMark writes a superblock with the mark of an error.
func writeMark(d Disk, held []byte) error {
	b := slices.Clone(held)
	le.PutUint16(b[58:], le.Uint16(b[58:])|stateErrors)
	return writeSuperblock(d, b, le.Uint32(held[1020:]))
}

const (
	sectorSize   = 512 // a disk writes as a whole
	unusedField  = 200 // s_algorithm_usage_bitmap, which nobody reads
	unusedFields = 32  // bits
)

// writeSuperblock writes the first sector of a superblock, in which all is that may have changed, so that power cannot fail
// in the middle. The checksum is in the second sector: a field that nobody uses is given the value with which it stays the
// same.
func writeSuperblock(d Disk, b []byte, sum uint32) error {
	if !steer(b[:1020], unusedField, sum) {
		return errors.New("no value keeps the superblock's checksum")
	}
	if _, err := d.WriteAt(b[:sectorSize], superblockAt); err != nil {
		return err
	}
	return d.Sync()
}

// steer gives the four bytes at a place the value with which b has a checksum. Each of their bits changes certain bits of the
// checksum, whatever the others are: so it is found out which bits to set for each bit of the checksum, as equations are solved.
func steer(b []byte, at int, want uint32) bool {
	clear(b[at : at+4])
	start := checksum(^uint32(0), b)
	var changes, of [unusedFields]uint32 // of the checksum, each with another highest bit, and by which bits of the field
	for bit := range unusedFields {
		le.PutUint32(b[at:], 1<<bit)
		change, by := start^checksum(^uint32(0), b), uint32(1)<<bit
		for high := 31; high >= 0 && change != 0; high-- {
			switch {
			case change>>high&1 == 0:
			case changes[high] == 0:
				changes[high], of[high], change = change, by, 0
			default:
				change, by = change^changes[high], by^of[high]
			}
		}
	}
	left, value := start^want, uint32(0)
	for high := 31; high >= 0; high-- {
		if left>>high&1 == 1 {
			left, value = left^changes[high], value^of[high]
		}
	}
	le.PutUint32(b[at:], value)
	return left == 0
}
