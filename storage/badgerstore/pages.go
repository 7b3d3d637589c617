package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/sys/unix"
)

// Badger maps its tables, and the pages of them that it wrote or read count as this process's own until the kernel is
// short of memory: the whole store in the end. So the process lets go of them now and then. They stay in the page cache,
// and what is read again is mapped again, without the disk.
const (
	mappedMax   = 8 << 20     // bytes that may be mapped beside those that were when the store was opened
	mappedPause = time.Second // between two looks
)

// watchPages lets go of the tables' pages when they are many, until ctx ends.
func (d *DB) watchPages(ctx context.Context) {
	w := pageWatch{}
	tick := time.NewTicker(mappedPause)
	defer tick.Stop()
	for {
		mapped, err := mappedBytes()
		if err == nil && w.many(mapped) {
			if err = d.engine.letGoPages(); err == nil {
				mapped, err = mappedBytes()
				w.remain(mapped)
			}
		}
		if err != nil {
			d.opt.Logger.Warn("letting go of the tables' pages", "err", err) // without which everything works
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// pageWatch decides when there are many pages: by how many there are beside those that will not go.
type pageWatch struct{ opened, floor int64 }

func (w *pageWatch) many(mapped int64) bool {
	if w.opened == 0 {
		w.opened = mapped
	}
	w.floor = max(min(w.floor, mapped), w.opened) // what did not go lately may have gone since
	return mapped > w.floor+mappedMax
}

// remain notes what is left after all was let go of that could be.
func (w *pageWatch) remain(mapped int64) { w.floor = mapped }

// mappedBytes returns how many bytes of files the process has mapped and in memory.
func mappedBytes() (int64, error) {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	const shared = 2 // the field's index, in pages
	fields := strings.Fields(string(data))
	if len(fields) <= shared {
		return 0, errors.New("statm has too few fields")
	}
	n, err := strconv.ParseInt(fields[shared], 10, 64)
	return n * int64(os.Getpagesize()), err
}

// letGoPages unmaps the pages of the tables, which takes nothing from them. A mapping that Badger ends meanwhile would
// leave its addresses to somebody else's memory, so the tables are held: by an iterator those that are there when it is
// made, of which we know the ones that are listed both before and after.
func (e *engine) letGoPages() error {
	dir, err := filepath.Abs(e.dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return fmt.Errorf("finding the tables' folder: %w", err)
	}
	return e.view(0, func(txn *badger.Txn) error {
		before := e.db.Tables()
		it := txn.NewIterator(badger.IteratorOptions{})
		defer it.Close()
		listed := make(map[uint64]bool)
		for _, t := range before {
			listed[t.ID] = true
		}
		held := make(map[string]bool)
		for _, t := range e.db.Tables() {
			if listed[t.ID] {
				held[tablePath(dir, t.ID)] = true
			}
		}
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(maps)) {
			if m, ok := readMapping(line); ok && held[m.path] {
				if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED); errno != 0 {
					return os.NewSyscallError("madvise", errno)
				}
			}
		}
		return nil
	})
}

// mapping is where a file is mapped.
type mapping struct {
	from, to uintptr
	path     string
}

// readMapping reads a line of /proc/PID/maps; ok is false if it is not about a file that is mapped for all to see, as Badger
// maps its own:
//
//	7f1c00000000-7f1c00a00000 rw-s 00000000 fe:01 1234         /data/storage/lsm/000007.sst
func readMapping(line string) (m mapping, ok bool) {
	addresses, rest, _ := strings.Cut(line, " ")
	mode, _, _ := strings.Cut(rest, " ")
	slash := strings.IndexByte(rest, '/')
	from, to, _ := strings.Cut(addresses, "-")
	start, err := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	if err != nil || err2 != nil || start >= end || slash < 0 || !strings.HasSuffix(mode, "s") {
		return mapping{}, false
	}
	return mapping{uintptr(start), uintptr(end), strings.TrimSuffix(rest[slash:], "\n")}, true
}
