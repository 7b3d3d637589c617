package ota

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/blake2b"
)

// Where files are cut into chunks: between the least and the greatest size, at the first byte after which the rolling sum of
// the last 64 bytes has its upper bits zero, which is once in 64 KiB.
const (
	leastChunk    = 16 << 10
	GreatestChunk = 256 << 10 // of a chunk, in bytes: what a box must hold in memory
	cutMask       = (1<<16 - 1) << 48
)

// A Chunk is a run of bytes of a file.
type Chunk struct {
	Size int                   // in bytes, 1 to GreatestChunk
	Hash [blake2b.Size256]byte // BLAKE2b-256 of them
}

// Chunks are all of a file, in order. In JSON they are a string: base64 of 4 bytes of size, the most significant first, and 32
// bytes of hash for each.
type Chunks []Chunk

const packedChunk = 4 + blake2b.Size256

// MarshalText implements encoding.TextMarshaler.
func (c Chunks) MarshalText() ([]byte, error) {
	packed := make([]byte, 0, len(c)*packedChunk)
	for _, chunk := range c {
		packed = binary.BigEndian.AppendUint32(packed, uint32(chunk.Size))
		packed = append(packed, chunk.Hash[:]...)
	}
	return base64.StdEncoding.AppendEncode(nil, packed), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Chunks) UnmarshalText(text []byte) error {
	packed, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("reading chunks: %w", err)
	}
	if len(packed)%packedChunk != 0 {
		return errors.New("reading chunks: the last one is cut short")
	}
	*c = make(Chunks, 0, len(packed)/packedChunk)
	for ; len(packed) > 0; packed = packed[packedChunk:] {
		size := binary.BigEndian.Uint32(packed)
		if size == 0 || size > GreatestChunk {
			return fmt.Errorf("reading chunks: one has %d bytes, want 1 to %d", size, GreatestChunk)
		}
		*c = append(*c, Chunk{Size: int(size), Hash: [blake2b.Size256]byte(packed[4:packedChunk])})
	}
	return nil
}

// size returns how many bytes the chunks have together.
func (c Chunks) size() int64 {
	var sum int64
	for _, chunk := range c {
		sum += int64(chunk.Size)
	}
	return sum
}

// split cuts what r reads into chunks and hands out each, which is valid only until the next.
//
// The places of the cuts depend on the bytes around them only, so equal content that has moved within a file gives equal
// chunks: a program that has changed shifts all that follows it in a root image.
func split(r io.Reader, each func(Chunk) error) error {
	gear := gears()
	in := bufio.NewReaderSize(r, 1<<16)
	buffer := make([]byte, 0, GreatestChunk)
	var sum uint64
	for {
		b, err := in.ReadByte()
		if err != nil && err != io.EOF {
			return err
		}
		if err == nil {
			buffer = append(buffer, b)
			sum = sum<<1 + gear[b]
		}
		full := len(buffer) == GreatestChunk || len(buffer) >= leastChunk && sum&cutMask == 0
		if len(buffer) > 0 && (full || err == io.EOF) {
			if err := each(Chunk{Size: len(buffer), Hash: blake2b.Sum256(buffer)}); err != nil {
				return err
			}
			buffer, sum = buffer[:0], 0
		}
		if err == io.EOF {
			return nil
		}
	}
}

// gears returns a number for each byte, of which the rolling sum is made: the first 8 bytes of the byte's BLAKE2b-256.
func gears() (gear [256]uint64) {
	for b := range gear {
		hash := blake2b.Sum256([]byte{byte(b)})
		gear[b] = binary.BigEndian.Uint64(hash[:])
	}
	return gear
}
