package merkle

import (
	"context"
	"iter"

	"hearth/storage/blob"
)

// How many nodes of one level a scan reads in one call: few at first, as many loops end early, then twice as many each
// time.
const (
	firstWindow = 2
	lastWindow  = 64
)

// Scan yields the entries from key from on and before key to, in order; nil is the map's beginning or end. It holds a
// few nodes of each level in memory. After an error it yields no more. Entries must not be changed, and stay valid.
// The entries with a prefix are those from it to blob.PrefixEnd of it.
func Scan(ctx context.Context, src blob.Getter, root blob.Hash, from, to []byte) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if root.IsZero() {
			return
		}
		s := walk{ctx: ctx, src: src, from: from, to: to, window: firstWindow}
		s.leaf = func(d *node) bool { return s.entries(d, yield) }
		d, err := loadRoot(ctx, src, root)
		if err == nil {
			_, err = s.below([]node{d})
		}
		if err != nil {
			yield(Entry{}, err)
		}
	}
}

// walk goes through the nodes that have keys of a range, in order.
type walk struct {
	ctx      context.Context
	src      blob.Getter
	from, to []byte
	window   int
	leaf     func(d *node) bool     // gets each leaf; returns false to stop
	child    func(h blob.Hash) bool // if not nil, gets each child's hash before it is read
	shallow  bool                   // do not read leaves
}

// place is a child that is to be read.
type place struct {
	up *node
	i  int
}

// below goes through nodes of one level and what is under them. It returns false if it was told to stop. It calls
// itself once for each level, of which parse and checkChild allow at most 64.
func (w *walk) below(nodes []node) (bool, error) {
	if nodes[0].level() == 0 {
		for i := range nodes {
			if !w.leaf(&nodes[i]) {
				return false, nil
			}
		}
		return true, nil
	}
	places := w.places(nodes)
	for len(places) > 0 {
		n := min(len(places), w.window)
		w.window = min(2*w.window, lastWindow)
		more, err := w.read(places[:n])
		if err != nil || !more {
			return more, err
		}
		places = places[n:]
	}
	return true, nil
}

// read reads some children and goes on below them.
func (w *walk) read(places []place) (bool, error) {
	hashes := make([]blob.Hash, len(places))
	for j, p := range places {
		hashes[j] = p.up.ref(p.i).hash
		if w.child != nil && !w.child(hashes[j]) {
			return false, nil
		}
	}
	if w.shallow && places[0].up.level() == 1 {
		return true, nil
	}
	kids, err := load(w.ctx, w.src, hashes)
	if err != nil {
		return false, err
	}
	for j, p := range places {
		if err := checkChild(p.up, p.i, &kids[j]); err != nil {
			return false, err
		}
	}
	return w.below(kids)
}

// places returns the children of nodes that may have keys of the range.
func (w *walk) places(nodes []node) (out []place) {
	for k := range nodes {
		d := &nodes[k]
		first, end := 0, d.n
		if w.from != nil {
			first = max(0, d.child(w.from))
		}
		if w.to != nil {
			end, _ = d.search(w.to)
		}
		for i := first; i < end; i++ {
			out = append(out, place{d, i})
		}
	}
	return out
}

// entries yields a leaf's entries that are in the range.
func (w *walk) entries(d *node, yield func(Entry, error) bool) bool {
	first, end := 0, d.n
	if w.from != nil {
		first, _ = d.search(w.from)
	}
	if w.to != nil {
		end, _ = d.search(w.to)
	}
	if first >= end {
		return true
	}
	arena := make([]byte, 0, (end-first)*d.p+len(d.raw)-d.body)
	for i := first; i < end; i++ {
		at := len(arena)
		arena = d.appendKey(arena, i)
		if !yield(Entry{arena[at:len(arena):len(arena)], d.value(i)}, nil) {
			return false
		}
	}
	return true
}

// Nodes yields the hash of every node of the map, parents before children. It reads the interior nodes only: that the
// leaves are there is for the caller to see. After an error it yields no more.
func Nodes(ctx context.Context, src blob.Getter, root blob.Hash) iter.Seq2[blob.Hash, error] {
	return func(yield func(blob.Hash, error) bool) {
		if root.IsZero() || !yield(root, nil) {
			return
		}
		w := walk{
			ctx: ctx, src: src, window: lastWindow, shallow: true,
			leaf:  func(*node) bool { return true },
			child: func(h blob.Hash) bool { return yield(h, nil) },
		}
		d, err := loadRoot(ctx, src, root)
		if err == nil {
			_, err = w.below([]node{d})
		}
		if err != nil {
			yield(blob.Hash{}, err)
		}
	}
}
