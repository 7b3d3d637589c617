package merkle

import (
	"bytes"
	"context"
	"iter"

	"hearth/storage/blob"
)

// Diff yields the keys whose values differ between the maps a and b, in order. What nodes both maps have in the same
// place is never read, so it costs what the difference is, whatever the maps' size; it holds a few nodes of each level
// in memory. After an error it yields no more. Changes must not be changed, and stay valid.
func Diff(ctx context.Context, src blob.Getter, a, b blob.Hash) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		if a == b {
			return
		}
		d := differ{ctx: ctx, src: src}
		err := d.open(a, b)
		for more := true; more && err == nil; {
			more, err = d.step(func(c Change) bool { return yield(c, nil) })
		}
		if err != nil {
			yield(Change{}, err)
		}
	}
}

// differ goes through two maps at once. Each side is where it is in one of them.
type differ struct {
	ctx  context.Context
	src  blob.Getter
	a, b cursor
}

// cursor is a stack of nodes, each below the item at which the one before it is.
type cursor []frame

type frame struct {
	node
	i    int
	kids []node // those that were read ahead; the others have no bytes
}

// has reports whether child i was read ahead.
func (f *frame) has(i int) bool { return f.kids != nil && f.kids[i].raw != nil }

// head returns the frame whose item is next, nil at the end.
func (c cursor) head() *frame {
	if len(c) == 0 {
		return nil
	}
	return &c[len(c)-1]
}

// next goes past the item at the head, and whatever is below it.
func (c *cursor) next() {
	for len(*c) > 0 {
		f := c.head()
		if f.i++; f.i < f.n {
			return
		}
		*c = (*c)[:len(*c)-1]
	}
}

func (d *differ) open(a, b blob.Hash) error {
	for _, s := range []struct {
		c    *cursor
		root blob.Hash
	}{{&d.a, a}, {&d.b, b}} {
		if s.root.IsZero() {
			continue
		}
		root, err := loadRoot(d.ctx, d.src, s.root)
		if err != nil {
			return err
		}
		*s.c = cursor{{node: root}}
	}
	return d.ahead()
}

// step compares the two heads, and goes past them or below them. Of two different keys only the lesser one's side
// moves: the other has nothing before its own head. It returns false at the end or if yield does.
func (d *differ) step(yield func(Change) bool) (bool, error) {
	a, b := d.a.head(), d.b.head()
	order := 0
	switch {
	case a == nil && b == nil:
		return false, nil
	case a == nil:
		order = 1
	case b == nil:
		order = -1
	default:
		order = compareKeys(&a.node, a.i, &b.node, b.i)
	}
	switch {
	case order < 0:
		return d.alone(&d.a, b, yield, func(k, v []byte) Change { return Change{Key: k, A: v} })
	case order > 0:
		return d.alone(&d.b, a, yield, func(k, v []byte) Change { return Change{Key: k, B: v} })
	case a.level() > b.level():
		return true, d.enter(&d.a)
	case a.level() < b.level():
		return true, d.enter(&d.b)
	}
	return d.both(a, b, yield)
}

// alone goes on where one side's head is a key that the other does not have, or is above such a key. It reads at once
// all children of the head's node that begin before the other side's head.
func (d *differ) alone(c *cursor, other *frame, yield func(Change) bool, change func(k, v []byte) Change) (bool, error) {
	f := c.head()
	if f.level() == 0 {
		k, v := f.appendKey(nil, f.i), f.value(f.i)
		c.next()
		return yield(change(k, v)), nil
	}
	if !f.has(f.i) {
		var wants []want
		for i := f.i; i < f.n && (other == nil || compareKeys(&f.node, i, &other.node, other.i) < 0); i++ {
			if !f.has(i) {
				wants = append(wants, want{f, i})
			}
		}
		if err := d.read(wants); err != nil {
			return false, err
		}
	}
	return true, d.enter(c)
}

// both goes on where the heads have equal keys and are of the same level.
func (d *differ) both(a, b *frame, yield func(Change) bool) (bool, error) {
	if a.level() > 0 {
		if a.ref(a.i).hash != b.ref(b.i).hash {
			if err := d.enter(&d.a); err != nil {
				return false, err
			}
			if err := d.enter(&d.b); err != nil {
				return false, err
			}
			return true, d.ahead()
		}
		d.a.next()
		d.b.next()
		return true, nil
	}
	va, vb := a.value(a.i), b.value(b.i)
	more := true
	if !bytes.Equal(va, vb) {
		more = yield(Change{a.appendKey(nil, a.i), va, vb})
	}
	d.a.next()
	d.b.next()
	return more, nil
}

// enter goes below the head of c.
func (d *differ) enter(c *cursor) error {
	f := c.head()
	if !f.has(f.i) {
		if err := d.read([]want{{f, f.i}}); err != nil {
			return err
		}
	}
	kid := f.kids[f.i]
	f.kids[f.i] = node{}
	*c = append(*c, frame{node: kid})
	return nil
}

// want is a child to be read.
type want struct {
	f *frame
	i int
}

func (d *differ) read(wants []want) error {
	hashes := make([]blob.Hash, len(wants))
	for j, w := range wants {
		hashes[j] = w.f.ref(w.i).hash
	}
	nodes, err := load(d.ctx, d.src, hashes)
	if err != nil {
		return err
	}
	for j, w := range wants {
		if err := checkChild(&w.f.node, w.i, &nodes[j]); err != nil {
			return err
		}
		if w.f.kids == nil {
			w.f.kids = make([]node, w.f.n)
		}
		w.f.kids[w.i] = nodes[j]
	}
	return nil
}

// ahead reads, in one call, the children of the two heads that only one of them has: those of equal first key and
// equal hash will be skipped. The heads are at their first items.
func (d *differ) ahead() error {
	a, b := d.a.head(), d.b.head()
	if a == nil || b == nil || a.level() != b.level() || a.level() == 0 {
		return nil
	}
	var wants []want
	i, j := 0, 0
	for i < a.n || j < b.n {
		order := 0
		switch {
		case i == a.n:
			order = 1
		case j == b.n:
			order = -1
		default:
			order = compareKeys(&a.node, i, &b.node, j)
		}
		same := order == 0 && a.ref(i).hash == b.ref(j).hash
		if order <= 0 {
			if !same {
				wants = append(wants, want{a, i})
			}
			i++
		}
		if order >= 0 {
			if !same {
				wants = append(wants, want{b, j})
			}
			j++
		}
	}
	return d.read(wants)
}
