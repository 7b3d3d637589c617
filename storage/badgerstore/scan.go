package badgerstore

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"hearth/storage/blob"
)

// entry is one key of Badger with its data.
type entry struct {
	key, data []byte
	version   uint64
}

// scan is a walk over keys, page by page as of one group, so that neither locks nor Badger's iterators are held while
// a page is consumed.
type scan struct {
	db       *DB
	at       uint64
	from, to []byte // what is left: from included, to excluded
	reverse  bool
	rows     int // of the next page

	broken func(key []byte, err error) // called for what is damaged; if nil, that ends the scan
}

const (
	firstPage = 32
	maxPage   = 512
	pageBytes = 256 << 10
)

// newScan begins a scan as of now; the caller ends it by close.
func (d *DB) newScan(from, to []byte, reverse bool) *scan {
	return &scan{db: d, at: d.engine.hold(), from: from, to: to, reverse: reverse, rows: firstPage}
}

func (s *scan) close() { s.db.engine.release(s.at) }

// hold keeps what is visible now from being let go, until release.
func (e *engine) hold() uint64 {
	e.snapshotMu.Lock()
	defer e.snapshotMu.Unlock()
	at := e.visible.Load()
	e.snapshots[at]++
	return at
}

func (e *engine) release(at uint64) {
	e.snapshotMu.Lock()
	defer e.snapshotMu.Unlock()
	if e.snapshots[at]--; e.snapshots[at] == 0 {
		delete(e.snapshots, at)
	}
}

// page returns the next entries, of which there are no more if done. Entries before an error are good.
func (s *scan) page(limit int) (page []entry, done bool, err error) {
	if s.at == 0 || bytes.Compare(s.from, s.to) >= 0 {
		return nil, true, nil
	}
	rows := s.rows
	if limit > 0 {
		rows = min(rows, limit)
	}
	s.rows = min(4*s.rows, maxPage)
	err = s.db.engine.view(s.at, func(txn *badger.Txn) error {
		page, done, err = s.collect(txn, rows)
		return err
	})
	from, to := s.from, s.to
	if n := len(page); n > 0 && !done {
		last := page[n-1].key
		if s.reverse {
			from, s.to = last, last
		} else {
			to, s.from = last, append(slices.Clone(last), 0)
		}
	}
	if s.broken != nil {
		return page, done, err
	}
	// A damaged key puts others out of their order, so that what was read before the damage shows may be wrong too.
	bad := s.db.guard.check(from, to, 0)
	if bad == nil {
		return page, done, err
	}
	return s.beforeBad(page, from, to), true, corrupt(bad.from, bad)
}

// collect reads entries until there are enough.
func (s *scan) collect(txn *badger.Txn, rows int) (page []entry, done bool, err error) {
	opt := badger.IteratorOptions{Reverse: s.reverse}
	if !s.reverse {
		opt.Prefix = commonPrefix(s.from, s.to)
	}
	it := txn.NewIterator(opt)
	defer it.Close()
	if s.reverse {
		it.Seek(s.to)
	} else {
		it.Seek(s.from)
	}
	for size := 0; len(page) < rows && size < pageBytes; it.Next() {
		if !it.Valid() {
			return page, true, nil
		}
		key := it.Item().Key()
		if n := len(page); n > 0 && s.reverse == (bytes.Compare(key, page[n-1].key) >= 0) {
			return page, true, corrupt(key, errOrder)
		}
		if s.reverse && bytes.Compare(key, s.to) >= 0 {
			continue
		}
		if bytes.Compare(key, s.from) < 0 || !s.reverse && bytes.Compare(key, s.to) >= 0 {
			return page, true, nil
		}
		e, err := readEntry(txn, it.Item())
		switch {
		case err == nil:
			page, size = append(page, e), size+len(e.key)+len(e.data)
		case s.broken == nil:
			return page, true, err
		default:
			s.broken(slices.Clone(key), err)
		}
	}
	return page, false, nil
}

func readEntry(txn *badger.Txn, item *badger.Item) (e entry, err error) {
	e = entry{key: item.KeyCopy(nil), version: item.Version()}
	err = item.Value(func(stored []byte) error {
		data, err := unseal(e.key, stored, func() ([]byte, error) { return fetchTail(txn, e.key) })
		if err == nil {
			e.data = append([]byte{}, data...)
		}
		return err
	})
	if err != nil {
		return e, corrupt(e.key, err)
	}
	return e, nil
}

// beforeBad returns the entries of a page from from to to that come before all damage.
func (s *scan) beforeBad(page []entry, from, to []byte) []entry {
	for i, e := range page {
		if s.reverse {
			from = e.key
		} else {
			to = e.key
		}
		if s.db.guard.check(from, to, 0) != nil {
			return page[:i]
		}
	}
	return page
}

func commonPrefix(a, b []byte) []byte {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return a[:n]
}

// eachEntry calls f for every entry of a range, as of now.
func (d *DB) eachEntry(ctx context.Context, from, to []byte, f func(entry) error) error {
	s := d.newScan(from, to, false)
	defer s.close()
	for {
		if err := canceled(ctx, "scanning"); err != nil {
			return err
		}
		page, done, err := s.page(0)
		for _, e := range page {
			if err := f(e); err != nil {
				return err
			}
		}
		if done || err != nil {
			return err
		}
	}
}

// Scan yields the rows of r in order, as of the moment when the loop began.
func (s *space) Scan(ctx context.Context, r blob.Range) iter.Seq2[blob.Row, error] {
	return func(yield func(blob.Row, error) bool) {
		if err := blob.CheckRange(r); err != nil {
			yield(blob.Row{}, err)
			return
		}
		prefix := appendRowKey(nil, s.name, r.Table, nil)
		from, to := append(slices.Clone(prefix), r.From...), blob.PrefixEnd(prefix)
		if r.To != nil {
			to = append(slices.Clone(prefix), r.To...)
		}
		sc := s.db.newScan(from, to, r.Reverse)
		defer sc.close()
		for left := r.Limit; ; {
			if err := canceled(ctx, "scanning"); err != nil {
				yield(blob.Row{}, err)
				return
			}
			page, done, err := sc.page(left)
			for _, e := range page {
				if !yield(blob.Row{Table: r.Table, Key: e.key[len(prefix):], Value: e.data}, nil) {
					return
				}
			}
			if err != nil {
				yield(blob.Row{}, err)
				return
			}
			left -= len(page)
			if done || r.Limit > 0 && left <= 0 {
				return
			}
		}
	}
}
