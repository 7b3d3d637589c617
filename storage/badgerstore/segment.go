package badgerstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	segmentSize = 8 << 20   // a segment is left once it would grow beyond
	zeroAhead   = 1 << 20   // bytes written as zeros at once, so that most syncs change no metadata
	zeroPiece   = 128 << 10 // bytes of zeros written by one call
)

// segment is one file of the log. Its fields are the committer's; others read f, number and end under journal.mu.
type segment struct {
	number  uint64
	f       *os.File
	block   int64  // what offsets, lengths and addresses of writes must be multiples of
	end     int64  // end of the last record
	written int64  // size of the file
	first   uint64 // numbers of its groups; 0 if it has none
	last    uint64
	mem     int  // Badger's memory table that held its last group
	named   bool // its name is durable
}

func segmentPath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("log-%08d", number))
}

// segmentNumber reads the number from a file's name.
func segmentNumber(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, "log-")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && n > 0
}

// openSegment opens or creates a segment for writing, past the page cache where the file system can.
func openSegment(dir string, number uint64) (*segment, error) {
	path := segmentPath(dir, number)
	const flags = os.O_RDWR | os.O_CREATE
	f, err := os.OpenFile(path, flags|unix.O_DIRECT, 0o600)
	block := int64(recordAlign)
	if errors.Is(err, unix.EINVAL) {
		f, err = os.OpenFile(path, flags, 0o600)
	} else if err == nil {
		block = directBlock(f)
	}
	if err != nil {
		return nil, fmt.Errorf("opening segment: %w", err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("opening segment: %w", err)
	}
	return &segment{number: number, f: f, block: block, written: size / block * block, mem: -1}, nil
}

// directBlock asks for the smallest unit of writes past the page cache.
func directBlock(f *os.File) int64 {
	const safe = 4096
	var s unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_DIOALIGN, &s)
	if err != nil || s.Mask&unix.STATX_DIOALIGN == 0 || s.Dio_offset_align == 0 || s.Dio_mem_align > safe {
		return safe
	}
	return max(int64(s.Dio_offset_align), recordAlign)
}

// room makes sure that the file is written up to n bytes beyond its last record.
func (s *segment) room(n int64) error {
	want := s.end + n
	if want <= s.written {
		return nil
	}
	zeros := alignedBytes(zeroPiece)
	for want = s.written + roundUp(want-s.written, zeroAhead); s.written < want; s.written += zeroPiece {
		if _, err := s.f.WriteAt(zeros, s.written); err != nil {
			return fmt.Errorf("growing segment: %w", err)
		}
	}
	return nil
}

func roundUp(n, unit int64) int64 { return (n + unit - 1) / unit * unit }

// alignedBytes returns n bytes at an address that is good for any direct write.
func alignedBytes(n int) []byte {
	const page = 4096
	raw := make([]byte, n+page)
	skip := page - int(uintptr(unsafe.Pointer(unsafe.SliceData(raw)))%page)
	return raw[skip : skip+n : skip+n]
}
