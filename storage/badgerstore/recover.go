package badgerstore

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"hearth/storage/blob"
)

// scanned is what was found in one segment.
type scanned struct {
	number      uint64
	end         int64 // of the last whole record
	first, last uint64
}

// scanSegment calls each for every record in order. The error is of kind Corrupt if a record is damaged that another
// follows; a damaged or unfinished last record is where the segment ends.
func scanSegment(path string, buf []byte, number, salt uint64, each func(record) error) (scanned, error) {
	s := scanned{number: number}
	for int(s.end) < len(buf) {
		r, err := openRecord(buf[s.end:], salt, number)
		if err == nil && s.last != 0 && r.seq != s.last+1 {
			err = errBadRecord
		}
		if err != nil {
			at, found := laterRecord(buf, int(s.end)+recordAlign, salt, number)
			if found {
				return s, damagedAt(path, s.end, "a group is damaged, the one at byte %d is whole", at)
			}
			return s, nil
		}
		if err := each(r); err != nil {
			return s, err
		}
		if s.first == 0 {
			s.first = r.seq
		}
		s.last = r.seq
		s.end += int64(r.size)
	}
	return s, nil
}

// laterRecord looks for a whole record of the segment from an offset on.
func laterRecord(buf []byte, from int, salt, number uint64) (at int, found bool) {
	for ; from < len(buf); from += recordAlign {
		if _, err := openRecord(buf[from:], salt, number); err == nil {
			return from, true
		}
	}
	return 0, false
}

func damagedAt(path string, at int64, format string, args ...any) error {
	return blob.Errorf(blob.Corrupt, fmt.Sprintf("reading %s at byte %d", path, at), format, args...)
}

// logFiles returns the numbers of the segments in dir, in order.
func logFiles(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing log: %w", err)
	}
	var numbers []uint64
	for _, e := range entries {
		if n, ok := segmentNumber(e.Name()); ok {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// scanLog checks the whole log against the mark and calls each for every record, in order.
func scanLog(dir string, m mark, each func(record) error) ([]scanned, error) {
	numbers, err := logFiles(dir)
	if err != nil {
		return nil, err
	}
	var out []scanned
	last := m.base - 1
	for _, n := range numbers {
		path := segmentPath(dir, n)
		if n < m.segment {
			continue // given up
		}
		if want := m.segment + uint64(len(out)); n != want {
			return nil, damagedAt(segmentPath(dir, want), 0, "the segment is missing")
		}
		buf, err := readWhole(path)
		if err != nil {
			return nil, err
		}
		s, err := scanSegment(path, buf, n, m.salt, each)
		if err != nil {
			return nil, err
		}
		if s.first != 0 && s.first != last+1 {
			return nil, damagedAt(path, 0, "groups %d to %d are missing", last+1, s.first-1)
		}
		last = max(last, s.last)
		out = append(out, s)
	}
	if last < m.high {
		path, end := filepath.Join(dir, "mark"), int64(0)
		if k := len(out); k > 0 {
			path, end = segmentPath(dir, out[k-1].number), out[k-1].end
		}
		return nil, damagedAt(path, end, "groups %d to %d were acknowledged and are missing", last+1, m.high)
	}
	return out, nil
}

func readWhole(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading segment: %w", err)
	}
	defer f.Close()
	buf, err := io.ReadAll(io.LimitReader(f, segmentSize+maxRecord+zeroAhead))
	if err != nil {
		return nil, fmt.Errorf("reading segment: %w", err)
	}
	return buf, nil
}
