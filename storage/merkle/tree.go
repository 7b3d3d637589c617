package merkle

import (
	"context"
	"fmt"

	"hearth/storage/blob"
)

// load reads nodes, in as many calls as the contract's limit asks for. A node that is absent or malformed is an error
// of kind blob.Corrupt.
func load(ctx context.Context, src blob.Getter, hashes []blob.Hash) ([]node, error) {
	out := make([]node, 0, len(hashes))
	for len(hashes) > 0 {
		n := min(len(hashes), blob.MaxMulti)
		raws, err := get(ctx, src, hashes[:n])
		if err != nil {
			return nil, err
		}
		for i, raw := range raws {
			d, err := readNode(hashes[i], raw)
			if err != nil {
				return nil, err
			}
			out = append(out, d)
		}
		hashes = hashes[n:]
	}
	return out, nil
}

// loadOne is load for one node.
func loadOne(ctx context.Context, src blob.Getter, hash blob.Hash) (node, error) {
	raws, err := get(ctx, src, []blob.Hash{hash})
	if err != nil {
		return node{}, err
	}
	return readNode(hash, raws[0])
}

func get(ctx context.Context, src blob.Getter, hashes []blob.Hash) ([][]byte, error) {
	raws, err := src.Get(ctx, hashes...)
	if err != nil {
		return nil, fmt.Errorf("reading map nodes: %w", err)
	}
	if len(raws) != len(hashes) {
		return nil, blob.Errorf(blob.Internal, "reading map nodes", "%d answers for %d hashes", len(raws), len(hashes))
	}
	return raws, nil
}

func readNode(hash blob.Hash, raw []byte) (node, error) {
	if raw == nil {
		return node{}, corrupt(hash, "it is missing")
	}
	d, err := parse(raw)
	if err != nil {
		return node{}, corrupt(hash, "%w", err)
	}
	return d, nil
}

// loadChild reads and checks child i of d.
func loadChild(ctx context.Context, src blob.Getter, d *node, i int) (node, error) {
	kid, err := loadOne(ctx, src, d.ref(i).hash)
	if err != nil {
		return node{}, err
	}
	return kid, checkChild(d, i, &kid)
}

// loadRoot reads the root of a map that is not empty.
func loadRoot(ctx context.Context, src blob.Getter, root blob.Hash) (node, error) {
	d, err := loadOne(ctx, src, root)
	if err != nil {
		return node{}, err
	}
	if d.level() > 0 && d.n == 1 {
		return node{}, corrupt(root, "a root with one child")
	}
	return d, nil
}

// checkChild checks that child is what item i of parent says.
func checkChild(parent *node, i int, child *node) error {
	r := parent.ref(i)
	switch {
	case child.level() != parent.level()-1:
		return corrupt(r.hash, "it is of level %d below level %d", child.level(), parent.level())
	case child.weight() != r.weight || child.weight() > limitOf(child.level()) && child.n > 1:
		return corrupt(r.hash, "it weighs %d, not %d", child.weight(), r.weight)
	case child.count() != r.count:
		return corrupt(r.hash, "it has %d entries, not %d", child.count(), r.count)
	case compareKeys(parent, i, child, 0) != 0:
		return corrupt(r.hash, "its first key is not what its parent says")
	case i+1 < parent.n && compareKeys(child, child.n-1, parent, i+1) >= 0:
		return corrupt(r.hash, "it has keys of the next node")
	}
	return nil
}

// tree is the part of a map that one call of Apply has read.
type tree struct {
	ctx  context.Context // of that call
	src  blob.Getter
	root *page
}

// page is a node in its place.
type page struct {
	node
	hash blob.Hash
	up   *page // nil for the root
	at   int   // which child of up
	kids []*page
	edit *touch // what Apply does to it; nil if nothing
}

// slot is the place of a node, which need not have been read: child i of up, or the root if up is nil.
type slot struct {
	up *page
	i  int
}

func openTree(ctx context.Context, src blob.Getter, root blob.Hash) (*tree, error) {
	d, err := loadRoot(ctx, src, root)
	if err != nil {
		return nil, err
	}
	return &tree{ctx: ctx, src: src, root: &page{node: d, hash: root}}, nil
}

