package merkle

import (
	"bytes"
	"context"
	"slices"

	"hearth/storage/blob"
)

// Get returns the values of keys, in their order, nil for each that is absent. It reads each node once, with one call
// of src for each level of the tree. Values must not be changed.
func Get(ctx context.Context, src blob.Getter, root blob.Hash, keys ...[]byte) ([][]byte, error) {
	out := make([][]byte, len(keys))
	if root.IsZero() || len(keys) == 0 {
		return out, nil
	}
	d, err := loadRoot(ctx, src, root)
	if err != nil {
		return nil, err
	}
	if len(keys) == 1 {
		out[0], err = getOne(ctx, src, d, keys[0])
	} else {
		err = getMany(ctx, src, d, keys, out)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func getOne(ctx context.Context, src blob.Getter, d node, key []byte) ([]byte, error) {
	for d.level() > 0 {
		i := d.child(key)
		if i < 0 {
			return nil, nil
		}
		kid, err := loadChild(ctx, src, &d, i)
		if err != nil {
			return nil, err
		}
		d = kid
	}
	return d.get(key), nil
}

// get returns the value of key in a leaf, nil if it is absent.
func (d *node) get(key []byte) []byte {
	if i, ok := d.search(key); ok {
		return d.value(i)
	}
	return nil
}

// descent is a node and the keys that are looked for in it, as a part of their sorted order.
type descent struct {
	node
	order []int
}

func getMany(ctx context.Context, src blob.Getter, root node, keys, out [][]byte) error {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(keys[a], keys[b]) })
	at := []descent{{root, order}}
	for at[0].level() > 0 {
		next, err := descend(ctx, src, at, keys)
		if err != nil || len(next) == 0 {
			return err
		}
		at = next
	}
	for _, s := range at {
		for _, k := range s.order {
			out[k] = s.get(keys[k])
		}
	}
	return nil
}

// descend goes down one level; keys before the first of all are dropped, being absent.
func descend(ctx context.Context, src blob.Getter, at []descent, keys [][]byte) ([]descent, error) {
	type step struct{ from, child int }
	var next []descent
	var steps []step
	var want []blob.Hash
	for f := range at {
		last := -1
		for n, k := range at[f].order {
			i := at[f].child(keys[k])
			if i >= 0 && i != last {
				next = append(next, descent{order: at[f].order[n:n]})
				steps = append(steps, step{f, i})
				want = append(want, at[f].ref(i).hash)
			}
			if last = i; i >= 0 {
				s := &next[len(next)-1]
				s.order = s.order[:len(s.order)+1]
			}
		}
	}
	nodes, err := load(ctx, src, want)
	if err != nil {
		return nil, err
	}
	for j := range next {
		next[j].node = nodes[j]
		if err := checkChild(&at[steps[j].from].node, steps[j].child, &nodes[j]); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// Len returns how many entries the map has. It reads the root only.
func Len(ctx context.Context, src blob.Getter, root blob.Hash) (uint64, error) {
	if root.IsZero() {
		return 0, nil
	}
	d, err := loadRoot(ctx, src, root)
	if err != nil {
		return 0, err
	}
	return d.count(), nil
}
