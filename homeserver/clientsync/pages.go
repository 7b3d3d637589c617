package clientsync

import (
	"container/list"
	"sync"

	"hearth/homeserver/push"
	"hearth/homeserver/store"
	"hearth/matrix"
)

// pages keeps what was read for initial syncs, as far as it was used lately: the rooms' histories and receipts. A
// client that starts often, or a second one of the same user, gets them without a read. A page that is older than the
// last change of what it holds is of no use any more; whoever takes it asks the hub.
type pages[K comparable, V any] struct {
	mu    sync.Mutex // guards the fields below
	limit int        // bytes
	used  int
	order *list.List // of *page[K, V], used most recently first
	items map[K]*list.Element
}

type page[K comparable, V any] struct {
	key   K
	value V
	pos   store.Pos // as of which it was read
	size  int
}

// The bounds of what is kept, in bytes.
const (
	maxHistories = 4 << 20
	maxReceipts  = 1 << 20
)

// historyKey says what a history depends on beside the room's events.
type historyKey struct {
	user       matrix.UserID
	room       store.RoomNum
	filter     *filter // as filters remembers it
	stateAfter bool
	ignored    store.Pos // of the list of whom the user ignores
}

// receiptsKey says what receipts depend on beside those of the room.
type receiptsKey struct {
	user matrix.UserID
	room store.RoomNum
}

func newPages[K comparable, V any](limit int) *pages[K, V] {
	return &pages[K, V]{limit: limit, order: list.New(), items: make(map[K]*list.Element)}
}

// get returns a page's value and the position as of which it was read; ok is false if there is none.
func (c *pages[K, V]) get(k K) (v V, pos store.Pos, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.items[k]
	if e == nil {
		return v, 0, false
	}
	c.order.MoveToFront(e)
	p := e.Value.(*page[K, V])
	return p.value, p.pos, true
}

// put keeps a value of about size bytes, unless it is so large that it would push out most others.
func (c *pages[K, V]) put(k K, v V, pos store.Pos, size int) {
	const overhead = 300 // bytes of a page's own structures
	p := &page[K, V]{k, v, pos, size + overhead}
	if p.size > c.limit/8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.items[k]; e != nil {
		c.used += p.size - e.Value.(*page[K, V]).size
		e.Value = p
		c.order.MoveToFront(e)
	} else {
		c.items[k] = c.order.PushFront(p)
		c.used += p.size
	}
	for c.used > c.limit {
		last := c.order.Remove(c.order.Back()).(*page[K, V])
		delete(c.items, last.key)
		c.used -= last.size
	}
}

// size is about how many bytes a history takes.
func (h *history) size() int { return cap(h.json) + 48*cap(h.holes) + 64*cap(h.members) }

func receiptsSize(receipts []push.Receipt) int { return 200 * cap(receipts) }
