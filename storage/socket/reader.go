package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// header is the fixed part of a frame.
type header struct {
	typ  byte
	id   uint32
	size int // of the payload
}

var errFrame = errors.New("malformed frame")

// frameReader reads frames from a connection, as many in one system call as have come. It is used by one
// goroutine at a time.
type frameReader struct {
	r          io.Reader
	buf        []byte
	start, end int
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{r: r, buf: make([]byte, readBuffer)}
}

// fill reads until n bytes are buffered; n is at most len(buf).
func (f *frameReader) fill(n int) error {
	if f.end-f.start >= n {
		return nil
	}
	if f.start+n > len(f.buf) || f.start == f.end {
		f.end = copy(f.buf, f.buf[f.start:f.end])
		f.start = 0
	}
	for f.end < n+f.start {
		m, err := f.r.Read(f.buf[f.end:])
		f.end += m
		if err != nil && f.end < n+f.start {
			return err
		}
	}
	return nil
}

// next reads a frame's header and checks the payload's length against the limit of its type. The payload must be
// read before next is called again.
func (f *frameReader) next() (header, error) {
	if err := f.fill(headerSize); err != nil {
		return header{}, err
	}
	h, err := parseHeader(f.buf[f.start:])
	f.start += headerSize
	return h, err
}

func parseHeader(b []byte) (header, error) {
	length := binary.BigEndian.Uint32(b)
	h := header{typ: b[4], id: binary.BigEndian.Uint32(b[5:])}
	limit := maxPayload(h.typ)
	if limit < 0 {
		return h, fmt.Errorf("%w: type %#02x", errFrame, h.typ)
	}
	if length < headerSize-lengthSize || length > uint32(limit+headerSize-lengthSize) {
		return h, fmt.Errorf("%w: length %d of type %#02x", errFrame, length, h.typ)
	}
	h.size = int(length) - (headerSize - lengthSize)
	return h, nil
}

// payload returns n bytes. They are the caller's if owned, else valid until the next call of any method.
func (f *frameReader) payload(n int) (p []byte, owned bool, err error) {
	if n > len(f.buf) {
		p = make([]byte, n)
		return p, true, f.read(p)
	}
	if err := f.fill(n); err != nil {
		return nil, false, err
	}
	p = f.buf[f.start : f.start+n : f.start+n]
	f.start += n
	return p, false, nil
}

// read fills p with the payload's next bytes.
func (f *frameReader) read(p []byte) error {
	n := copy(p, f.buf[f.start:f.end])
	f.start += n
	if n == len(p) {
		return nil
	}
	_, err := io.ReadFull(f.r, p[n:])
	return err
}

// ready reports whether next and payload would not wait for the peer.
func (f *frameReader) ready() bool {
	have := f.end - f.start
	if have < headerSize {
		return false
	}
	h, err := parseHeader(f.buf[f.start:])
	return err != nil || have >= headerSize+h.size
}
