package badgerstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hearth/storage/blob"
)

// room keeps the store from being surprised by a full disk.
//
// Badger writes tables by memory, where a lack of space ends the process. So a group is written only if there is room
// for all that Badger may have to write because of it, and a file of no content is held in reserve, to be removed when
// the store is opened or closed on a disk that others filled.
type room struct {
	dir    string
	free   func(dir string) (int64, error)
	mem    int64 // bytes of a memory table
	tables int64 // bytes of all tables, as of late
	files  int   // how many tables there are, as of late
	ready  bool  // the reserve is there
}

const (
	smallRoom = 2 << 20   // for whatever is small
	maxMerge  = 160 << 20 // what one merge of tables writes before it removes what it read
)

func (r *room) path() string { return filepath.Join(r.dir, "reserve") }

// forGroup fails with kind Full unless a group of n bytes can be written and all that follows from it.
func (r *room) forGroup(n int64, merging bool) error {
	const op = "writing group"
	if !r.ready {
		if err := r.makeReserve(); err != nil {
			return &blob.Error{Kind: blob.Full, Op: op, Err: err}
		}
		r.ready = true
	}
	need := n + zeroAhead + smallRoom + 3*r.mem
	if merging {
		need += min(r.tables, maxMerge)
	}
	free, err := r.free(r.dir)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if free < need {
		return blob.Errorf(blob.Full, op, "%d bytes free, %d needed", free, need)
	}
	return r.forFiles(op)
}

// forFiles fails unless the process may open more files than a merge makes: Badger drops, without a word, what it
// cannot write while it merges.
func (r *room) forFiles(op string) error {
	const spare = 256
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("%s: %w", op, os.NewSyscallError("getrlimit", err))
	}
	if uint64(r.files+spare) > limit.Cur {
		return blob.Errorf(blob.Full, op, "%d files are open, the process may open %d", r.files, limit.Cur)
	}
	return nil
}

// makeReserve allocates the reserve if there is room for it and for a memory table besides.
func (r *room) makeReserve() error {
	size := 3*r.mem + 2*smallRoom
	if info, err := os.Stat(r.path()); err == nil && info.Size() == size {
		return nil
	}
	if free, err := r.free(r.dir); err != nil || free < 2*size {
		return errors.Join(err, fmt.Errorf("%d bytes free, %d needed", free, 2*size))
	}
	f, err := os.OpenFile(r.path(), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("making reserve: %w", err)
	}
	defer f.Close()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		return errors.Join(fmt.Errorf("making reserve: %w", err), os.Remove(r.path()))
	}
	return nil
}

// forOpen makes room for n bytes, of the reserve if need be, or fails with kind Full.
func (r *room) forOpen(op string, n int64) error {
	for {
		free, err := r.free(r.dir)
		if err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		if free >= n+smallRoom {
			return nil
		}
		r.ready = false
		if err := os.Remove(r.path()); err != nil {
			return blob.Errorf(blob.Full, op, "%d bytes free, %d needed", free, n+smallRoom)
		}
	}
}
