package badgerstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// tableIndex is what the end of one of Badger's table files says: where its blocks are.
//
// A file is the blocks, the index (a flatbuffer), its length (4 bytes), the index's checksum (a protocol buffer) and
// its length (4 bytes). A block ends with its checksum and the checksum's length likewise.
type tableIndex struct {
	index      *fb.TableIndex
	maxVersion uint64
}

// badBlock is a block that cannot be read, and the keys between which its own lie, without their versions.
type badBlock struct {
	offset   int64
	from, to []byte // to is nil for the last block: up to the table's end
	err      error
}

var errTableShape = errors.New("lengths do not add up")

// tableChecker checks table files one after the other, in the same memory.
type tableChecker struct{ sum, index, block []byte }

// readIndex reads the end of a table file and checks it; the index is good until the next call.
func (c *tableChecker) readIndex(f io.ReaderAt, size int64) (t *tableIndex, err error) {
	defer func() {
		if recover() != nil { // a flatbuffer is read without looking at its length, and zeros have a checksum too
			t, err = nil, errTableShape
		}
	}()
	at, err := trailer(f, size, &c.sum)
	if err != nil {
		return nil, err
	}
	start, err := trailer(f, at, &c.index)
	if err != nil {
		return nil, err
	}
	if err := verifySum(c.index, c.sum); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	t = &tableIndex{index: fb.GetRootAsTableIndex(c.index, 0)}
	t.maxVersion = t.index.MaxVersion()
	if t.index.OffsetsLength() == 0 {
		return nil, errTableShape
	}
	var b fb.BlockOffset
	end := int64(0)
	for i := range t.index.OffsetsLength() {
		if !t.index.Offsets(&b, i) || int64(b.Offset()) != end || len(b.KeyBytes()) < 8 {
			return nil, errTableShape
		}
		end += int64(b.Len())
	}
	if end != start {
		return nil, errTableShape
	}
	return t, nil
}

// trailer reads into data the bytes that end at end and are followed by their length, and returns where they begin.
func trailer(f io.ReaderAt, end int64, data *[]byte) (start int64, err error) {
	var length [4]byte
	if end < 4 {
		return 0, errTableShape
	}
	if _, err := f.ReadAt(length[:], end-4); err != nil {
		return 0, err
	}
	n := int64(binary.BigEndian.Uint32(length[:]))
	if n > end-4 {
		return 0, errTableShape
	}
	*data = slices.Grow((*data)[:0], int(n))[:n]
	if _, err := f.ReadAt(*data, end-4-n); err != nil {
		return 0, err
	}
	return end - 4 - n, nil
}

// verifySum checks data against an encoded checksum.
func verifySum(data, encoded []byte) error {
	var sum pb.Checksum
	if err := proto.Unmarshal(encoded, &sum); err != nil {
		return errTableShape
	}
	if sum.Algo != pb.Checksum_CRC32C && sum.Algo != pb.Checksum_XXHash64 {
		return errTableShape
	}
	if y.CalculateChecksum(data, sum.Algo) != sum.Sum {
		return errChecksum
	}
	return nil
}

// check checks every byte of a table file.
func (c *tableChecker) check(path string) (bad []badBlock, maxVersion uint64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("checking table: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("checking table: %w", err)
	}
	t, err := c.readIndex(f, info.Size())
	if err != nil {
		return nil, 0, err
	}
	var b fb.BlockOffset
	for i := range t.index.OffsetsLength() {
		t.index.Offsets(&b, i)
		if err := c.checkBlock(f, &b); err != nil {
			bad = append(bad, t.badBlock(i, err))
		}
	}
	return bad, t.maxVersion, nil
}

func (t *tableIndex) badBlock(i int, err error) badBlock {
	var b fb.BlockOffset
	t.index.Offsets(&b, i)
	bad := badBlock{offset: int64(b.Offset()), from: withoutVersion(b.KeyBytes()), err: err}
	if i+1 < t.index.OffsetsLength() {
		t.index.Offsets(&b, i+1)
		bad.to = withoutVersion(b.KeyBytes())
	}
	return bad
}

func (c *tableChecker) checkBlock(f io.ReaderAt, b *fb.BlockOffset) error {
	n := int(b.Len())
	c.block = slices.Grow(c.block[:0], n)[:n]
	if _, err := f.ReadAt(c.block, int64(b.Offset())); err != nil {
		return err
	}
	return checkBlock(c.block)
}

func checkBlock(data []byte) error {
	if len(data) < 8 {
		return errTableShape
	}
	end := len(data) - 4
	n := int(binary.BigEndian.Uint32(data[end:]))
	if n > end-4 {
		return errTableShape
	}
	return verifySum(data[:end-n], data[end-n:end])
}

// withoutVersion copies a key without the 8 bytes of version that Badger appends.
func withoutVersion(key []byte) []byte { return append([]byte{}, key[:len(key)-8]...) }
