package store

import "sync"

// Memo keeps values that were read or computed, a bounded number of them. While a key's value changes nothing is
// kept for the key, and what was read before the change ended is not kept after it. So whoever is told of a change,
// by the log, never finds the value from before. When the outcome of a write was not known, and so the store's
// generation has changed, nothing counts that was kept before.
type Memo[K comparable, V any] struct {
	limit      int
	generation func() uint64

	mu    sync.Mutex // guards the fields below
	items map[K]*memoItem[V]
	next  uint64 // the version that the next item or change gets
}

type memoItem[V any] struct {
	value      V
	kept       bool
	generation uint64 // in which the item was made or forgotten last
	version    uint64 // of what a reader may keep
	changes    int    // under way
}

// NewMemo returns a memo of at most limit values of what a store keeps.
func NewMemo[K comparable, V any](s *Store, limit int) *Memo[K, V] {
	return newMemo[K, V](limit, s.Generation)
}

func newMemo[K comparable, V any](limit int, generation func() uint64) *Memo[K, V] {
	return &Memo[K, V]{limit: limit, generation: generation, items: make(map[K]*memoItem[V])}
}

// Get returns what is kept for a key, and the version with which Put keeps what the caller reads from now on.
func (m *Memo[K, V]) Get(k K) (v V, ok bool, version uint64) {
	generation := m.generation()
	m.mu.Lock()
	defer m.mu.Unlock()
	item := m.item(k)
	if item.generation != generation {
		m.forget(item)
		item.generation = generation
	}
	return item.value, item.kept, item.version
}

// item returns a key's item, a new one if there is none. Called with the lock held.
func (m *Memo[K, V]) item(k K) *memoItem[V] {
	if item := m.items[k]; item != nil {
		return item
	}
	if len(m.items) >= m.limit {
		m.drop()
	}
	m.next++
	item := &memoItem[V]{version: m.next}
	m.items[k] = item
	return item
}

// drop makes room for one more item: any that is not changing. Called with the lock held.
func (m *Memo[K, V]) drop() {
	for k, item := range m.items {
		if item.changes == 0 {
			delete(m.items, k)
			return
		}
	}
}

// Put keeps what was read since Get returned the version.
func (m *Memo[K, V]) Put(k K, version uint64, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if item := m.items[k]; item != nil && item.changes == 0 && item.version == version {
		item.value, item.kept = v, true
	}
}

// Change forgets a key's value and keeps none until done is called, once the change is durable.
func (m *Memo[K, V]) Change(k K) (done func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	item := m.item(k)
	item.changes++
	m.forget(item)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		item.changes--
		m.forget(item)
	}
}

func (m *Memo[K, V]) forget(item *memoItem[V]) {
	var none V
	m.next++
	item.value, item.kept, item.version = none, false, m.next
}
