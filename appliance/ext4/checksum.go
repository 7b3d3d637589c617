package ext4

import (
	"encoding/binary"
	"hash/crc32"
)

var (
	le         = binary.LittleEndian
	be         = binary.BigEndian
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// checksum continues a crc32c as the kernel computes it: not inverted at either end.
func checksum(sum uint32, b []byte) uint32 {
	return ^crc32.Update(^sum, castagnoli, b)
}

func checksumNumber(sum, n uint32) uint32 {
	return checksum(sum, le.AppendUint32(nil, n))
}

// inodeSeed is that of the checksums of an inode and of its blocks. All inodes are of generation 0.
func (s *system) inodeSeed(number uint32) uint32 {
	return checksumNumber(checksumNumber(s.seed, number), 0)
}
