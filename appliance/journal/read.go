package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Position is a place in the journal. The zero Position is its beginning.
type Position struct {
	File   uint64
	Offset int64
}

// readSize is how much Read returns at most, and so the longest line that is returned whole.
const readSize = 64 << 10

// Read returns whole lines from a position on, and where those after them begin. It returns nothing at the end.
// It may be called in another process than the writer's.
func Read(dir string, at Position) (lines []byte, next Position, err error) {
	numbers, err := list(dir)
	if err != nil {
		return nil, at, fmt.Errorf("reading the journal: %w", err)
	}
	for i, number := range numbers {
		if number < at.File {
			continue
		}
		if number > at.File {
			at = Position{File: number}
		}
		last := i == len(numbers)-1
		lines, err := readLines(filepath.Join(dir, fileName(number)), at.Offset, !last)
		if errors.Is(err, fs.ErrNotExist) { // removed just now
			continue
		}
		if err != nil {
			return nil, at, fmt.Errorf("reading the journal: %w", err)
		}
		at.Offset += int64(len(lines))
		if len(lines) > 0 {
			return lines, at, nil
		}
	}
	return nil, at, nil
}

// readLines reads whole lines from the offset on. What a closed file ends with is a line too, and so is what is too long.
func readLines(path string, offset int64, closed bool) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	buf := make([]byte, readSize)
	n, err := file.ReadAt(buf, offset)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if end := bytes.LastIndexByte(buf[:n], '\n'); end >= 0 {
		return buf[:end+1], nil
	}
	if closed || n == readSize {
		return buf[:n], nil
	}
	return nil, nil
}

// Last returns the position from which the last n lines follow, or fewer if they are in more than the last two files.
func Last(dir string, n int) (Position, error) {
	numbers, err := list(dir)
	if err != nil {
		return Position{}, fmt.Errorf("reading the journal: %w", err)
	}
	at := Position{}
	for i := len(numbers) - 1; i >= max(0, len(numbers)-2); i-- {
		text, err := os.ReadFile(filepath.Join(dir, fileName(numbers[i])))
		if err != nil {
			return Position{}, fmt.Errorf("reading the journal: %w", err)
		}
		lines := bytes.Count(text, []byte("\n"))
		at = Position{File: numbers[i]}
		if lines >= n {
			for range lines - n {
				at.Offset += int64(bytes.IndexByte(text[at.Offset:], '\n')) + 1
			}
			return at, nil
		}
		n -= lines
	}
	return at, nil
}

// Follow writes lines to w from a position on, and those that come, looking for them every poll, until ctx ends or w fails.
func Follow(ctx context.Context, dir string, at Position, poll time.Duration, w io.Writer) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		lines, next, err := Read(dir, at)
		if err != nil {
			return err
		}
		at = next
		if len(lines) > 0 {
			if _, err := w.Write(lines); err != nil {
				return fmt.Errorf("passing on the journal: %w", err)
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
