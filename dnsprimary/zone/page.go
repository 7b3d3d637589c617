package zone

import "slices"

// The tree is a B+ tree whose pages are never changed once their Edit has ended. A page is a leaf, with entries, or
// has children and the first key below each. Leaves are not chained: a cursor keeps its path instead.
const (
	pageMax  = 64 // entries or children; more, and the page is cut in two
	pageThin = 16 // fewer, and the page is joined with a neighbour if both together have at most pageJoin
	pageJoin = 48
	// maxHeight is never reached: a page gets a sister only when more than pageMax were put into it, of which at least
	// pageThin went to the sister; so a tree of this height took 16^11 edits.
	maxHeight = 12
)

type page struct {
	edit     *token // the edit that made the page and may change it
	entries  []entry
	keys     []string
	children []*page
}

// token stands for one edit. It has a size so that no two have the same address.
type token struct{ _ byte }

type entry struct {
	key  string
	sets []RRset
}

// get returns what is stored under a key.
func (p *page) get(key []byte) ([]RRset, bool) {
	for p.children != nil {
		p = p.children[p.childOf(key)]
	}
	i, found := p.search(key)
	if !found {
		return nil, false
	}
	return p.entries[i].sets, true
}

// childOf returns the index of the child in whose range key lies.
func (p *page) childOf(key []byte) int {
	low, high := 1, len(p.keys) // the first child takes what is before all
	for low < high {
		middle := int(uint(low+high) >> 1)
		if p.keys[middle] <= string(key) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low - 1
}

// search returns the index of the first entry whose key is not before key, and whether it is the same.
func (p *page) search(key []byte) (int, bool) {
	low, high := 0, len(p.entries)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if p.entries[middle].key < string(key) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(p.entries) && p.entries[low].key == string(key)
}

// own returns p if the edit may change it, otherwise a copy that it may.
func (p *page) own(edit *token) *page {
	if p.edit == edit {
		return p
	}
	return &page{edit, slices.Clone(p.entries), slices.Clone(p.keys), slices.Clone(p.children)}
}

// with stores sets under a key of the tree whose root p is, or removes the key if there are none, and returns the root
// from then on.
func (p *page) with(edit *token, key []byte, sets []RRset) *page {
	root, right := p.put(edit, key, sets)
	if right != nil {
		root = &page{edit: edit, keys: []string{"", right.first()}, children: []*page{root, right}}
	}
	for len(root.children) == 1 {
		root = root.children[0]
	}
	return root
}

// put stores sets under a key, or removes the key if there are none, and returns the page that takes p's place, with
// its right half if it had to be cut.
func (p *page) put(edit *token, key []byte, sets []RRset) (left, right *page) {
	p = p.own(edit)
	if p.children == nil {
		return p.halve(edit, p.putEntry(key, sets))
	}
	i := p.childOf(key)
	child, second := p.children[i].put(edit, key, sets)
	p.children[i] = child
	if second != nil {
		p.keys = slices.Insert(p.keys, i+1, second.first())
		p.children = slices.Insert(p.children, i+1, second)
	}
	if sets == nil {
		p.join(edit, i)
	}
	if len(p.keys) > 0 {
		p.keys[0] = "" // never compared; so a removed first key is not kept alive
	}
	return p.halve(edit, i >= len(p.children)-2)
}

// putEntry reports whether it put the entry at the end.
func (p *page) putEntry(key []byte, sets []RRset) (last bool) {
	i, found := p.search(key)
	switch {
	case found && sets == nil:
		p.entries = slices.Delete(p.entries, i, i+1)
	case found:
		p.entries[i].sets = sets
	case sets != nil:
		p.entries = slices.Insert(p.entries, i, entry{string(key), sets})
	}
	return i == len(p.entries)-1
}

func (p *page) size() int { return max(len(p.entries), len(p.children)) }

func (p *page) first() string {
	for p.children != nil {
		p = p.children[0]
	}
	return p.entries[0].key
}

// halve cuts a page that is too full. Most zones are read in order, so a page that grew at its end is left nearly full.
func (p *page) halve(edit *token, last bool) (left, right *page) {
	if p.size() <= pageMax {
		return p, nil
	}
	at := p.size() / 2
	if last {
		at = p.size() - pageThin
	}
	right = &page{edit: edit}
	if p.children == nil {
		right.entries = slices.Clone(p.entries[at:])
		p.entries = slices.Clone(p.entries[:at])
		return p, right
	}
	right.keys, right.children = slices.Clone(p.keys[at:]), slices.Clone(p.children[at:])
	p.keys, p.children = slices.Clone(p.keys[:at]), slices.Clone(p.children[:at])
	return p, right
}

// join takes child i away if it is empty, or puts it together with a neighbour if it got thin. A page may be left
// without children; then its parent takes it away.
func (p *page) join(edit *token, i int) {
	switch size := p.children[i].size(); {
	case size == 0:
		p.keys, p.children = slices.Delete(p.keys, i, i+1), slices.Delete(p.children, i, i+1)
	case size >= pageThin:
	case i+1 < len(p.children) && size+p.children[i+1].size() <= pageJoin:
		p.fuse(edit, i)
	case i > 0 && size+p.children[i-1].size() <= pageJoin:
		p.fuse(edit, i-1)
	}
}

// fuse puts child i and the next one together.
func (p *page) fuse(edit *token, i int) {
	left, right := p.children[i].own(edit), p.children[i+1]
	if left.children != nil {
		left.keys = append(left.keys, p.keys[i+1])
		left.keys = append(left.keys, right.keys[1:]...)
	}
	left.entries = append(left.entries, right.entries...)
	left.children = append(left.children, right.children...)
	p.children[i] = left
	p.keys, p.children = slices.Delete(p.keys, i+1, i+2), slices.Delete(p.children, i+1, i+2)
}
