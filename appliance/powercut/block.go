package powercut

import (
	"bytes"
	"errors"
	"slices"

	"hearth/appliance/ota"
)

// Block is an ota.Partition.
type Block struct {
	power   *Power
	seen    []byte
	disk    []byte
	pending []int // offsets of sectors that were written

	// Rots has one bit of what is synced change on the disk.
	Rots bool
}

// NewBlock returns a partition of a size that begins with content.
func NewBlock(size int, content string) *Block {
	b := &Block{power: On(-1), seen: make([]byte, size)}
	copy(b.seen, content)
	b.disk = slices.Clone(b.seen)
	return b
}

// Lose returns the partition as it is found after the power was lost, fed by another.
func (b *Block) Lose(luck Luck, next *Power) *Block {
	disk := slices.Clone(b.disk)
	for i, at := range b.pending {
		end := min(at+sector, len(disk))
		switch luck(i, len(b.pending)) {
		case kept:
			copy(disk[at:end], b.seen[at:end])
		case torn:
			copy(disk[at:min(at+sector/2, end)], b.seen[at:end])
		}
	}
	return &Block{power: next, seen: slices.Clone(disk), disk: disk}
}

// Begins reports whether the disk holds content at its start.
func (b *Block) Begins(content string) bool { return bytes.HasPrefix(b.disk, []byte(content)) }

// ReadAt implements ota.File.
func (b *Block) ReadAt(p []byte, at int64) (int, error) { return bytes.NewReader(b.seen).ReadAt(p, at) }

// Size implements ota.File.
func (b *Block) Size() (int64, error) { return int64(len(b.seen)), nil }

// Close implements ota.File.
func (b *Block) Close() error { return nil }

// WriteAt implements ota.File.
func (b *Block) WriteAt(p []byte, at int64) (int, error) {
	end := int(at) + len(p)
	if end > len(b.seen) {
		return 0, errors.New("writing behind the end of the partition")
	}
	b.power.step()
	copy(b.seen[at:], p)
	for s := int(at) / sector * sector; s < end; s += sector {
		b.pending = append(b.pending, s)
	}
	return len(p), nil
}

// Sync implements ota.Partition.
func (b *Block) Sync() error {
	b.power.step()
	for _, at := range b.pending {
		end := min(at+sector, len(b.disk))
		copy(b.disk[at:end], b.seen[at:end])
	}
	if b.Rots && len(b.pending) > 0 {
		b.disk[b.pending[0]] ^= 4
		b.seen[b.pending[0]] ^= 4
	}
	b.pending = nil
	b.power.step()
	return nil
}

var _ ota.Partition = (*Block)(nil)
