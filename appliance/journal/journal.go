// Package journal keeps the latest log lines of the box in files of bounded size, and reads them while they grow.
//
// A folder holds files with names of 16 decimal digits and ".log", numbered upwards: 0000000000000042.log. The last one
// is appended to. One that has grown to FileSize is closed and the next begun; then the oldest are removed until Files
// are left, so that the folder never holds more than Files times FileSize and one line. Lines end in LF and are never
// split between files. What is written is not synced: the kernel writes it within seconds, and a line is not worth a
// flash card's wear. A file may therefore end in the midst of a line, or in zeros, after a power cut; the next start
// begins a new file.
//
// A Position names a byte: the file's number and the offset in it. A reader whose file has been removed meanwhile goes on
// with the oldest that there is.
package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The bounds of a folder.
const (
	FileSize = 1 << 20 // bytes
	Files    = 16
)

// Journal is the writing end, of which a folder has one.
type Journal struct {
	dir  string
	size int64 // of a file, and how many
	most int

	mu      sync.Mutex // guards what follows
	file    *os.File   // nil if the last one could not be opened
	number  uint64
	written int64
}

// Open begins a new file in the folder, which it makes.
func Open(dir string) (*Journal, error) { return open(dir, FileSize, Files) }

func open(dir string, size int64, most int) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	numbers, err := list(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	j := &Journal{dir: dir, size: size, most: most}
	if len(numbers) > 0 {
		j.number = numbers[len(numbers)-1]
	}
	if err := j.next(); err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	return j, nil
}

// Write appends lines, which p holds whole. If that fails, as on a full disk, they are lost, and the next are tried anew.
func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil || j.written >= j.size {
		if err := j.next(); err != nil {
			return 0, fmt.Errorf("writing the journal: %w", err)
		}
	}
	n, err := j.file.Write(p)
	j.written += int64(n)
	if err != nil {
		return n, fmt.Errorf("writing the journal: %w", err)
	}
	return n, nil
}

// Close syncs and closes the last file.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Sync()
	if closeErr := j.file.Close(); err == nil {
		err = closeErr
	}
	j.file = nil
	return err
}

// next begins a file and removes the oldest.
func (j *Journal) next() error {
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
	file, err := os.OpenFile(filepath.Join(j.dir, fileName(j.number+1)), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	j.file, j.number, j.written = file, j.number+1, 0
	numbers, err := list(j.dir)
	if err != nil {
		return err
	}
	for len(numbers) > j.most {
		if err := os.Remove(filepath.Join(j.dir, fileName(numbers[0]))); err != nil {
			return err
		}
		numbers = numbers[1:]
	}
	return nil
}

func fileName(number uint64) string { return fmt.Sprintf("%016d.log", number) }

// list returns the numbers of the files, the oldest first.
func list(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), ".log")
		number, err := strconv.ParseUint(digits, 10, 64)
		if ok && err == nil && fileName(number) == e.Name() {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
