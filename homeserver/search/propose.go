package search

import (
	"cmp"
	"context"
	"slices"

	"hearth/homeserver/store"
)

// proposal is an event that may be a result.
type proposal struct {
	spot
	points int
}

func (p *proposal) place() place { return place{p.points, p.pos} }

// propose finds the events that have all words, in the rooms to search.
func (f *finder) propose(ctx context.Context) error {
	// First the position, up to which all is then found; then what is in memory, and then the segments: one that is
	// written meanwhile is found in both, and not in none.
	_, pos := f.x.current()
	inMemory := make([]cursor, len(f.q.terms))
	for i, t := range f.q.terms {
		inMemory[i] = &listCursor{f.x.memory.list(t)}
	}
	m, _ := f.x.current()
	if !f.paged {
		f.page.token.upTo = pos
	}
	f.best = best{recent: f.r.Recent, upTo: f.page.token.upTo, after: f.page.token.after, paged: f.paged}
	f.work = work{entries: maxWork}
	if err := f.join(ctx, inMemory); err != nil {
		return err
	}
	looked := uint64(0)
	for i, s := range slices.Backward(m.segments) {
		if f.work.spent || f.best.settled(s.upTo) {
			f.best.estimate(looked, m.segments[:i+1])
			break
		}
		looked += s.size
		cursors := make([]cursor, len(f.q.terms))
		var err error
		for i, t := range f.q.terms {
			if cursors[i], err = f.x.cursorOf(ctx, s, t, &f.work); err != nil {
				return err
			}
		}
		if err := f.join(ctx, cursors); err != nil {
			return err
		}
	}
	return nil
}

// join proposes what all cursors come to, in the rooms to search. They leap over what the others do not have.
func (f *finder) join(ctx context.Context, cursors []cursor) error {
	to := spot{f.nums[0], 0}
	for {
		points, met := 0, 0
		for met < len(cursors) {
			p, ok, err := cursors[met].seek(ctx, to)
			if err != nil || !ok {
				return err
			}
			points += p.level.points()
			met++
			if p.spot == to {
				continue
			}
			if to, ok = f.allowed(p.spot); !ok {
				return nil
			}
			if met > 1 || to != p.spot { // begin again with the first
				points, met = 0, 0
			}
		}
		f.best.add(proposal{to, points})
		to.pos++
	}
}

// allowed returns the first spot at or after s that is in a room to search.
func (f *finder) allowed(s spot) (spot, bool) {
	at, found := slices.BinarySearch(f.nums, s.room)
	switch {
	case found:
		return s, true
	case at == len(f.nums):
		return spot{}, false
	}
	return spot{f.nums[at], 0}, true
}

// best keeps the proposals that come first in the order of results, behind the place where the page begins. There may
// be some twice in it, of a message that was edited.
type best struct {
	recent bool
	upTo   store.Pos
	after  place
	paged  bool
	list   []proposal
	count  int   // of all proposals
	cut    bool  // some were left out
	worst  place // of those that are kept, once some were left out
}

// compare orders proposals as results.
func (b *best) compare(p, q place) int {
	if b.recent {
		return -cmp.Compare(p.pos, q.pos)
	}
	return cmp.Or(-cmp.Compare(p.points, q.points), -cmp.Compare(p.pos, q.pos))
}

func (b *best) add(p proposal) {
	if p.pos > b.upTo {
		return
	}
	b.count++
	if b.paged && b.compare(p.place(), b.after) <= 0 || b.cut && b.compare(p.place(), b.worst) > 0 {
		return
	}
	b.list = append(b.list, p)
	if len(b.list) > 4*maxJudged {
		b.shorten()
	}
}

// settled reports whether what was made up to a position cannot change what is judged: it is older.
func (b *best) settled(upTo store.Pos) bool {
	if !b.recent {
		return false
	}
	newer := 0
	for i := range b.list {
		if b.list[i].pos > upTo {
			newer++
		}
	}
	return newer > maxJudged
}

// estimate adds to the count what segments may hold that are not looked at, going by those of so many entries that were.
func (b *best) estimate(looked uint64, rest []segment) {
	if looked == 0 {
		return
	}
	left := uint64(0)
	for _, s := range rest {
		left += s.size
	}
	b.count += int(float64(b.count) * float64(left) / float64(looked))
}

// shorten leaves the best only, each once, in order.
func (b *best) shorten() {
	slices.SortFunc(b.list, func(p, q proposal) int { return cmp.Or(p.compare(q.spot), -cmp.Compare(p.points, q.points)) })
	before := len(b.list)
	b.list = slices.CompactFunc(b.list, func(p, q proposal) bool { return p.spot == q.spot })
	b.count -= before - len(b.list)
	slices.SortFunc(b.list, func(p, q proposal) int { return b.compare(p.place(), q.place()) })
	if len(b.list) > 2*maxJudged {
		b.list, b.cut = b.list[:2*maxJudged], true
		b.worst = b.list[len(b.list)-1].place()
	}
}

// ranked returns the best proposals in order.
func (b *best) ranked() []proposal {
	b.shorten()
	return b.list
}
