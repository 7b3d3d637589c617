package squashfs

import "encoding/binary"

var le = binary.LittleEndian

// metadata is a sequence of metadata blocks.
type metadata struct {
	c      *compressor
	out    []byte   // the blocks that are full
	starts []uint32 // their places in out
	now    []byte   // of the block that is not full
}

// reference says where the next byte will be: a block's place in out, and the offset in it.
func (m *metadata) reference() (block uint32, offset uint16) {
	return uint32(len(m.out)), uint16(len(m.now))
}

func (m *metadata) write(b []byte) {
	for len(b) > 0 {
		n := min(len(b), metadataSize-len(m.now))
		m.now = append(m.now, b[:n]...)
		b = b[n:]
		if len(m.now) == metadataSize {
			m.flush()
		}
	}
}

// flush ends the block.
func (m *metadata) flush() {
	if len(m.now) == 0 {
		return
	}
	b, raw := m.c.compress(m.now)
	header := uint16(len(b))
	if raw {
		header |= 0x8000
	}
	m.starts = append(m.starts, uint32(len(m.out)))
	m.out = le.AppendUint16(m.out, header)
	m.out = append(m.out, b...)
	m.now = m.now[:0]
}
