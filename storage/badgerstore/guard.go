package badgerstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"hearth/storage/blob"
)

// guard keeps answers that Badger gives from damaged tables away from clients.
//
// Badger passes over a block that it cannot read as if its keys were absent, and would answer with an older value, or
// with none. So no answer leaves before the tables that could have given it were checked once since the store was
// opened, and none that a damaged block could have given leaves at all. Tables made since are trusted; nothing is
// merged before all are checked, so the tables under guard stay.
type guard struct {
	dir     string
	pending atomic.Int64               // tables not checked yet
	bad     atomic.Pointer[[]badRange] // nil if nothing is damaged
	mu      sync.Mutex                 // guards the rest, and writes of pending and bad
	tables  []guarded
	checker tableChecker
}

// guarded is a table, with the keys that it may span, both included. What Badger says of its last key is not to be
// trusted, for it was read from a block.
type guarded struct {
	id       uint64
	from, to []byte // to is nil if only the end of all keys is known
	checked  bool
}

// badRange is where a damaged block has its keys, both bounds included.
type badRange struct {
	path     string
	from, to []byte // to is nil if only the end of all keys is known
	version  uint64 // no key of the table has a higher one
	block    badBlock
}

// Error says which file is damaged and where.
func (b *badRange) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %v", b.path, b.block.offset, b.block.err)
}

// guardedTables returns what may be in which of Badger's tables.
func guardedTables(tables []badger.TableInfo) []guarded {
	tables = slices.Clone(tables)
	slices.SortFunc(tables, func(a, b badger.TableInfo) int {
		return cmp.Or(a.Level-b.Level, bytes.Compare(a.Left, b.Left))
	})
	var out []guarded
	for i, t := range tables {
		g := guarded{id: t.ID, from: withoutVersion(t.Left)}
		if i+1 < len(tables) && t.Level > 0 && tables[i+1].Level == t.Level { // the tables of a level are apart
			g.to = withoutVersion(tables[i+1].Left)
		}
		out = append(out, g)
	}
	return out
}

// watch puts tables under guard.
func (g *guard) watch(tables []guarded) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tables = append(g.tables, tables...)
	g.pending.Add(int64(len(tables)))
}

// check returns the damage that lies between from and to, both included, after checking what is needed to tell; a nil
// to is the end of all keys. newest is the version of the answer if it is a single one, which is good if no damaged
// table is as new.
func (g *guard) check(from, to []byte, newest uint64) *badRange {
	if g.pending.Load() > 0 {
		g.checkTables(from, to)
	}
	bad := g.bad.Load()
	if bad == nil {
		return nil
	}
	for i := range *bad {
		b := &(*bad)[i]
		if overlap(from, to, b.from, b.to) && (newest == 0 || newest <= b.version) {
			return b
		}
	}
	return nil
}

// overlap reports whether two ranges have keys in common; a nil end is the end of all keys.
func overlap(from, to, from2, to2 []byte) bool {
	return (to == nil || bytes.Compare(from2, to) <= 0) && (to2 == nil || bytes.Compare(from, to2) <= 0)
}

// checkTables checks the tables with keys between from and to that were not yet.
func (g *guard) checkTables(from, to []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.tables {
		if t := &g.tables[i]; !t.checked && overlap(from, to, t.from, t.to) {
			g.checkLocked(t)
		}
	}
}

func (g *guard) checkLocked(t *guarded) {
	path := tablePath(g.dir, t.id)
	blocks, version, err := g.checker.check(path)
	if err != nil {
		blocks, version = []badBlock{{from: t.from, err: err}}, 1<<63
	}
	var all []badRange
	if old := g.bad.Load(); old != nil {
		all = append(all, *old...)
	}
	for _, b := range blocks {
		r := badRange{path: path, from: b.from, to: b.to, version: version, block: b}
		if r.to == nil {
			r.to = t.to
		}
		all = append(all, r)
	}
	if len(blocks) > 0 {
		g.bad.Store(&all)
	}
	t.checked = true
	g.pending.Add(-1)
}

// checkAll checks every table, one by one so that reads get in between, until ctx ends.
func (g *guard) checkAll(ctx context.Context) error {
	for i := 0; ; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		g.mu.Lock()
		if i == len(g.tables) {
			g.mu.Unlock()
			return nil
		}
		if t := &g.tables[i]; !t.checked {
			g.checkLocked(t)
		}
		g.mu.Unlock()
	}
}

// clean reports whether everything was checked and nothing is damaged.
func (g *guard) clean() bool { return g.pending.Load() == 0 && g.bad.Load() == nil }

// damage lists what was found.
func (g *guard) damage() []blob.Damage {
	bad := g.bad.Load()
	if bad == nil {
		return nil
	}
	var out []blob.Damage
	for i := range *bad {
		b := &(*bad)[i]
		out = append(out, blob.Damage{
			What: "file", Name: b.path, Detail: fmt.Sprintf("at byte %d: %v", b.block.offset, b.block.err),
		})
	}
	return out
}
