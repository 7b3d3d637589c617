package merkle

import (
	"bytes"
	"encoding/binary"
	"slices"

	"hearth/storage/blob"
)

// touch is what happens to one node.
type touch struct {
	s     slot
	p     *page
	ops   []op
	patch bool   // items are only replaced by others of equal size
	gone  bool   // its first item is removed
	taken bool   // its items were given to new nodes
	items []item // after the change; nil until asked for
}

// op is one change at the place where search finds its key.
type op struct {
	i     int
	exact bool
	c     *change
}

// touch sorts the changes of a level by the nodes to which they belong, leaving out those that change nothing.
func (e *editor) touch(l int, changes []change) ([]*touch, error) {
	var out []*touch
	for k := range changes {
		c := &changes[k]
		s, err := e.find(l, c.key)
		if err != nil {
			return nil, err
		}
		p, err := e.page(s)
		if err != nil {
			return nil, err
		}
		i, exact := p.search(c.key)
		if c.del && !exact || l == 0 && exact && !c.del && bytes.Equal(p.value(i), c.value) {
			continue
		}
		if p.edit == nil {
			p.edit = &touch{s: s, p: p, patch: true}
			out = append(out, p.edit)
		}
		p.edit.add(l, op{i, exact, c})
	}
	return out, nil
}

func (t *touch) add(l int, o op) {
	t.ops = append(t.ops, o)
	t.patch = t.patch && o.exact && !o.c.del && (l > 0 || len(o.c.value) == len(t.p.value(o.i)))
	t.gone = t.gone || o.c.del && o.i == 0
}

// growth returns by how many items the node grows.
func (t *touch) growth() (n int) {
	for _, o := range t.ops {
		if o.c.del {
			n--
		} else if !o.exact {
			n++
		}
	}
	return n
}

// edited returns the node's items after the change.
func (t *touch) edited(l int) []item {
	if t.items != nil {
		return t.items
	}
	old := t.p.node.items()
	out := make([]item, 0, len(old)+len(t.ops))
	at := 0
	for _, o := range t.ops {
		out = append(out, old[at:o.i]...)
		at = o.i
		if o.exact {
			at++
		}
		if !o.c.del {
			out = append(out, o.c.item)
		}
	}
	t.items = append(out, old[at:]...)
	return t.items
}

// edited returns the items of a node, after its change if it has one.
func (p *page) edited() []item {
	if p.edit != nil {
		return p.edit.edited(p.level())
	}
	return p.items()
}

// patched returns a copy of the node with items replaced in place.
func (t *touch) patched(l int) node {
	d := t.p.node
	d.raw = slices.Clone(d.raw)
	for _, o := range t.ops {
		if l == 0 {
			copy(d.value(o.i), o.c.value)
			continue
		}
		it := d.item(o.i)
		copy(it, o.c.hash[:])
		binary.BigEndian.PutUint32(it[blob.HashSize:], uint32(o.c.count))
		binary.BigEndian.PutUint16(it[blob.HashSize+4:], uint16(o.c.weight))
	}
	return d
}

// calm reports whether the change is sure to leave all nodes beside this one as they are, and with them the node's own
// first item: no weight is taken from what the others' first items reach, and what comes in has less priority than the
// first items of this node and the next, so it cuts nothing off.
func (e *editor) calm(l int, t *touch) (bool, error) {
	if t.gone || weighAll(l, t.edited(l)) < t.p.weight() {
		return false, nil
	}
	bound, known := uint64(0), false
	for _, o := range t.ops {
		if o.exact {
			continue
		}
		if o.i == 0 {
			return false, nil
		}
		if !known {
			var err error
			if bound, err = e.bound(l, t.s); err != nil {
				return false, err
			}
			known = true
		}
		if priority(l, o.c.key, nil) >= bound {
			return false, nil
		}
	}
	return true, nil
}

// bound returns the lesser priority of the first items of the node in s and of the next node.
func (e *editor) bound(l int, s slot) (uint64, error) {
	least := s.unit(l).priority
	next, ok, err := e.step(s, 1)
	if ok {
		least = min(least, next.unit(l).priority)
	}
	return least, err
}
