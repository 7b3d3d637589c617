package clientsync

import (
	"container/list"
	"sync"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// maxPages bounds the histories that are kept, in bytes.
const maxPages = 4 << 20

// pages keeps the histories of rooms as they were in initial syncs, those used lately. A client that starts often,
// or a second one of the same user, gets them without a read. One that is older than the last change of its room is
// of no use any more.
type pages struct {
	mu    sync.Mutex // guards the fields below
	limit int
	used  int
	order *list.List // of *page, used most recently first
	items map[pageKey]*list.Element
}

// pageKey says what a history depends on beside the room's events.
type pageKey struct {
	user       matrix.UserID
	room       store.RoomNum
	filter     *filter // as filters remembers it
	stateAfter bool
}

type page struct {
	key  pageKey
	h    *history
	pos  store.Pos // when it was made
	size int
}

func newPages(limit int) *pages {
	return &pages{limit: limit, order: list.New(), items: make(map[pageKey]*list.Element)}
}

// get returns a history and the position as of which it was made, nil if there is none.
func (c *pages) get(k pageKey) (*history, store.Pos) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.items[k]
	if e == nil {
		return nil, 0
	}
	c.order.MoveToFront(e)
	p := e.Value.(*page)
	return p.h, p.pos
}

func (c *pages) put(k pageKey, h *history, pos store.Pos) {
	const overhead = 300 // bytes of a page's own structures
	p := &page{k, h, pos, cap(h.json) + 48*cap(h.holes) + 64*cap(h.members) + overhead}
	if p.size > c.limit/8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.items[k]; e != nil {
		c.used += p.size - e.Value.(*page).size
		e.Value = p
		c.order.MoveToFront(e)
	} else {
		c.items[k] = c.order.PushFront(p)
		c.used += p.size
	}
	for c.used > c.limit {
		last := c.order.Remove(c.order.Back()).(*page)
		delete(c.items, last.key)
		c.used -= last.size
	}
}
