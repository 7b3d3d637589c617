package badgerstore

import (
	"fmt"
	"os"
	"sync"
)

// journal is the log. The committer writes it; Verify reads it.
type journal struct {
	dir   string
	salt  uint64
	first uint64 // number of the segment with which an empty log begins
	sync  func(*os.File) error

	mu       sync.Mutex // guards the list and the names of files
	segments []*segment // oldest first; the last is written
	spare    []*segment // given up, to be written again
	buf      []byte     // for one record, aligned
	mem      int        // Badger's newest memory table as far as known
}

// append writes the operations as one group and syncs once. If it fails before the sync, written is false and the log
// is as before.
func (j *journal) append(seq uint64, ops []byte) (written bool, err error) {
	s, err := j.segmentFor(len(ops))
	if err != nil {
		return false, err
	}
	size := roundUp(int64(recordHeader+len(ops)), s.block)
	if err := s.room(size); err != nil {
		return false, err
	}
	if int64(len(j.buf)) < size {
		j.buf = alignedBytes(int(roundUp(size, 64<<10)))
	}
	buf := j.buf[:size]
	copy(buf[recordHeader:], ops)
	sealRecord(buf, j.salt, s.number, seq, len(ops))
	if _, err := s.f.WriteAt(buf, s.end); err != nil {
		return false, fmt.Errorf("writing group: %w", err)
	}
	if err := j.sync(s.f); err != nil {
		return true, fmt.Errorf("syncing group: %w", err)
	}
	j.mu.Lock()
	s.end += size
	j.mu.Unlock()
	if s.first == 0 {
		s.first = seq
	}
	s.last = seq
	if len(j.buf) > 1<<20 {
		j.buf = nil // a rare big batch does not hold memory
	}
	return true, nil
}

// segmentFor returns the segment to which a group of n bytes is appended.
func (j *journal) segmentFor(n int) (*segment, error) {
	if k := len(j.segments); k > 0 {
		s := j.segments[k-1]
		fits := s.end+int64(n)+recordHeader+s.block <= segmentSize
		if s.end == 0 || fits && s.end%s.block == 0 {
			return s, j.name(s)
		}
	}
	return j.next()
}

// name makes the name of a new segment durable.
func (j *journal) name(s *segment) error {
	if s.named {
		return nil
	}
	if err := syncFolder(j.dir); err != nil {
		return err
	}
	s.named = true
	return nil
}

// next begins a new segment, in the file of one that was given up if there is one.
func (j *journal) next() (*segment, error) {
	number := j.first
	if k := len(j.segments); k > 0 {
		number = j.segments[k-1].number + 1
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var s *segment
	if k := len(j.spare); k > 0 {
		s = j.spare[k-1]
		if err := os.Rename(segmentPath(j.dir, s.number), segmentPath(j.dir, number)); err != nil {
			return nil, fmt.Errorf("naming segment: %w", err)
		}
		j.spare = j.spare[:k-1]
		s.number, s.end, s.first, s.last, s.mem, s.named = number, 0, 0, 0, -1, false
	} else {
		var err error
		if s, err = openSegment(j.dir, number); err != nil {
			return nil, err
		}
	}
	j.segments = append(j.segments, s)
	return s, j.name(s)
}

// note notes that the groups up to applied are in memory tables up to mem. It reports whether the last one is new.
func (j *journal) note(applied uint64, mem int) (rotated bool) {
	for _, s := range j.segments {
		if s.last == 0 || s.last > applied {
			s.mem = -1 // not all of it is in a memory table
		} else if s.mem < 0 {
			s.mem = mem
		}
	}
	rotated = j.mem != mem
	j.mem = mem
	return rotated
}

// old returns how many segments hold only groups of memory tables that are gone, but never the last segment.
func (j *journal) old(gone func(mem int) bool) int {
	n := 0
	for n < len(j.segments)-1 && j.segments[n].mem >= 0 && gone(j.segments[n].mem) {
		n++
	}
	return n
}

// giveUp makes the oldest n segments spare.
func (j *journal) giveUp(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	const keep = 2 // files at hand
	for _, s := range j.segments[:n] {
		if len(j.spare) < keep {
			j.spare = append(j.spare, s)
			continue
		}
		s.f.Close()
		os.Remove(segmentPath(j.dir, s.number)) // a leftover is older than the log and removed at open
	}
	j.segments = append([]*segment(nil), j.segments[n:]...)
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range append(j.segments, j.spare...) {
		s.f.Close()
	}
	j.segments, j.spare = nil, nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing folder: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("syncing folder: %w", err)
	}
	return nil
}
