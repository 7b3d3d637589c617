package timeline

import (
	"context"
	"slices"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// ThreadsRequest asks for a page of a room's threads.
type ThreadsRequest struct {
	From         string // the token of an earlier page; "" is the newest thread
	Participated bool   // only those in which the user takes part
	Limit        int
}

// Threads is a page of a room's threads.
type Threads struct {
	Roots []Seen
	Next  string // the token of the next page, "" if there is none
}

// maxMine bounds in how many threads of a room one may take part to find all of them, and maxPassed how many others are
// passed over for one page.
const (
	maxMine   = 1 << 16
	maxPassed = 50000
)

// Threads returns the roots of a room's threads, those with the newest replies first.
// spec: client-server-api#get_matrixclientv1roomsroomidthreads
func (t *Timeline) Threads(ctx context.Context, user matrix.UserID, room *store.Room, a Access, q ThreadsRequest) (*Threads, error) {
	before := store.MaxOrder
	if q.From != "" {
		var err error
		if before, err = t.boundary(ctx, room, "from", q.From); err != nil {
			return nil, err
		}
	}
	var mine map[store.Order]bool
	if q.Participated {
		mine = make(map[store.Order]bool)
		for root, err := range t.store.ThreadsOf(ctx, room.Num, user) {
			if err != nil {
				return nil, err
			}
			if mine[root] = true; len(mine) == maxMine {
				break
			}
		}
		if len(mine) == 0 {
			return &Threads{}, nil
		}
	}
	if a.End != store.MaxOrder {
		return t.threadsUntil(ctx, user, room, a, before, mine, q.Limit)
	}
	p := &threadPage{t: t, eyes: t.Eyes(user, room.Num, a), mine: mine, limit: q.Limit}
	for th, err := range t.store.Threads(ctx, room.Num, before) {
		if err != nil {
			return nil, err
		}
		if more, err := p.add(ctx, th); err != nil || !more {
			return &p.Threads, err
		}
	}
	return &p.Threads, nil
}

// threadsUntil is Threads for one who has left: as the threads were then.
func (t *Timeline) threadsUntil(ctx context.Context, user matrix.UserID, room *store.Room, a Access, before store.Order, mine map[store.Order]bool, limit int) (*Threads, error) {
	var threads []store.Thread
	read := 0
	for th, err := range t.store.Threads(ctx, room.Num, store.MaxOrder) {
		if err != nil {
			return nil, err
		}
		if read++; read > maxScanned {
			break
		}
		if th.Root >= a.End {
			continue
		}
		if th.Last >= a.End {
			if th.Last, err = t.lastBefore(ctx, room.Num, th.Root, a.End); err != nil {
				return nil, err
			}
		}
		if th.Last != 0 && th.Last < before {
			threads = append(threads, th)
		}
	}
	slices.SortFunc(threads, func(x, y store.Thread) int { return int(min(max(y.Last-x.Last, -1), 1)) })
	p := &threadPage{t: t, eyes: t.Eyes(user, room.Num, a), mine: mine, limit: limit}
	for _, th := range threads {
		if more, err := p.add(ctx, th); err != nil || !more {
			return &p.Threads, err
		}
	}
	return &p.Threads, nil
}

// lastBefore returns the newest event of a thread with an order below end, 0 if there is none.
func (t *Timeline) lastBefore(ctx context.Context, room store.RoomNum, root, end store.Order) (store.Order, error) {
	read := 0
	for rel, err := range t.store.Relations(ctx, room, root, store.MinOrder, end, true) {
		if err != nil {
			return 0, err
		}
		if rel.RelType == "m.thread" {
			return rel.Child, nil
		}
		if read++; read == maxThread {
			break
		}
	}
	return 0, nil
}

// threadPage is a page that threads are added to.
type threadPage struct {
	Threads
	t      *Timeline
	eyes   *Eyes
	mine   map[store.Order]bool // nil if all are asked for
	limit  int
	read   int
	passed int
	last   store.Order // of the newest event of the thread added last
}

// add adds a thread if it belongs to the page; more is false if the page ends before it.
func (p *threadPage) add(ctx context.Context, th store.Thread) (more bool, err error) {
	if p.mine != nil && !p.mine[th.Root] {
		if p.passed++; p.passed == maxPassed {
			p.Next = Token(th.Last)
		}
		return p.passed < maxPassed, nil
	}
	if len(p.Roots) == p.limit || p.read == maxScanned {
		p.Next = Token(p.last)
		return false, nil
	}
	p.read++
	p.last = th.Last
	roots, err := p.t.store.EventsAt(ctx, p.eyes.room, th.Root)
	if err != nil || roots[0] == nil {
		return true, err
	}
	root, ok, err := p.eyes.look(ctx, roots[0])
	if err != nil || !ok {
		return true, err
	}
	if p.eyes.access.Hides(root.Event) {
		if root.Event, err = emptied(root.Event); err != nil {
			return false, err
		}
	}
	p.Roots = append(p.Roots, root)
	return true, nil
}
