package resolver

import (
	"container/list"
	"time"
)

// key is what a look-up is for: a name in lower case without its last dot, and a type.
type key struct {
	name string
	typ  uint16
}

// entry is what is known under a key.
type entry struct {
	key       key
	values    any // a slice of what the type's look-up returns
	canonical string
	authentic bool
	until     time.Time
	err       error // in place of values
	size      int
}

// perEntry is about what an entry takes beside its values and names, in bytes.
const perEntry = 400

// cache keeps entries within a bound of memory: the one that was not used for longest goes first.
type cache struct {
	most, size int
	entries    map[key]*list.Element
	order      list.List // of *entry, the one used last at the front
}

// get returns what is known and still holds.
func (c *cache) get(k key, now time.Time) *entry {
	at := c.entries[k]
	if at == nil {
		return nil
	}
	e := at.Value.(*entry)
	if !now.Before(e.until) {
		c.remove(at)
		return nil
	}
	c.order.MoveToFront(at)
	return e
}

func (c *cache) put(e *entry) {
	if c.entries == nil {
		c.entries = make(map[key]*list.Element)
	}
	if at := c.entries[e.key]; at != nil {
		c.remove(at)
	}
	if e.size > c.most {
		return
	}
	c.entries[e.key] = c.order.PushFront(e)
	c.size += e.size
	for c.size > c.most {
		c.remove(c.order.Back())
	}
}

func (c *cache) remove(at *list.Element) {
	e := c.order.Remove(at).(*entry)
	delete(c.entries, e.key)
	c.size -= e.size
}
