package zone

import "iter"

// cursor stands on an entry of a tree, or behind the last.
type cursor struct {
	path   [maxHeight]step
	height int
}

type step struct {
	page *page
	at   int
}

// seek returns a cursor on the first entry whose key is not before key.
func (p *page) seek(key []byte) (c cursor) {
	for p.children != nil {
		i := p.childOf(key)
		c.push(p, i)
		p = p.children[i]
	}
	i, _ := p.search(key)
	c.push(p, i)
	if i == len(p.entries) {
		c.next()
	}
	return c
}

func (c *cursor) push(p *page, at int) {
	c.path[c.height] = step{p, at}
	c.height++
}

// entry returns the entry under the cursor, nil behind the last.
func (c *cursor) entry() *entry {
	if c.height == 0 {
		return nil
	}
	s := c.path[c.height-1]
	return &s.page.entries[s.at]
}

// next goes to the next entry. Behind the last the path is empty.
func (c *cursor) next() {
	if c.height > 0 {
		c.path[c.height-1].at++
	}
	for c.height > 0 && c.path[c.height-1].at >= c.path[c.height-1].page.size() {
		c.height--
		if c.height > 0 {
			c.path[c.height-1].at++
		}
	}
	for c.height > 0 {
		s := c.path[c.height-1]
		if s.page.children == nil {
			return
		}
		c.push(s.page.children[s.at], 0)
	}
}

// skipLeaf goes to the first entry of the next leaf.
func (c *cursor) skipLeaf() {
	leaf := &c.path[c.height-1]
	leaf.at = len(leaf.page.entries) - 1
	c.next()
}

// leaf returns the leaf under the cursor if it stands on its first entry.
func (c *cursor) leaf() *page {
	if c.height == 0 || c.path[c.height-1].at != 0 {
		return nil
	}
	return c.path[c.height-1].page
}

// around returns the first entry whose key is not before key, and the last whose key is; nil where there is none.
func (p *page) around(key []byte) (at, before *entry) {
	var left, right *page // the nearest subtrees that are wholly before and behind
	for p.children != nil {
		i := p.childOf(key)
		if i > 0 {
			left = p.children[i-1]
		}
		if i+1 < len(p.children) {
			right = p.children[i+1]
		}
		p = p.children[i]
	}
	i, _ := p.search(key)
	switch {
	case i < len(p.entries):
		at = &p.entries[i]
	case right != nil:
		at = right.end(0)
	}
	switch {
	case i > 0:
		before = &p.entries[i-1]
	case left != nil:
		before = left.end(-1)
	}
	return at, before
}

// after returns the first entry whose key is behind key, nil if there is none.
func (p *page) after(key []byte) *entry {
	c := p.seek(key)
	if e := c.entry(); e != nil && e.key == string(key) {
		c.next()
	}
	return c.entry()
}

// end returns the first entry below a page, or with -1 the last.
func (p *page) end(which int) *entry {
	for p.children != nil {
		p = p.children[(len(p.children)+which)%len(p.children)]
	}
	return &p.entries[(len(p.entries)+which)%len(p.entries)]
}

// All yields every owner with its record sets, in canonical order.
func (z *Zone) All() iter.Seq2[Name, []RRset] { return z.From(z.origin) }

// From yields the owners from a name on, in canonical order, with their record sets.
func (z *Zone) From(name Name) iter.Seq2[Name, []RRset] {
	return func(yield func(Name, []RRset) bool) {
		for c := z.root.seek(appendKey(nil, name, z.origin)); c.entry() != nil; c.next() {
			if e := c.entry(); !yield(nameOfKey(e.key, z.origin), e.sets) {
				return
			}
		}
	}
}

// Before yields the owners before a name, the nearest first, with their record sets.
func (z *Zone) Before(name Name) iter.Seq2[Name, []RRset] {
	return func(yield func(Name, []RRset) bool) {
		key := appendKey(nil, name, z.origin)
		for _, e := z.root.around(key); e != nil; _, e = z.root.around(key) {
			if !yield(nameOfKey(e.key, z.origin), e.sets) {
				return
			}
			key = []byte(e.key)
		}
	}
}

// Nearest returns the set of a type at a name, or at the closest name before it that has one; an empty set if none has.
func (z *Zone) Nearest(name Name, typ uint16) (Name, RRset) {
	if !name.Under(z.origin) {
		return "", RRset{}
	}
	var buf [keySize]byte
	key := appendKey(buf[:0], name, z.origin)
	at, e := z.root.around(key)
	if at != nil && at.key == string(key) {
		if set := find(at.sets, typ); !set.Empty() {
			return name, set
		}
	}
	for e != nil {
		if set := find(e.sets, typ); !set.Empty() {
			return nameOfKey(e.key, z.origin), set
		}
		key = append(key[:0], e.key...)
		_, e = z.root.around(key)
	}
	return "", RRset{}
}
