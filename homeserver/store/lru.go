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

// add is put unless the key is there already: what was read from the disk must not replace what was written since.
func (c *lru[K, V]) add(k K, v V, size int) {
	if _, ok := c.get(k); !ok {
		c.put(k, v, size)
	}
}

func (c *lru[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = 0
	c.order.Init()
	clear(c.items)
}
