package ota

import (
	"fmt"
	"io"
)

// A Slot is one of the two places that hold a whole system: a root partition, and a folder of the boot partition.
type Slot byte

// The slots. A box is flashed with its system in A.
const (
	A Slot = 'a'
	B Slot = 'b'
)

// Other returns the slot that is not s.
func (s Slot) Other() Slot {
	if s == A {
		return B
	}
	return A
}

// String returns "a" or "b", which is also the name of the slot's folder on the boot partition.
func (s Slot) String() string { return string(rune(s)) }

// ParseSlot reads "a" or "b".
func ParseSlot(text string) (Slot, error) {
	if text != "a" && text != "b" {
		return 0, fmt.Errorf("%q is not a slot: there are a and b", text)
	}
	return Slot(text[0]), nil
}

// A File is read and written in place.
type File interface {
	io.ReaderAt
	io.WriterAt
	Size() (int64, error)
	io.Closer
}

// A Partition is a File over a partition.
type Partition interface {
	File

	// Sync returns when all that was written is on the disk; what is read later is read from there.
	Sync() error
}

// Boot is the boot partition, which the firmware reads too: a FAT file system, with all its weaknesses. Names are slashed
// paths without a slash before them. What is not there is fs.ErrNotExist.
type Boot interface {
	// Open opens a file to read it, if size is negative. Otherwise it may be written, is made if it is not there, with the
	// folders that it needs, and is cut to size if it is longer.
	Open(name string, size int64) (File, error)

	// Rename moves a file to a name that is not taken. If power is lost meanwhile, one of the names, both or none may be left.
	Rename(from, to string) error

	Remove(name string) error

	// List returns the names in a folder, with a slash behind those of folders; none if there is no such folder.
	List(folder string) ([]string, error)

	// Sync returns when all that was done is on the disk; what is read later is read from there.
	Sync() error
}

// readFile returns what a file of at most limit bytes holds.
func readFile(boot Boot, name string, limit int64) ([]byte, error) {
	file, err := boot.Open(name, -1)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", name, size, limit)
	}
	data := make([]byte, size)
	if _, err := file.ReadAt(data, 0); err != nil && err != io.EOF {
		return nil, err
	}
	return data, nil
}

// writeFile makes a file, or puts data in the place of what it held.
func writeFile(boot Boot, name string, data []byte) error {
	file, err := boot.Open(name, int64(len(data)))
	if err != nil {
		return err
	}
	_, err = file.WriteAt(data, 0)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}
