package badgerstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

const (
	markMagic = "hmk1"
	markSlot  = 512
)

// mark is what the store knows about its log beyond the log itself.
//
// A slot is: "hmk1"; CRC-32C of the rest of its 512 bytes; then as 8 bytes each count, salt, segment, base, high,
// flags (1 clean, 2 made), and the length and CRC-32C of MANIFEST; zeros. The valid slot of the higher count holds.
type mark struct {
	count   uint64 // of writes; the slot is its lowest bit
	salt    uint64
	segment uint64 // the oldest segment that the log must hold
	base    uint64 // the oldest group that the log must hold
	high    uint64 // the newest group that was acknowledged
	clean   bool   // closed: Badger's tables hold everything, the log is not needed
	made    bool   // Badger's folder has been made
	size    uint64 // of MANIFEST, if clean
	sum     uint32 // of MANIFEST, if clean
}

func (m *mark) encode() []byte {
	buf := make([]byte, markSlot)
	copy(buf, markMagic)
	flags := uint64(0)
	if m.clean {
		flags |= 1
	}
	if m.made {
		flags |= 2
	}
	for i, v := range []uint64{m.count, m.salt, m.segment, m.base, m.high, flags, m.size, uint64(m.sum)} {
		binary.BigEndian.PutUint64(buf[8+8*i:], v)
	}
	binary.BigEndian.PutUint32(buf[4:], crc32.Checksum(buf[8:], castagnoli()))
	return buf
}

func decodeMark(buf []byte) (mark, error) {
	if len(buf) != markSlot || string(buf[:4]) != markMagic ||
		crc32.Checksum(buf[8:], castagnoli()) != binary.BigEndian.Uint32(buf[4:]) {
		return mark{}, errChecksum
	}
	var v [8]uint64
	for i := range v {
		v[i] = binary.BigEndian.Uint64(buf[8+8*i:])
	}
	return mark{v[0], v[1], v[2], v[3], v[4], v[5]&1 != 0, v[5]&2 != 0, v[6], uint32(v[7])}, nil
}

// markFile writes marks; one goroutine at a time uses it.
type markFile struct {
	f    *os.File
	sync func(*os.File) error
	mark mark
}

// openMark opens the mark of the store in dir, or makes one for a new store with the given salt. It returns what is
// damaged though not needed.
func openMark(dir string, salt uint64) (m *markFile, damage []string, err error) {
	path := filepath.Join(dir, "mark")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("opening mark: %w", err)
	}
	m = &markFile{f: f, sync: (*os.File).Sync}
	if damage, err = m.read(salt); err != nil {
		f.Close()
		return nil, nil, err
	}
	return m, damage, nil
}

func (m *markFile) read(salt uint64) (damage []string, err error) {
	buf, err := io.ReadAll(io.LimitReader(m.f, 2*markSlot))
	if err != nil {
		return nil, fmt.Errorf("reading mark: %w", err)
	}
	if len(buf) == 0 {
		m.mark = mark{salt: salt, segment: 1, base: 1}
		return nil, nil
	}
	buf = append(buf, make([]byte, 2*markSlot-len(buf))...)
	found := false
	for i := range 2 {
		slot := buf[i*markSlot : (i+1)*markSlot]
		got, err := decodeMark(slot)
		switch {
		case err == nil && got.count%2 == uint64(i) && (!found || got.count > m.mark.count):
			m.mark, found = got, true
		case err != nil && !bytes.Equal(slot, make([]byte, markSlot)):
			damage = append(damage, fmt.Sprintf("slot %d: %v", i, err))
		}
	}
	if !found {
		return damage, errors.New("both slots are damaged")
	}
	return damage, nil
}

// write stores the mark without a sync: it survives the end of the process, not a loss of power.
func (m *markFile) write() error {
	m.mark.count++
	if _, err := m.f.WriteAt(m.mark.encode(), int64(m.mark.count%2)*markSlot); err != nil {
		return fmt.Errorf("writing mark: %w", err)
	}
	return nil
}

// writeThrough stores the mark durably.
func (m *markFile) writeThrough() error {
	if err := m.write(); err != nil {
		return err
	}
	if err := m.sync(m.f); err != nil {
		return fmt.Errorf("syncing mark: %w", err)
	}
	return nil
}
