package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// engine is Badger in managed mode: a group's number is the version of what it wrote.
type engine struct {
	dir string
	opt Options

	mu      sync.RWMutex // held shared by each read of db, exclusively to exchange db and to let versions go
	db      *badger.DB   // nil once closed
	merging bool         // Badger merges tables

	visible atomic.Uint64 // reads see groups up to this

	mem memTables

	snapshotMu sync.Mutex     // guards snapshots
	snapshots  map[uint64]int // scans under way, by the group up to which they see
}

// badgerOptions sets Badger for a small board: everything in the tables, no caches but the kernel's, no syncs of the
// memory tables, no checksums by Badger, which takes a failed one for an absent key (see guard).
func badgerOptions(dir string, o Options, merging bool) badger.Options {
	opt := badger.DefaultOptions(dir).
		WithLogger(engineLog{o.Logger}).
		WithBypassLockGuard(true).
		WithSyncWrites(false).
		WithDetectConflicts(false).
		WithMetricsEnabled(false).
		WithMemTableSize(o.MemTable).
		WithNumMemtables(1).
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(1 << 20).
		WithBaseTableSize(4 << 20).
		WithBaseLevelSize(64 << 20).
		WithNumLevelZeroTables(8).
		WithNumLevelZeroTablesStall(20).
		WithNumCompactors(2).
		WithCompactL0OnClose(false).
		WithBlockSize(16 << 10).
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		WithCompression(options.None).
		WithChecksumVerificationMode(options.NoVerification)
	if !merging {
		opt = opt.WithNumCompactors(0).WithNumLevelZeroTablesStall(math.MaxInt32)
	}
	return opt
}

// openEngine opens Badger in a folder that was checked, and lets it merge tables only if merging is set.
func openEngine(dir string, o Options, merging bool) (*engine, error) {
	e := &engine{dir: dir, opt: o, snapshots: make(map[uint64]int)}
	if err := e.open(merging); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *engine) open(merging bool) error {
	if err := clearFolder(e.dir); err != nil {
		return err
	}
	db, err := badger.OpenManaged(badgerOptions(e.dir, e.opt, merging))
	if err != nil {
		return fmt.Errorf("opening Badger: %w", err)
	}
	e.db, e.merging = db, merging
	return e.mem.start(e.dir, e.opt.MemTable)
}

// close writes all of memory as tables.
func (e *engine) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closeLocked()
}

func (e *engine) closeLocked() error {
	if e.db == nil {
		return nil
	}
	db := e.db
	e.db = nil
	e.mem.stop()
	if err := db.Close(); err != nil {
		return fmt.Errorf("closing Badger: %w", err)
	}
	return clearFolder(e.dir)
}

// startMerging opens Badger again with merging allowed. Reads wait meanwhile.
func (e *engine) startMerging() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.merging {
		return nil
	}
	if err := e.closeLocked(); err != nil {
		return err
	}
	if err := e.open(true); err != nil {
		return err
	}
	e.letGoLocked()
	return nil
}

// apply writes a group. It is seen once visible is set to its number. Only one goroutine applies at a time.
func (e *engine) apply(seq uint64, ops []byte) error {
	if err := e.mem.prepare(); err != nil {
		return err
	}
	txn := e.db.NewTransactionAt(math.MaxUint64, true)
	defer func() { txn.Discard() }()
	size := int64(0)
	commit := func() error {
		if err := txn.CommitAt(seq, nil); err != nil {
			return fmt.Errorf("writing to Badger: %w", err)
		}
		defer func() { size = 0 }()
		return e.mem.wrote(size)
	}
	err := eachOp(ops, func(key, value []byte) error {
		set := func() error {
			if value == nil {
				return txn.Delete(key)
			}
			return txn.SetEntry(badger.NewEntry(key, value))
		}
		err := set()
		if errors.Is(err, badger.ErrTxnTooBig) {
			if err := commit(); err != nil {
				return err
			}
			txn = e.db.NewTransactionAt(math.MaxUint64, true)
			err = set()
		}
		const version, sum = 8, 4 // that Badger adds
		size += int64(len(key) + len(value) + version + sum)
		return err
	})
	if err != nil {
		return err
	}
	return commit()
}

// letGo tells Badger which versions nobody reads any more.
func (e *engine) letGo() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.letGoLocked()
}

// letGoLocked needs mu exclusively, so that no point read is under way.
func (e *engine) letGoLocked() {
	e.snapshotMu.Lock()
	defer e.snapshotMu.Unlock()
	oldest := e.visible.Load()
	for seq := range e.snapshots {
		oldest = min(oldest, seq)
	}
	if oldest > 0 {
		e.db.SetDiscardTs(oldest)
	}
}

// tables lists Badger's tables.
func (e *engine) tables() []badger.TableInfo {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.db == nil {
		return nil
	}
	return e.db.Tables()
}

// engineLog passes Badger's complaints on: the text and the error, not the other arguments, which may be keys.
type engineLog struct{ log *slog.Logger }

func (l engineLog) Errorf(format string, args ...any)   { l.print(slog.LevelError, format, args) }
func (l engineLog) Warningf(format string, args ...any) { l.print(slog.LevelWarn, format, args) }
func (l engineLog) Infof(string, ...any)                {}
func (l engineLog) Debugf(string, ...any)               {}

func (l engineLog) print(level slog.Level, format string, args []any) {
	attrs := []slog.Attr{slog.String("text", strings.TrimSpace(format))}
	for _, a := range args {
		if err, ok := a.(error); ok {
			attrs = append(attrs, slog.Any("err", err))
		}
	}
	l.log.LogAttrs(context.Background(), level, "badger", attrs...)
}

func tablePath(dir string, id uint64) string { return filepath.Join(dir, fmt.Sprintf("%06d.sst", id)) }
