package badgerstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"time"

	"hearth/storage/blob"
)

const (
	maxMain  = 1<<20 - 64 // bytes of data in a value of Badger: it must stay below 2^20 with the rest
	flagTail = 1          // the data goes on under kindTail
)

var (
	errChecksum = errors.New("the checksum does not match")
	errHash     = errors.New("the bytes do not have this hash")
	errShape    = errors.New("the value cannot be read")
	errOrder    = errors.New("the key is out of order")
)

// appendSealed appends the operations that store data under key: with a checksum, or, for blobs, without.
func appendSealed(buf, key, data []byte) []byte {
	main, tail := data, []byte(nil)
	flag := byte(0)
	if len(data) > maxMain {
		main, tail, flag = data[:maxMain], data[maxMain:], flagTail
	}
	sum := 4
	if key[0] == kindBlob {
		sum = 0
	}
	buf = appendOpKey(buf, key, sum+1+len(main), false)
	if sum > 0 {
		buf = binary.BigEndian.AppendUint32(buf, checksum(key, flag, data))
	}
	buf = append(buf, flag)
	buf = append(buf, main...)
	if tail != nil {
		buf = appendOp(buf, tailKey(key), tail)
	}
	return buf
}

func checksum(key []byte, flag byte, parts ...[]byte) uint32 {
	sum := crc32.Update(crc32.Checksum(key, castagnoli()), castagnoli(), []byte{flag})
	for _, p := range parts {
		sum = crc32.Update(sum, castagnoli(), p)
	}
	return sum
}

// unseal checks a stored value and returns its data, which is part of stored unless the value is a long one, whose
// end tail returns.
func unseal(key, stored []byte, tail func() ([]byte, error)) ([]byte, error) {
	sum := 4
	if key[0] == kindBlob {
		sum = 0
	}
	if len(stored) < sum+1 || stored[sum] > flagTail {
		return nil, errShape
	}
	flag, main := stored[sum], stored[sum+1:]
	var end []byte
	if flag == flagTail {
		var err error
		if end, err = tail(); err != nil {
			return nil, err
		}
	}
	if sum > 0 && checksum(key, flag, main, end) != binary.BigEndian.Uint32(stored) {
		return nil, errChecksum
	}
	data := main
	if end != nil {
		data = slices.Concat(main, end)
	}
	if sum == 0 {
		if h := blob.Sum(data); !bytes.HasSuffix(key, h[:]) {
			return nil, errHash
		}
	}
	return data, nil
}

// appendCommit appends hash, parent, sequence number and milliseconds since 1970 as varints, and the message.
func appendCommit(buf []byte, c *blob.Commit) []byte {
	buf = append(buf, c.Hash[:]...)
	buf = append(buf, c.Parent[:]...)
	buf = binary.AppendUvarint(buf, c.Seq)
	buf = binary.AppendVarint(buf, c.Time.UnixMilli())
	return append(buf, c.Message...)
}

func readCommit(data []byte) (c blob.Commit, err error) {
	if len(data) < 2*blob.HashSize {
		return c, errShape
	}
	copy(c.Hash[:], data)
	copy(c.Parent[:], data[blob.HashSize:])
	data = data[2*blob.HashSize:]
	seq, n := binary.Uvarint(data)
	if n <= 0 {
		return blob.Commit{}, errShape
	}
	ms, m := binary.Varint(data[n:])
	if m <= 0 {
		return blob.Commit{}, errShape
	}
	c.Seq = seq
	c.Time = time.UnixMilli(ms).UTC()
	c.Message = string(data[n+m:])
	return c, nil
}
