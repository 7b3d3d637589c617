package badgerstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"hearth/storage/blob"
)

// view runs f on Badger as of a group, or as of now if at is 0. A panic of Badger's over damaged data becomes an error
// of kind Corrupt.
func (e *engine) view(at uint64, f func(txn *badger.Txn) error) (err error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.db == nil {
		return errClosed()
	}
	if at == 0 {
		at = e.visible.Load()
	}
	txn := e.db.NewTransactionAt(at, false)
	defer txn.Discard()
	defer func() {
		if p := recover(); p != nil {
			err = blob.Errorf(blob.Corrupt, "reading tables", "Badger failed on damaged data: %v", p)
		}
	}()
	return f(txn)
}

// fetch returns the data under a key and the group that wrote it; nil and 0 if there is none.
func fetch(txn *badger.Txn, key []byte) (data []byte, version uint64, err error) {
	stored, version, err := get(txn, key)
	if err != nil || stored == nil {
		return nil, version, err
	}
	data, err = unseal(key, stored, func() ([]byte, error) { return fetchTail(txn, key) })
	if err != nil {
		return nil, version, corrupt(key, err)
	}
	return data, version, nil
}

func fetchTail(txn *badger.Txn, key []byte) ([]byte, error) {
	tail, _, err := get(txn, tailKey(key))
	if err == nil && tail == nil {
		err = errShape
	}
	return tail, err
}

// get returns what Badger has under a key, in bytes of its own.
func get(txn *badger.Txn, key []byte) (stored []byte, version uint64, err error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err == nil {
		err = item.Value(func(v []byte) error {
			stored = v // of this item alone, which is not used again
			return nil
		})
	}
	if err != nil {
		return nil, 0, corrupt(key, err)
	}
	if stored == nil {
		stored = []byte{} // too short, whoever reads it
	}
	return stored, item.Version(), nil
}

func corrupt(key []byte, err error) error {
	var e *blob.Error
	if errors.As(err, &e) {
		return e
	}
	what, name := describe(key)
	return &blob.Error{Kind: blob.Corrupt, Op: fmt.Sprintf("reading %s %s", what, name), Err: err}
}

// vouch fails if the answer under a key, of the given version or absent, may be wrong because a table is damaged.
func (d *DB) vouch(key []byte, version uint64) error {
	if bad := d.guard.check(key, key, version); bad != nil {
		return corrupt(key, bad)
	}
	return nil
}

// readOne returns the data under a key as of now, nil if there is none.
func (d *DB) readOne(key []byte) (data []byte, err error) {
	var version uint64
	err = d.engine.view(0, func(txn *badger.Txn) error {
		data, version, err = fetch(txn, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	return data, d.vouch(key, version)
}

// readCommit returns the commit under a key, the zero Commit if there is none.
func (d *DB) readCommit(key []byte) (blob.Commit, error) {
	data, err := d.readOne(key)
	if err != nil || data == nil {
		return blob.Commit{}, err
	}
	c, err := readCommit(data)
	if err != nil {
		return blob.Commit{}, corrupt(key, err)
	}
	return c, nil
}

// readMany returns the data under n keys as of one moment; proven says that what was found needs no vouching.
func (d *DB) readMany(n int, key func(buf []byte, i int) []byte, proven bool) ([][]byte, error) {
	out := make([][]byte, n)
	versions := make([]uint64, n)
	var buf []byte
	err := d.engine.view(0, func(txn *badger.Txn) (err error) {
		for i := range out {
			buf = key(buf[:0], i)
			if out[i], versions[i], err = fetch(txn, buf); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		if proven && out[i] != nil {
			continue
		}
		buf = key(buf[:0], i)
		if err := d.vouch(buf, versions[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Get returns the blobs with these addresses.
func (s *space) Get(ctx context.Context, hashes ...blob.Hash) ([][]byte, error) {
	const op = "reading blobs"
	if err := canceled(ctx, op); err != nil {
		return nil, err
	}
	if len(hashes) > blob.MaxMulti {
		return nil, blob.Errorf(blob.TooLarge, op, "%d hashes, at most %d", len(hashes), blob.MaxMulti)
	}
	s.reads.Add(uint64(len(hashes)))
	return s.db.readMany(len(hashes), func(buf []byte, i int) []byte {
		return appendBlobKey(buf, s.name, hashes[i])
	}, true)
}

// Rows returns the values of these rows.
func (s *space) Rows(ctx context.Context, keys ...blob.RowKey) ([][]byte, error) {
	if err := canceled(ctx, "reading rows"); err != nil {
		return nil, err
	}
	if err := blob.CheckRows(keys); err != nil {
		return nil, err
	}
	s.reads.Add(uint64(len(keys)))
	return s.db.readMany(len(keys), func(buf []byte, i int) []byte {
		return appendRowKey(buf, s.name, keys[i].Table, keys[i].Key)
	}, false)
}