// adopt makes d, which was read, child i of p.
func (p *page) adopt(i int, d node) (*page, error) {
	if err := checkChild(&p.node, i, &d); err != nil {
		return nil, err
	}
	if q, j := p.after(i); q != nil && compareKeys(&d, d.n-1, &q.node, j) >= 0 {
		return nil, corrupt(p.ref(i).hash, "it has keys of the next node")
	}
	if p.kids == nil {
		p.kids = make([]*page, p.n)
	}
	p.kids[i] = &page{node: d, hash: p.ref(i).hash, up: p, at: i}
	return p.kids[i], nil
}

// after returns the item that has the first key after those below item i of p; nil if there is none.
func (p *page) after(i int) (*page, int) {
	for p != nil && i+1 == p.n {
		p, i = p.up, p.at
	}
	return p, i + 1
}

func (p *page) slot() slot { return slot{p.up, p.at} }

// page returns the node in a slot, reading it if need be.
func (t *tree) page(s slot) (*page, error) {
	if s.up == nil {
		return t.root, nil
	}
	if s.up.kids != nil && s.up.kids[s.i] != nil {
		return s.up.kids[s.i], nil
	}
	d, err := loadOne(t.ctx, t.src, s.up.ref(s.i).hash)
	if err != nil {
		return nil, err
	}
	return s.up.adopt(s.i, d)
}

// step returns the slot beside s on its level: the one before if by is -1, after if it is 1. It returns false at the
// level's end.
func (t *tree) step(s slot, by int) (slot, bool, error) {
	if s.up == nil {
		return slot{}, false, nil
	}
	if i := s.i + by; i >= 0 && i < s.up.n {
		return slot{s.up, i}, true, nil
	}
	up, ok, err := t.step(s.up.slot(), by)
	if err != nil || !ok {
		return slot{}, false, err
	}
	p, err := t.page(up)
	if err != nil {
		return slot{}, false, err
	}
	if by < 0 {
		return slot{p, p.n - 1}, true, nil
	}
	return slot{p, 0}, true, nil
}

// find returns the slot on a level to whose range key belongs.
func (t *tree) find(level int, key []byte) (slot, error) {
	s := slot{}
	for l := t.root.level(); l > level; l-- {
		p, err := t.page(s)
		if err != nil {
			return slot{}, err
		}
		s = slot{p, max(0, p.child(key))}
	}
	return s, nil
}

// edit returns what happens to the node in s, nil if nothing does.
func (s slot) edit() *touch {
	if s.up == nil || s.up.kids == nil || s.up.kids[s.i] == nil {
		return nil
	}
	return s.up.kids[s.i].edit
}

// unit returns the node in s, which is not the root, as one unit of its level.
func (s slot) unit(level int) unit {
	return unit{priority(level, s.up.prefix(), s.up.suffix(s.i)), s.up.ref(s.i).weight}
}

// prefetch reads the leaves to which the sorted edits belong, and what is above them, one level at a time. One edit alone
// gains nothing by it.
func (t *tree) prefetch(edits []Edit) error {
	if len(edits) == 1 {
		return nil
	}
	type part struct {
		p     *page
		edits []Edit
	}
	parts := []part{{t.root, edits}}
	for l := t.root.level(); l > 0; l-- {
		var next []part
		var want []blob.Hash
		for _, pt := range parts {
			for e := pt.edits; len(e) > 0; {
				i, n := max(0, pt.p.child(e[0].Key)), 1
				for n < len(e) && max(0, pt.p.child(e[n].Key)) == i {
					n++
				}
				next = append(next, part{&page{up: pt.p, at: i}, e[:n]})
				want = append(want, pt.p.ref(i).hash)
				e = e[n:]
			}
		}
		nodes, err := load(t.ctx, t.src, want)
		if err != nil {
			return err
		}
		for j := range next {
			if next[j].p, err = next[j].p.up.adopt(next[j].p.at, nodes[j]); err != nil {
				return err
			}
		}
		parts = next
	}
	return nil
}
