package blobtest

import (
	"bytes"
	"context"
	"encoding/hex"
	"sync"

	"hearth/storage/blob"
)

// Memory is a blob.Store and a blob.AsyncApplier in memory: one namespace that lasts as long as the value. It checks
// hashes as a store on disk does, so that Damage makes its reads fail with kind Corrupt. It keeps no goroutine while
// nothing is queued.
type Memory struct {
	mu       sync.Mutex // guards all below
	blobs    map[blob.Hash][]byte
	tables   map[string]*table
	roots    map[string]*root
	sessions map[[16]byte]*session
	damaged  map[blob.Hash]bool
	stats    blob.Stats

	queueMu sync.Mutex // guards the queue
	queue   []func()
	working bool // a goroutine empties the queue and ends with it
}

// root holds a root's commits that are kept, oldest first; the last is the current one.
type root struct{ commits []blob.Commit }

// session remembers the answers to the last batches of one session.
type session struct {
	last    uint64
	answers map[uint64]error // of batches that were applied (nil) or met a conflict
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		blobs:    make(map[blob.Hash][]byte),
		tables:   make(map[string]*table),
		roots:    make(map[string]*root),
		sessions: make(map[[16]byte]*session),
		damaged:  make(map[blob.Hash]bool),
	}
}

// Damage makes the blob unreadable, as rot on a disk would; putting it again heals it.
func (m *Memory) Damage(h blob.Hash) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.damaged[h] = true
}

// Get returns the blobs with these addresses.
func (m *Memory) Get(ctx context.Context, hashes ...blob.Hash) ([][]byte, error) {
	const op = "reading blobs"
	if err := canceled(ctx, op); err != nil {
		return nil, err
	}
	if len(hashes) > blob.MaxMulti {
		return nil, blob.Errorf(blob.TooLarge, op, "%d hashes, at most %d", len(hashes), blob.MaxMulti)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Reads += uint64(len(hashes))
	out := make([][]byte, len(hashes))
	for i, h := range hashes {
		if m.damaged[h] {
			return nil, blob.Errorf(blob.Corrupt, "reading blob "+h.String(), "the bytes do not have this hash")
		}
		out[i] = m.blobs[h]
	}
	return out, nil
}

// Rows returns the values of these rows.
func (m *Memory) Rows(ctx context.Context, keys ...blob.RowKey) ([][]byte, error) {
	if err := canceled(ctx, "reading rows"); err != nil {
		return nil, err
	}
	if err := blob.CheckRows(keys); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Reads += uint64(len(keys))
	out := make([][]byte, len(keys))
	for i := range keys {
		out[i] = m.tables[keys[i].Table].get(keys[i].Key)
	}
	return out, nil
}

// Verify re-hashes every blob.
func (m *Memory) Verify(ctx context.Context, damaged func(blob.Damage)) (blob.Verified, error) {
	if err := canceled(ctx, "verifying"); err != nil {
		return blob.Verified{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var v blob.Verified
	for h, data := range m.blobs {
		v.Blobs++
		v.Bytes += uint64(len(data))
		if m.damaged[h] || blob.Sum(data) != h {
			v.Damaged++
			damaged(blob.Damage{What: "blob", Name: h.String(), Detail: "the bytes do not have this hash"})
		}
	}
	for _, t := range m.tables {
		for _, r := range t.rows {
			v.Rows++
			v.Bytes += uint64(len(r.Key) + len(r.Value))
		}
	}
	v.Roots = uint64(len(m.roots))
	return v, nil
}

// Stats returns counters; nothing is on a disk.
func (m *Memory) Stats(ctx context.Context) (blob.Stats, error) {
	if err := canceled(ctx, "reading statistics"); err != nil {
		return blob.Stats{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats, nil
}

// String names the rows of a table for a failed test.
func (m *Memory) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b bytes.Buffer
	for name, t := range m.tables {
		for _, r := range t.rows {
			b.WriteString(name + "/" + hex.EncodeToString(r.Key) + "\n")
		}
	}
	return b.String()
}

func canceled(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return &blob.Error{Kind: blob.Canceled, Op: op, Err: err}
	}
	return nil
}
