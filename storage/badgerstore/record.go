package badgerstore

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

const (
	recordMagic  = "hlg1"
	recordHeader = 40
	recordAlign  = 512     // records begin at multiples of it
	maxRecord    = 8 << 20 // bytes of a record
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // the table is made once

// record is one group as the log holds it.
type record struct {
	segment, seq uint64
	ops          []byte
	size         int // of the whole, padding included
}

var (
	errNoRecord  = errors.New("no record")          // nothing that claims to be a record of this segment
	errBadRecord = errors.New("checksum or length") // begins like a record of this segment
)

// sealRecord writes the header over the first bytes of buf, whose operations begin at recordHeader and are n bytes
// long; the rest of buf is padding.
func sealRecord(buf []byte, salt, segment, seq uint64, n int) {
	clear(buf[recordHeader+n:])
	copy(buf, recordMagic)
	binary.BigEndian.PutUint64(buf[8:], salt)
	binary.BigEndian.PutUint64(buf[16:], segment)
	binary.BigEndian.PutUint64(buf[24:], seq)
	binary.BigEndian.PutUint32(buf[32:], uint32(n))
	binary.BigEndian.PutUint32(buf[36:], uint32(len(buf)))
	binary.BigEndian.PutUint32(buf[4:], crc32.Checksum(buf[8:], castagnoli()))
}

// openRecord reads the record at the beginning of buf, which may go on after it.
func openRecord(buf []byte, salt, segment uint64) (record, error) {
	if len(buf) < recordAlign || string(buf[:4]) != recordMagic ||
		binary.BigEndian.Uint64(buf[8:]) != salt || binary.BigEndian.Uint64(buf[16:]) != segment {
		return record{}, errNoRecord
	}
	r := record{
		segment: segment,
		seq:     binary.BigEndian.Uint64(buf[24:]),
		size:    int(binary.BigEndian.Uint32(buf[36:])),
	}
	n := int(binary.BigEndian.Uint32(buf[32:]))
	if r.size > len(buf) || r.size > maxRecord || r.size%recordAlign != 0 || n > r.size-recordHeader {
		return record{}, errBadRecord
	}
	if crc32.Checksum(buf[8:r.size], castagnoli()) != binary.BigEndian.Uint32(buf[4:]) {
		return record{}, errBadRecord
	}
	r.ops = buf[recordHeader : recordHeader+n]
	return r, nil
}

// appendOp appends one operation; a nil value deletes the key.
func appendOp(buf, key, value []byte) []byte {
	buf = appendOpKey(buf, key, len(value), value == nil)
	return append(buf, value...)
}

// appendOpKey appends an operation without its value, of which n bytes must follow.
func appendOpKey(buf, key []byte, n int, remove bool) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(key)))
	buf = append(buf, key...)
	if remove {
		return append(buf, 0)
	}
	return binary.AppendUvarint(buf, uint64(n)+1)
}

// eachOp calls f for each operation; the slices point into ops.
func eachOp(ops []byte, f func(key, value []byte) error) error {
	for len(ops) > 0 {
		n, w := binary.Uvarint(ops)
		if w <= 0 || n == 0 || n > uint64(len(ops)-w) {
			return errors.New("reading operations: length of a key")
		}
		key := ops[w : w+int(n)]
		ops = ops[w+int(n):]
		n, w = binary.Uvarint(ops)
		if w <= 0 || n > uint64(len(ops)-w)+1 {
			return errors.New("reading operations: length of a value")
		}
		ops = ops[w:]
		var value []byte
		if n > 0 {
			value, ops = ops[:n-1:n-1], ops[n-1:]
		}
		if err := f(key, value); err != nil {
			return err
		}
	}
	return nil
}
