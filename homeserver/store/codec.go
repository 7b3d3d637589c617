package store

import (
	"encoding/binary"
	"errors"
)

var errMalformed = errors.New("malformed record")

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// decoder reads the parts of a record; its first failure sticks.
type decoder struct {
	data   []byte
	failed bool
}

func (d *decoder) more() bool { return !d.failed && len(d.data) > 0 }

func (d *decoder) fail() { d.failed, d.data = true, nil }

func (d *decoder) end() error {
	if d.failed || len(d.data) > 0 {
		return errMalformed
	}
	return nil
}

func (d *decoder) byte() byte {
	if len(d.data) == 0 {
		d.fail()
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.data = d.data[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.data)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.data = d.data[n:]
	return v
}

// bytes returns a slice of the record itself.
func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.data)) {
		d.fail()
		return nil
	}
	b := d.data[:n:n]
	d.data = d.data[n:]
	return b
}

func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) fixed(n int) []byte {
	if len(d.data) < n {
		d.fail()
		return make([]byte, n)
	}
	b := d.data[:n:n]
	d.data = d.data[n:]
	return b
}

func key8(v uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 0, 8), v) }

// orderKey offsets an order so that keys sort as the orders do.
func orderKey(dst []byte, o Order) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(o)+1<<63)
}

func readOrder(b []byte) Order { return Order(binary.BigEndian.Uint64(b) - 1<<63) }
