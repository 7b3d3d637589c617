package merkle

import (
	"bytes"
	"iter"

	"hearth/storage/blob"
)

// Build returns the root of the map of these entries, which come in ascending order of distinct keys, and calls put
// once for each of its nodes. It needs memory for a few nodes of each level. The slices may be reused once the next
// entry is asked for.
func Build(sorted iter.Seq2[[]byte, []byte], put func(data []byte) blob.Hash) (blob.Hash, error) {
	const op = "building map"
	b := builder{put: put}
	var last []byte
	for key, value := range sorted {
		if err := checkEntry(op, key, value); err != nil {
			return blob.Hash{}, err
		}
		if b.total > 0 && bytes.Compare(last, key) >= 0 {
			return blob.Hash{}, blob.Errorf(blob.Invalid, op, "entry %d is not in order", b.total)
		}
		if b.total == maxCount {
			return blob.Hash{}, blob.Errorf(blob.TooLarge, op, "more than %d entries", uint64(maxCount))
		}
		last = bytes.Clone(key)
		if err := b.entry(item{key: last, value: bytes.Clone(value)}); err != nil {
			return blob.Hash{}, err
		}
	}
	return b.finish()
}

// builder makes a tree, or the upper levels of one, from the items of its lowest level.
type builder struct {
	put    func([]byte) blob.Hash
	base   int // the lowest level
	levels []*builderLevel
	total  uint64 // entries
	few    []item // the entries, as long as they may be one leaf
}

// builderLevel has the last items of one level: those not yet stored, and before them what decides about these.
type builderLevel struct {
	items   []item
	units   units
	from    int // the first item of the next node
	next    int // the first item of which it is not known whether it begins a node
	pending int // weight of the items from next on
	nodes   int // stored
	held    item
}

// entry adds one entry; keys ascend.
func (b *builder) entry(it item) error {
	b.total++
	if b.levels == nil {
		b.few = append(b.few, it)
		if small(b.few) {
			return nil
		}
		few := b.few
		b.few = nil
		for _, it := range few {
			if err := b.add(0, it); err != nil {
				return err
			}
		}
		return nil
	}
	return b.add(0, it)
}

// add adds an item to level base+l.
func (b *builder) add(l int, it item) error {
	level := b.base + l
	if level > maxLevel {
		return blob.Errorf(blob.TooLarge, "building map", "more than %d levels", maxLevel+1)
	}
	if l == len(b.levels) {
		b.levels = append(b.levels, &builderLevel{})
	}
	s := b.levels[l]
	u := unit{priority(level, it.key, nil), it.weigh(level)}
	s.items, s.units = append(s.items, it), append(s.units, u)
	s.pending += u.weight
	limit := limitOf(level)
	for s.pending > limit {
		if err := b.decide(l, limit); err != nil {
			return err
		}
	}
	s.trim(limit)
	return nil
}

// decide settles whether the item at next begins a node: what follows it weighs enough or is all there is.
func (b *builder) decide(l, limit int) error {
	s := b.levels[l]
	i := s.next
	s.next++
	s.pending -= s.units[i].weight
	if i == s.from || !starts(s.units, i, limit) {
		return nil
	}
	from := s.from
	s.from = i
	return b.store(l, s.items[from:i])
}

// store puts a node and hands it to the next level, which comes into being with the second node.
func (b *builder) store(l int, items []item) error {
	s := b.levels[l]
	up := nodeItem(b.base+l, items, b.put(encode(b.base+l, items)))
	s.nodes++
	if s.nodes == 1 {
		s.held = up
		return nil
	}
	if s.nodes == 2 {
		if err := b.add(l+1, s.held); err != nil {
			return err
		}
		s.held = item{}
	}
	return b.add(l+1, up)
}

// trim forgets stored items that are too far away to matter to the next one.
func (s *builderLevel) trim(limit int) {
	if s.from < 256 {
		return
	}
	keep, sum := s.next, 0
	for keep > 0 && (keep > s.from || sum <= limit) {
		keep--
		sum += s.units[keep].weight
	}
	n := copy(s.items, s.items[keep:])
	clear(s.items[n:])
	s.items = s.items[:n]
	s.units = s.units[:copy(s.units, s.units[keep:])]
	s.from, s.next = s.from-keep, s.next-keep
}

// finish stores what is left and returns the root.
func (b *builder) finish() (blob.Hash, error) {
	if len(b.few) > 0 {
		return b.put(encode(0, b.few)), nil
	}
	for l := 0; l < len(b.levels); l++ {
		s := b.levels[l]
		for s.next < len(s.items) {
			if err := b.decide(l, limitOf(b.base+l)); err != nil {
				return blob.Hash{}, err
			}
		}
		if err := b.store(l, s.items[s.from:]); err != nil {
			return blob.Hash{}, err
		}
		if s.nodes == 1 {
			return s.held.hash, nil
		}
	}
	return blob.Hash{}, nil
}
