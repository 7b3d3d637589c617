package merkle

import (
	"bytes"
	"context"
	"slices"

	"hearth/storage/blob"
)

// Apply returns the root of the map after the edits, which may come in any order; of several edits of one key the
// last wins. It calls put once for each node that the map at root does not have in the same place and the new map
// needs, children before parents; if nothing changes it returns root. The slices given to put are the callee's.
func Apply(ctx context.Context, src blob.Getter, root blob.Hash, edits []Edit, put func(data []byte) blob.Hash) (blob.Hash, error) {
	edits, err := sortEdits(edits)
	if err != nil || len(edits) == 0 {
		return root, err
	}
	if root.IsZero() {
		return buildEdits(edits, put)
	}
	t, err := openTree(ctx, src, root)
	if err != nil {
		return blob.Hash{}, err
	}
	if err := t.prefetch(edits); err != nil {
		return blob.Hash{}, err
	}
	e := editor{tree: t, put: put}
	return e.run(edits)
}

// sortEdits returns the edits by key, the last one of each key only.
func sortEdits(edits []Edit) ([]Edit, error) {
	for i := range edits {
		if err := checkEntry("editing map", edits[i].Key, edits[i].Value); err != nil {
			return nil, err
		}
	}
	if len(edits) < 2 {
		return edits, nil
	}
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b Edit) int { return bytes.Compare(a.Key, b.Key) })
	out := edits[:0]
	for i, e := range edits {
		if i+1 == len(edits) || !bytes.Equal(e.Key, edits[i+1].Key) {
			out = append(out, e)
		}
	}
	return out, nil
}

// buildEdits applies sorted edits to the empty map.
func buildEdits(edits []Edit, put func([]byte) blob.Hash) (blob.Hash, error) {
	return Build(func(yield func(key, value []byte) bool) {
		for _, e := range edits {
			if e.Value != nil && !yield(e.Key, e.Value) {
				return
			}
		}
	}, put)
}

// editor applies changes to a tree level by level, from the leaves up.
type editor struct {
	*tree
	put func([]byte) blob.Hash
}

// change sets or removes one item of a level.
type change struct {
	item
	del bool
}

func (e *editor) run(edits []Edit) (blob.Hash, error) {
	changes := make([]change, len(edits))
	for i, ed := range edits {
		changes[i] = change{item{key: ed.Key, value: ed.Value}, ed.Value == nil}
	}
	for l := 0; ; l++ {
		touches, err := e.touch(l, changes)
		if err != nil {
			return blob.Hash{}, err
		}
		if len(touches) == 0 {
			return e.root.hash, nil
		}
		if l == 0 {
			if root, done, err := e.shrink(touches); err != nil || done {
				return root, err
			}
		}
		if l == e.root.level() {
			return e.top(l, touches[0])
		}
		var root blob.Hash
		if changes, root, err = e.level(l, touches); err != nil || !root.IsZero() {
			return root, err
		}
	}
}

// shrink handles maps whose new size decides their shape: the empty map, and one that becomes a small leaf.
func (e *editor) shrink(touches []*touch) (root blob.Hash, done bool, err error) {
	count := int64(e.root.count())
	for _, t := range touches {
		count += int64(t.growth())
	}
	switch {
	case count == 0:
		return blob.Hash{}, true, nil
	case count > maxCount:
		return blob.Hash{}, true, blob.Errorf(blob.TooLarge, "editing map", "%d entries, at most %d", count, uint64(maxCount))
	case count > smallCount || e.root.level() == 0:
		return blob.Hash{}, false, nil
	}
	items, err := e.few(count)
	if err != nil || items == nil {
		return blob.Hash{}, err != nil, err
	}
	raw := encode(0, items)
	root = blob.Sum(raw)
	known := false
	s, err := e.find(0, nil)
	for ok := err == nil; ok && err == nil; s, ok, err = e.step(s, 1) {
		known = known || s.up.ref(s.i).hash == root
	}
	if err != nil || known {
		return root, true, err
	}
	return e.put(raw), true, nil
}

// few returns all entries after the edits, nil if they are no small leaf. The leaves' weights tell that first.
func (e *editor) few(count int64) ([]item, error) {
	sum := 0
	first, err := e.find(0, nil)
	for s, ok := first, true; ok && err == nil; s, ok, err = e.step(s, 1) {
		if t := s.edit(); t != nil {
			sum += weighAll(0, t.edited(0))
		} else if w := s.up.ref(s.i).weight; w > leafLimit {
			return nil, nil
		} else {
			sum += w
		}
	}
	if err != nil || sum > smallLimit {
		return nil, err
	}
	items := make([]item, 0, count)
	for s, ok := first, true; ok && err == nil; s, ok, err = e.step(s, 1) {
		p, err := e.page(s)
		if err != nil {
			return nil, err
		}
		items = append(items, p.edited()...)
	}
	if err != nil || !small(items) {
		return nil, err
	}
	return items, nil
}

// top finishes at the old root's level, of which the root was the only node.
func (e *editor) top(l int, t *touch) (blob.Hash, error) {
	if t.patch {
		return e.put(t.patched(l).raw), nil
	}
	items := t.edited(l)
	if l > 0 && len(items) == 1 { // only if the old tree was malformed; then still no root of one child
		return items[0].hash, nil
	}
	if l == 0 && small(items) {
		return e.put(encode(0, items)), nil
	}
	b := builder{put: e.put, base: l + 1}
	for _, part := range split(l, items) {
		raw, h := encode(l, part), e.root.hash
		if !bytes.Equal(raw, e.root.raw) {
			h = e.put(raw)
		}
		if len(part) == len(items) {
			return h, nil
		}
		if err := b.add(0, nodeItem(l, part, h)); err != nil {
			return blob.Hash{}, err
		}
	}
	return b.finish()
}
