package store

import (
	"container/list"
	"sync"
)

// lru is a map that forgets what was used least recently when its values together exceed a bound in bytes.
type lru[K comparable, V any] struct {
	mu    sync.Mutex // guards the fields below
	limit int
	used  int
	epoch uint64     // values replaced so far
	order *list.List // of *lruItem, most recently used first
	items map[K]*list.Element
}

type lruItem[K comparable, V any] struct {
	key   K
	value V
	size  int
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: limit, order: list.New(), items: make(map[K]*list.Element)}
}

func (c *lru[K, V]) get(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[k]
	if !ok {
		return v, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*lruItem[K, V]).value, true
}

func (c *lru[K, V]) put(k K, v V, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(k, v, size)
}

// set is put, called with the lock held.
func (c *lru[K, V]) set(k K, v V, size int) {
	if e, ok := c.items[k]; ok {
		item := e.Value.(*lruItem[K, V])
		c.used += size - item.size
		item.value, item.size = v, size
		c.order.MoveToFront(e)
	} else {
		c.items[k] = c.order.PushFront(&lruItem[K, V]{k, v, size})
		c.used += size
	}
	for c.used > c.limit && c.order.Len() > 1 {
		last := c.order.Back()
		item := c.order.Remove(last).(*lruItem[K, V])
		delete(c.items, item.key)
		c.used -= item.size
	}
}

// replace is put for a value that changed: what was read from the disk before it is not added after it.
func (c *lru[K, V]) replace(k K, v V, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.set(k, v, size)
}

// now returns the number of replacements so far, for add.
func (c *lru[K, V]) now() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// add puts what was read from the disk since now returned epoch, unless the key is there or something was
// replaced meanwhile.
func (c *lru[K, V]) add(epoch uint64, k K, v V, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.items[k]; !ok && c.epoch == epoch {
		c.set(k, v, size)
	}
}

func (c *lru[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = 0
	c.epoch++
	c.order.Init()
	clear(c.items)
}
