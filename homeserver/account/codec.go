package account

import (
	"encoding/binary"
	"errors"
	"time"
)

var errMalformed = errors.New("malformed record")

func appendString[T ~string | ~[]byte](dst []byte, s T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func appendTime(dst []byte, t time.Time) []byte { return binary.AppendVarint(dst, t.UnixMilli()) }

// reader takes the parts of a record off its front; the first failure sticks.
type reader struct {
	data   []byte
	failed bool
}

func (r *reader) end() error {
	if r.failed || len(r.data) > 0 {
		return errMalformed
	}
	return nil
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.data, r.failed = nil, true
		return nil
	}
	part := r.data[:n:n]
	r.data = r.data[n:]
	return part
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.data, r.failed = nil, true
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) time() time.Time {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.data, r.failed = nil, true
		return time.Time{}
	}
	r.data = r.data[n:]
	return time.UnixMilli(v)
}

func (r *reader) string() string { return string(r.take(r.uvarint())) }
