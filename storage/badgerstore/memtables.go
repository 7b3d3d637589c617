package badgerstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// memTables watches over the files that Badger maps as the logs of its memory tables. Nothing is read from them, but
// Badger writes to them by memory, where a full disk is fatal. So the space of each is allocated before Badger gets to
// it, and what was written is thrown away before the kernel spends disk writes on it.
//
// Badger numbers the files one after the other, and takes an empty file for a new one.
type memTables struct {
	mu      sync.Mutex // guards all below
	dir     string
	size    int64 // bytes to allocate
	current int   // number of the file that Badger writes
	file    *os.File
	next    *os.File // allocated and empty; nil if there was no room for it
	written int64    // bytes that Badger wrote to the file, at least
	punched int64    // bytes of the file that were thrown away
}

// punchStep is how much is written before it is thrown away.
const punchStep = 1 << 20

func (m *memTables) path(number int) string {
	return filepath.Join(m.dir, fmt.Sprintf("%05d.mem", number))
}

// start takes up the file that Badger made when it was opened in a cleared folder.
func (m *memTables) start(dir string, memTable int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dir, m.size, m.current, m.written, m.punched = dir, memTable+memTable/4+1<<20, 1, 0, 0
	f, err := os.OpenFile(m.path(1), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("finding Badger's memory table: %w", err)
	}
	m.file = f
	return nil
}

func (m *memTables) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range []*os.File{m.file, m.next} {
		if f != nil {
			f.Close()
		}
	}
	m.file, m.next = nil, nil
}

// number returns the number of the file that Badger writes.
func (m *memTables) number() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current
}

// prepare allocates what Badger may write to until it takes the next file.
func (m *memTables) prepare() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.prepareLocked()
}

func (m *memTables) prepareLocked() error {
	if m.next != nil {
		return nil
	}
	if err := unix.Fallocate(int(m.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, m.size); err != nil {
		return fmt.Errorf("allocating memory table: %w", err)
	}
	f, err := os.OpenFile(m.path(m.current+1), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("allocating memory table: %w", err)
	}
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, m.size); err != nil {
		f.Close()
		return errors.Join(fmt.Errorf("allocating memory table: %w", err), os.Remove(f.Name()))
	}
	m.next = f
	return nil
}

// wrote notes that Badger wrote a transaction of at least n bytes, and whether it took the next file for it.
func (m *memTables) wrote(n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next == nil {
		return errors.New("writing to Badger: the next memory table was not prepared")
	}
	info, err := m.next.Stat()
	if err != nil {
		return fmt.Errorf("watching memory table: %w", err)
	}
	if info.Size() == 0 {
		m.written += n
		m.punch()
		return nil
	}
	m.file.Close()
	m.file, m.next = m.next, nil
	m.written, m.punched = n, 0
	m.current++
	return m.prepareLocked()
}

// punch throws away what Badger wrote and nobody will read. A file system that cannot do that keeps it.
func (m *memTables) punch() {
	const page = 4096
	if m.written-m.punched < punchStep {
		return
	}
	end := m.written / page * page
	const mode = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	_ = unix.Fallocate(int(m.file.Fd()), mode, m.punched, end-m.punched)
	m.punched = end
}

// gone reports whether everything of the memory table is in tables on the disk.
func (m *memTables) gone(number int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, err := os.Stat(m.path(number))
	return number < m.current && errors.Is(err, os.ErrNotExist)
}

// clearFolder removes from Badger's folder, while it is closed, everything but its tables and their list.
func clearFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("clearing folder: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		if name == "MANIFEST" || strings.HasSuffix(name, ".sst") {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("clearing folder: %w", err)
		}
	}
	return nil
}
