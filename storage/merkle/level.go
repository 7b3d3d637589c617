package merkle

import (
	"bytes"
	"slices"

	"hearth/storage/blob"
)

// reach is how many times a level's limit the nodes between two changed ones must weigh for the changes to have
// nothing to do with each other. A node's first item up to one limit away may cease to begin a node, and joins what is
// before it: 1 on the one side; 1 for that node, 1 for the node before it and 1 for the distance on the other; and 2
// for rounding.
const reach = 6

// level applies the changes of one level below the old root. It returns the changes of the next level, or the new
// root if only one node is left.
func (e *editor) level(l int, touches []*touch) ([]change, blob.Hash, error) {
	touches, err := e.widen(touches)
	if err != nil {
		return nil, blob.Hash{}, err
	}
	out := outcome{put: e.put, level: l}
	for i := 0; i < len(touches); i++ {
		if touches[i].patch {
			continue
		}
		last, err := e.cluster(l, touches, i)
		if err != nil {
			return nil, blob.Hash{}, err
		}
		if root, err := e.rewrite(l, touches[i:last+1], &out); err != nil || !root.IsZero() {
			return nil, root, err
		}
		i = last
	}
	for _, t := range touches {
		if t.patch && !t.taken {
			d := t.patched(l)
			out.set(item{key: d.appendKey(nil, 0), ref: ref{e.put(d.raw), d.count(), d.weight()}})
		}
	}
	slices.SortFunc(out.changes, func(a, b change) int { return bytes.Compare(a.key, b.key) })
	return out.changes, blob.Hash{}, nil
}

// widen adds the node before each one that loses its first item, as its items may now join.
func (e *editor) widen(touches []*touch) ([]*touch, error) {
	out := make([]*touch, 0, len(touches)+1)
	for _, t := range touches {
		if t.gone {
			s, ok, err := e.step(t.s, -1)
			if err != nil {
				return nil, err
			}
			if ok {
				p, err := e.page(s)
				if err != nil {
					return nil, err
				}
				if p.edit == nil {
					p.edit = &touch{s: s, p: p}
					out = append(out, p.edit)
				}
				p.edit.patch = false
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// cluster returns the last of the touches that must be seen together with that at i.
func (e *editor) cluster(l int, touches []*touch, i int) (int, error) {
	last := i
	for j := i + 1; j < len(touches); j++ {
		if touches[j].patch {
			continue
		}
		near, err := e.near(l, touches[last].s, touches[j].s)
		if err != nil || !near {
			return last, err
		}
		last = j
	}
	return last, nil
}

// near reports whether the nodes between a and b weigh at most reach times the limit.
func (e *editor) near(l int, a, b slot) (bool, error) {
	for sum := 0; sum <= reach*limitOf(l); {
		s, ok, err := e.step(a, 1)
		if err != nil || !ok || s == b {
			return ok, err
		}
		sum += s.up.ref(s.i).weight
		a = s
	}
	return false, nil
}

// rewrite applies touches that lie close together, of which the first and the last are no patches.
func (e *editor) rewrite(l int, touches []*touch, out *outcome) (blob.Hash, error) {
	calm := true
	for _, t := range touches {
		if t.patch {
			continue
		}
		c, err := e.calm(l, t)
		if err != nil {
			return blob.Hash{}, err
		}
		calm = calm && c
	}
	if !calm {
		r := region{editor: e, level: l, limit: limitOf(l)}
		return r.rewrite(touches, out)
	}
	for _, t := range touches {
		if t.patch {
			continue
		}
		out.old = append(out.old, oldNode{t.p.appendKey(nil, 0), t.p})
		for _, items := range split(l, t.edited(l)) {
			out.node(items)
		}
		out.flush()
	}
	return blob.Hash{}, nil
}

// outcome collects what changes for the next level.
type outcome struct {
	put     func([]byte) blob.Hash
	level   int
	changes []change
	old     []oldNode // nodes that were rewritten and whose items may not begin a node any more
}

type oldNode struct {
	key []byte
	p   *page
}

func (o *outcome) set(it item) { o.changes = append(o.changes, change{item: it}) }

// node stores the node of these items, unless it was there before, and returns its hash.
func (o *outcome) node(items []item) blob.Hash {
	raw := encode(o.level, items)
	for i := range o.old {
		if !bytes.Equal(o.old[i].key, items[0].key) {
			continue
		}
		p := o.old[i].p
		o.old = slices.Delete(o.old, i, i+1)
		if bytes.Equal(p.raw, raw) {
			return p.hash
		}
		break
	}
	h := o.put(raw)
	o.set(nodeItem(o.level, items, h))
	return h
}

// flush removes the old nodes whose first items begin none any more.
func (o *outcome) flush() {
	for _, n := range o.old {
		o.changes = append(o.changes, change{item: item{key: n.key}, del: true})
	}
	o.old = o.old[:0]
}
