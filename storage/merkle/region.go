package merkle

import (
	"hearth/storage/blob"
)

// region is a part of one level around changed nodes: in the middle the items of these, on both sides the nodes
// beside them, as far as somebody asked. Index 0 is the first of the middle.
type region struct {
	*editor
	level, limit int
	mid          []part
	sides        [2]side // left, right; both outwards
	err          error   // the first that at met
}

type side struct {
	parts []part
	edge  slot // the outermost that was asked for
	end   bool // nothing is beyond it
}

// part is one item that may come to begin a node, or one whole node that did before.
type part struct {
	unit
	it   *item // nil for a whole node
	s    slot  // of the whole node
	lost bool  // begins no node now
}

// rewrite cuts the region into nodes anew. It returns the root if only one is left of the whole level.
func (r *region) rewrite(touches []*touch, out *outcome) (blob.Hash, error) {
	if err := r.expand(touches, out); err != nil {
		return blob.Hash{}, err
	}
	from, to := r.judge()
	nodes := 0
	var last blob.Hash
	_, before := r.at(from - 1)
	_, after := r.at(to)
	if r.err != nil {
		return blob.Hash{}, r.err
	}
	for a := from; a < to; {
		b := a + 1
		for b < to && r.get(b).lost {
			b++
		}
		h, err := r.gather(a, b, out)
		if err != nil {
			return blob.Hash{}, err
		}
		nodes, last, a = nodes+1, h, b
	}
	out.flush()
	if nodes == 1 && !before && !after {
		return last, nil
	}
	return blob.Hash{}, nil
}

// expand lays out the middle.
func (r *region) expand(touches []*touch, out *outcome) error {
	first, last := touches[0].s, touches[len(touches)-1].s
	r.sides[0].edge, r.sides[1].edge = first, last
	for s := first; ; {
		if t := s.edit(); t == nil || t.patch {
			r.mid = append(r.mid, part{unit: s.unit(r.level), s: s})
		} else {
			out.old = append(out.old, oldNode{t.p.appendKey(nil, 0), t.p})
			items := t.edited(r.level)
			for i := range items {
				u := unit{priority(r.level, items[i].key, nil), items[i].weigh(r.level)}
				r.mid = append(r.mid, part{unit: u, it: &items[i]})
			}
		}
		if s == last {
			return nil
		}
		var err error
		if s, _, err = r.step(s, 1); err != nil {
			return err
		}
	}
}

// get returns the part at i, nil beyond the level's ends.
func (r *region) get(i int) *part {
	side, by := &r.sides[0], -1
	switch {
	case i >= len(r.mid):
		side, by, i = &r.sides[1], 1, i-len(r.mid)
	case i >= 0:
		return &r.mid[i]
	default:
		i = -1 - i
	}
	for len(side.parts) <= i {
		if side.end || r.err != nil {
			return nil
		}
		s, ok, err := r.step(side.edge, by)
		if side.end = !ok; err != nil {
			r.err = err
		}
		if ok {
			side.edge = s
			side.parts = append(side.parts, part{unit: s.unit(r.level), s: s})
		}
	}
	return &side.parts[i]
}

// at implements row.
func (r *region) at(i int) (unit, bool) {
	if p := r.get(i); p != nil {
		return p.unit, true
	}
	return unit{}, false
}

// judge finds which parts begin a node now and returns the range of parts that end up in nodes which may be new. Both
// its ends are between nodes.
func (r *region) judge() (from, to int) {
	for i := range r.mid {
		r.mid[i].lost = !starts(r, i, r.limit)
	}
	from, to = r.judgeSide(-1, -1)+1, r.judgeSide(len(r.mid), 1)
	for r.err == nil && r.get(from) != nil && r.get(from).lost {
		from--
	}
	return from, to
}

// judgeSide looks outwards from i, where the nodes did not change but may lose their first items' standing, and
// returns where the changes stop to matter: where the nodes in between weigh more than the limit. An item of less
// priority than one between it and the changes is not concerned.
func (r *region) judgeSide(i, by int) int {
	top := uint64(0)
	for sum := 0; sum <= r.limit; i += by {
		p := r.get(i)
		if p == nil {
			return i
		}
		if p.priority >= top {
			lost := !starts(r, i, r.limit)
			p = r.get(i) // where it is now: starts may have made its side grow
			p.lost, top = lost, p.priority
		}
		sum += p.weight
	}
	return i
}

// gather makes the parts from a to before b one node. A whole, unchanged node alone stays as it is.
func (r *region) gather(a, b int, out *outcome) (blob.Hash, error) {
	if p := r.get(a); b == a+1 && p.it == nil && p.s.edit() == nil {
		return p.s.up.ref(p.s.i).hash, nil
	}
	var items []item
	for i := a; i < b; i++ {
		p := r.get(i)
		if p.it != nil {
			items = append(items, *p.it)
			continue
		}
		q, err := r.page(p.s)
		if err != nil {
			return blob.Hash{}, err
		}
		if q.edit != nil {
			q.edit.taken = true
		}
		out.old = append(out.old, oldNode{q.appendKey(nil, 0), q})
		items = append(items, q.edited()...)
	}
	return out.node(items), nil
}
