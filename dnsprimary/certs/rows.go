package certs

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"hearth/storage/blob"
)

const table = "acme"

// rows is certmagic's storage as rows of a store. One process uses it, so its locks are in memory.
type rows struct {
	store blob.Store
	now   func() time.Time

	mu    sync.Mutex               // guards locks
	locks map[string]chan struct{} // held ones; closed when given back
}

// Store implements certmagic.Storage.
func (r *rows) Store(ctx context.Context, key string, value []byte) error {
	var b blob.Batch
	at := binary.BigEndian.AppendUint64(nil, uint64(r.now().UnixMilli()))
	b.Set(table, []byte(key), append(at, value...))
	return r.store.Apply(ctx, &b)
}

func (r *rows) load(ctx context.Context, key string) (value []byte, at time.Time, err error) {
	found, err := r.store.Rows(ctx, blob.RowKey{Table: table, Key: []byte(key)})
	if err != nil {
		return nil, time.Time{}, err
	}
	if found[0] == nil {
		return nil, time.Time{}, fs.ErrNotExist
	}
	return split(key, found[0])
}

func split(key string, row []byte) ([]byte, time.Time, error) {
	if len(row) < 8 {
		return nil, time.Time{}, fmt.Errorf("the row %s is cut short", key)
	}
	return row[8:], time.UnixMilli(int64(binary.BigEndian.Uint64(row))), nil
}

// Load implements certmagic.Storage.
func (r *rows) Load(ctx context.Context, key string) ([]byte, error) {
	value, _, err := r.load(ctx, key)
	return value, err
}

// below returns all rows whose keys are in a folder, in order.
func (r *rows) below(ctx context.Context, folder string) ([]blob.Row, error) {
	if folder = strings.Trim(folder, "/"); folder != "" {
		folder += "/"
	}
	var found []blob.Row
	for row, err := range r.store.Scan(ctx, blob.Prefix(table, []byte(folder))) {
		if err != nil {
			return nil, err
		}
		found = append(found, row)
	}
	return found, nil
}

// Delete implements certmagic.Storage.
func (r *rows) Delete(ctx context.Context, key string) error {
	found, err := r.below(ctx, key)
	if err != nil {
		return err
	}
	var b blob.Batch
	b.Delete(table, []byte(key))
	for _, row := range found {
		b.Delete(table, row.Key)
	}
	return r.store.Apply(ctx, &b)
}

// Exists implements certmagic.Storage.
func (r *rows) Exists(ctx context.Context, key string) bool {
	_, err := r.Stat(ctx, key)
	return err == nil
}

// List implements certmagic.Storage. Folders are only what keys have in common.
func (r *rows) List(ctx context.Context, folder string, recursive bool) ([]string, error) {
	found, err := r.below(ctx, folder)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fs.ErrNotExist
	}
	depth := strings.Count(strings.Trim(folder, "/"), "/") + 1
	if strings.Trim(folder, "/") == "" {
		depth = 0
	}
	var names []string
	for _, row := range found {
		segments := strings.Split(string(row.Key), "/")
		for n := depth + 1; n <= len(segments); n++ {
			if n > depth+1 && !recursive {
				break
			}
			if name := strings.Join(segments[:n], "/"); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// Stat implements certmagic.Storage.
func (r *rows) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	value, at, err := r.load(ctx, key)
	if err == nil {
		return certmagic.KeyInfo{Key: key, Modified: at, Size: int64(len(value)), IsTerminal: true}, nil
	}
	if found, belowErr := r.below(ctx, key); belowErr == nil && len(found) > 0 {
		return certmagic.KeyInfo{Key: key}, nil
	}
	return certmagic.KeyInfo{}, err
}

// Lock implements certmagic.Locker.
func (r *rows) Lock(ctx context.Context, name string) error {
	for {
		r.mu.Lock()
		held, taken := r.locks[name]
		if !taken {
			r.locks[name] = make(chan struct{})
		}
		r.mu.Unlock()
		if !taken {
			return nil
		}
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Unlock implements certmagic.Locker.
func (r *rows) Unlock(_ context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	held, taken := r.locks[name]
	if !taken {
		return fmt.Errorf("%s is not locked", name)
	}
	delete(r.locks, name)
	close(held)
	return nil
}
