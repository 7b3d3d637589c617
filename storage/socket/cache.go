package socket

import (
	"context"
	"maps"
	"slices"
	"sync"

	"hearth/storage/blob"
)

// entryOverhead is what an entry of a cache costs beside its bytes: the entry, its place in the map, rounding.
const entryOverhead = 160

// Cache keeps the blobs that were read or written last, by their hash, so that the nodes of hash trees are not asked
// for again and again. Blobs never change, so nothing in it is ever out of date. All methods may be called at once.
//
// Several callers that miss one blob at once cause one request, and all that one call misses is one request.
type Cache struct {
	getter blob.Getter
	limit  int

	mu      sync.Mutex // guards the following
	size    int
	entries map[blob.Hash]*entry
	ring    entry                 // its next is the newest entry, its previous the one to drop
	flights map[blob.Hash]*flight // what is being read
}

var _ blob.Getter = (*Cache)(nil)

type entry struct {
	hash       blob.Hash
	data       []byte
	prev, next *entry
}

// flight is one request on which others may wait. Its owner sets data and err before it closes done.
type flight struct {
	done chan struct{}
	data map[blob.Hash][]byte // has all that is asked for; nil is absent, or not read yet
	err  error
}

// NewCache returns a cache of what getter reads, which takes at most so many bytes with its own overhead.
func NewCache(getter blob.Getter, bytes int) *Cache {
	c := &Cache{
		getter: getter, limit: bytes,
		entries: make(map[blob.Hash]*entry),
		flights: make(map[blob.Hash]*flight),
	}
	c.ring.prev, c.ring.next = &c.ring, &c.ring
	return c
}

// Get implements blob.Getter. What is absent is not remembered.
func (c *Cache) Get(ctx context.Context, hashes ...blob.Hash) ([][]byte, error) {
	out := make([][]byte, len(hashes))
	own, others := c.look(hashes, out)
	if own != nil {
		c.fly(ctx, own)
		if own.err != nil {
			return nil, own.err
		}
		own.fill(hashes, out)
	}
	for _, f := range others {
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, canceled("reading blobs", ctx.Err())
		}
		if blob.KindOf(f.err) == blob.Canceled { // by its owner, not by us
			f = &flight{done: make(chan struct{}), data: f.wanted(hashes)}
			c.fly(ctx, f)
		}
		if f.err != nil {
			return nil, f.err
		}
		f.fill(hashes, out)
	}
	return out, nil
}

// look fills in what is there. The rest it divides into a new flight, which the caller has to fly, and flights of
// others.
func (c *Cache) look(hashes []blob.Hash, out [][]byte) (own *flight, others []*flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, h := range hashes {
		if e := c.entries[h]; e != nil {
			e.unlink()
			c.link(e)
			out[i] = e.data
			continue
		}
		f := c.flights[h]
		if f != nil && f != own {
			if !slices.Contains(others, f) {
				others = append(others, f)
			}
			continue
		}
		if own == nil {
			own = &flight{done: make(chan struct{}), data: make(map[blob.Hash][]byte)}
		}
		own.data[h] = nil
		c.flights[h] = own
	}
	return own, others
}

// fly reads what f asks for.
func (c *Cache) fly(ctx context.Context, f *flight) {
	hashes := slices.Collect(maps.Keys(f.data))
	values, err := c.getter.Get(ctx, hashes...)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, h := range hashes {
		if c.flights[h] == f {
			delete(c.flights, h)
		}
		if err == nil && values[i] != nil {
			f.data[h] = values[i]
			c.add(h, values[i])
		}
	}
	f.err = err
	close(f.done)
}

// fill fills in what f found.
func (f *flight) fill(hashes []blob.Hash, out [][]byte) {
	for i, h := range hashes {
		if out[i] == nil {
			out[i] = f.data[h]
		}
	}
}

// wanted returns what of hashes f asked for, nothing of it read.
func (f *flight) wanted(hashes []blob.Hash) map[blob.Hash][]byte {
	data := make(map[blob.Hash][]byte)
	for _, h := range hashes {
		if _, ok := f.data[h]; ok {
			data[h] = nil
		}
	}
	return data
}

// Add remembers a blob that was just written; data must not change any more, and must have this hash.
func (c *Cache) Add(hash blob.Hash, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(hash, data)
}

// Size returns how many bytes the cache takes.
func (c *Cache) Size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// add is called with the lock held.
func (c *Cache) add(hash blob.Hash, data []byte) {
	if c.entries[hash] != nil || len(data)+entryOverhead > c.limit {
		return
	}
	e := &entry{hash: hash, data: data}
	c.entries[hash] = e
	c.link(e)
	c.size += len(data) + entryOverhead
	for c.size > c.limit {
		old := c.ring.prev
		old.unlink()
		delete(c.entries, old.hash)
		c.size -= len(old.data) + entryOverhead
	}
}

// link makes e the newest entry.
func (c *Cache) link(e *entry) {
	e.prev, e.next = &c.ring, c.ring.next
	e.prev.next, e.next.prev = e, e
}

func (e *entry) unlink() {
	e.prev.next, e.next.prev = e.next, e.prev
}
