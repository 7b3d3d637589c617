package gpt

import (
	"bytes"
	"fmt"
	"io"
)

// Grow returns what to write to a disk of size bytes so that the last partition reaches to its end, rounded down to
// 1 MiB, and a whole table stands at both ends: in this order, each on the disk before the next. Whatever is as it
// should be is not among it, so after the last write Grow returns nothing; after a power cut between two writes, it
// returns the rest. It mends a broken copy from the other one.
func Grow(r io.ReaderAt, size int64) ([]Change, error) {
	t, err := Read(r, size)
	if err != nil {
		return nil, err
	}
	t, err = t.grown(size / sector * sector)
	if err != nil {
		return nil, fmt.Errorf("growing the partition table: %w", err)
	}
	all, err := t.sectors()
	if err != nil {
		return nil, fmt.Errorf("growing the partition table: %w", err)
	}
	var changes []Change
	for _, c := range all {
		now := make([]byte, len(c.Data))
		if _, err := r.ReadAt(now, c.Offset); err != nil {
			return nil, fmt.Errorf("growing the partition table: reading at %d: %w", c.Offset, err)
		}
		if !bytes.Equal(now, c.Data) {
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// grown returns the table for a disk of size bytes. If that is another one than the disk's, its primary array is to be
// written where the present one is not.
func (t Table) grown(size int64) (Table, error) {
	if size < t.Size {
		return Table{}, fmt.Errorf("the disk has %d bytes, less than the %d of its table", size, t.Size)
	}
	old := t.Size
	t.Size = size
	t.Partitions = append([]Partition(nil), t.Partitions...)
	last := -1
	for i, p := range t.Partitions {
		if !p.Type.IsZero() && (last < 0 || p.Start > t.Partitions[last].Start) {
			last = i
		}
	}
	extended := false
	if last >= 0 {
		p := &t.Partitions[last]
		end := t.usableEnd() / align * align
		extended = end > p.Start+p.Size
		p.Size = max(p.Size, end-p.Start)
	}
	if size != old || extended {
		t.array = otherArray(t.array)
	}
	return t, nil
}

// otherArray returns where the primary array may be written while the one at the sector now counts.
func otherArray(now int64) int64 {
	if now == secondArray {
		return firstArray
	}
	return secondArray
}
