package socket

import (
	"encoding/binary"

	"hearth/storage/blob"
)

const (
	magic   = "hearth"
	version = 1
)

// The types of frames; see the package comment.
const (
	typeHello     = 0x01
	typeGet       = 0x02
	typeRows      = 0x03
	typeRoot      = 0x04
	typeHistory   = 0x05
	typeRootNames = 0x06
	typeScan      = 0x07
	typeApply     = 0x08
	typeVerify    = 0x09
	typeStats     = 0x0a
	typeCredit    = 0x0b
	typeCancel    = 0x0c
	typeMore      = 0x80
	typeDone      = 0x81
	typeError     = 0x82
)

const (
	headerSize    = 9       // length, type and id
	lengthSize    = 4       // of these, what the length does not count
	maxApply      = 5 << 20 // a root edit takes 12 bytes more than Batch.Size counts, the rest takes less
	maxAnswer     = 2 << 20
	maxGet        = 2 + blob.MaxMulti*blob.HashSize
	maxRows       = 2 + blob.MaxMulti*(1+blob.MaxTable+2+blob.MaxKey)
	maxSmall      = 4 << 10
	maxHello      = 64
	maxText       = 2 << 10 // of each string in an error
	maxLong       = 256     // long requests under way
	inlineItems   = 16      // a multi-get of more is a long request
	initialCredit = 256 << 10
	partSize      = 32 << 10 // a part of an answer is sent when it has grown so large
	windowBytes   = 16 << 20 // batches under way, counted as at least windowBytes/blob.ResendWindow each
	readBuffer    = 64 << 10
)

// maxPayload returns the longest payload that a frame of this type may have, -1 if there is no such type.
func maxPayload(typ byte) int {
	switch typ {
	case typeHello:
		return maxHello
	case typeGet:
		return maxGet
	case typeRows:
		return maxRows
	case typeApply:
		return maxApply
	case typeRoot, typeHistory, typeRootNames, typeScan, typeVerify, typeStats, typeCredit, typeCancel:
		return maxSmall
	case typeMore, typeDone:
		return maxAnswer
	case typeError:
		return 1 + 2*(2+maxText)
	}
	return -1
}

// isLong reports whether a request counts against maxLong and runs in a goroutine of its own.
func isLong(typ byte, items int) bool {
	switch typ {
	case typeGet, typeRows:
		return items > inlineItems
	case typeScan, typeVerify, typeHistory, typeRootNames, typeStats:
		return true
	}
	return false
}

// batchWeight is what a batch of n bytes counts against windowBytes.
func batchWeight(n int) int64 {
	return int64(max(n, windowBytes/blob.ResendWindow))
}

// beginFrame appends a frame's header, whose length endFrame sets.
func beginFrame(b []byte, typ byte, id uint32) (buf []byte, at int) {
	at = len(b)
	b = append(b, 0, 0, 0, 0, typ)
	return binary.BigEndian.AppendUint32(b, id), at
}

// endFrame sets the length of the frame that began at at and ends b.
func endFrame(b []byte, at int) []byte {
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-lengthSize))
	return b
}

// endFrameAs is endFrame for a frame whose type was not known when it began.
func endFrameAs(b []byte, at int, typ byte) []byte {
	b[at+lengthSize] = typ
	return endFrame(b, at)
}

func appendStr8[T string | []byte](b []byte, s T) []byte {
	return append(append(b, byte(len(s))), s...)
}

func appendStr16[T string | []byte](b []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func appendBytes32(b, p []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
}

func appendOpt32(b, p []byte) []byte {
	if p == nil {
		return append(b, 0, 0, 0, 0)
	}
	return append(binary.BigEndian.AppendUint32(b, uint32(len(p))+1), p...)
}

// cursor reads a payload from its beginning. Once something is missing it is bad and reads zeroes.
type cursor struct {
	b   []byte
	bad bool
}

// take returns the next n bytes, which alias the payload.
func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.bad, c.b = true, nil
		return nil
	}
	p := c.b[:n:n]
	c.b = c.b[n:]
	return p
}

func (c *cursor) u8() byte {
	if p := c.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (c *cursor) u16() int {
	if p := c.take(2); p != nil {
		return int(binary.BigEndian.Uint16(p))
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if p := c.take(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if p := c.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

func (c *cursor) hash() (h blob.Hash) {
	copy(h[:], c.take(blob.HashSize))
	return h
}

func (c *cursor) str8() []byte    { return c.take(int(c.u8())) }
func (c *cursor) str16() []byte   { return c.take(c.u16()) }
func (c *cursor) bytes32() []byte { return c.take(int(c.u32())) }

// opt32 returns nil for what is absent, else a slice that is not nil.
func (c *cursor) opt32() []byte {
	n := c.u32()
	if n == 0 {
		return nil
	}
	return c.take(int(n - 1))
}

// end reports whether the payload was whole and nothing is left of it.
func (c *cursor) end() bool { return !c.bad && len(c.b) == 0 }
