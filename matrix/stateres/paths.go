package stateres

import (
	"fmt"

	"hearth/matrix"
	"hearth/matrix/event"
)

// firstTurn is what each of the two walks of complete may cost in its first turn; it doubles with every turn.
const firstTurn = 256

// batch is how many events a walk down reads at a time.
const batch = 256

// complete finds the paths that lead from conflicted events through shared ones to a conflicted event.
// There are none unless a conflicted event is shared. The walk down knows all paths when it has seen everything
// below the conflicted events, the walk up when it has seen everything above the shared conflicted ones: the two
// have turns, so that the cost is that of the cheaper one.
func (g *graph) complete() error {
	var targets, starts []matrix.EventID
	for id, n := range g.nodes {
		if !n.shared {
			continue
		}
		starts = append(starts, id)
		if n.states != 0 {
			targets = append(targets, id)
		}
	}
	if len(targets) == 0 {
		return nil
	}
	d := newDown(g, starts)
	u := newUp(g, targets)
	for budget := g.r.turn; ; budget *= 2 {
		done, err := d.walk(budget)
		if err != nil {
			return err
		}
		if done {
			g.on = reach(targets, d.citing)
			return nil
		}
		if done, err = u.walk(budget); err != nil {
			return err
		}
		if done {
			return g.fromAbove(u)
		}
	}
}

// fromAbove keeps, of what a finished walk up has seen, what is below a conflicted event.
func (g *graph) fromAbove(u *up) error {
	var starts []matrix.EventID
	for _, id := range g.conflicted {
		if u.seen[id] {
			starts = append(starts, id)
		}
	}
	g.on = reach(starts, u.cited)
	var ids []matrix.EventID
	for id := range g.on {
		ids = append(ids, id)
	}
	return g.r.loadAll(ids)
}

// reach returns the starts and all that edges lead to from there.
func reach(starts []matrix.EventID, edges map[matrix.EventID][]matrix.EventID) map[matrix.EventID]bool {
	seen := make(map[matrix.EventID]bool, len(starts))
	queue := make([]matrix.EventID, 0, len(starts))
	visit := func(ids []matrix.EventID) {
		for _, id := range ids {
			if !seen[id] {
				seen[id] = true
				queue = append(queue, id)
			}
		}
	}
	for visit(starts); len(queue) > 0; {
		id := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		visit(edges[id])
	}
	return seen
}

// down walks along auth_events.
type down struct {
	g      *graph
	queue  []matrix.EventID
	seen   map[matrix.EventID]bool
	citing map[matrix.EventID][]matrix.EventID // the edges seen, from the cited event to those that cite it
	cost   int
}

// newDown starts a walk below starts. The edges of the region are part of it from the beginning.
func newDown(g *graph, starts []matrix.EventID) *down {
	d := &down{
		g: g, queue: starts,
		seen: map[matrix.EventID]bool{}, citing: map[matrix.EventID][]matrix.EventID{},
	}
	for id, n := range g.nodes {
		d.seen[id] = true
		if !n.shared {
			d.edges(id)
		}
	}
	return d
}

// edges notes the edges below an event that has been read, and queues what has not been seen.
func (d *down) edges(id matrix.EventID) {
	below := d.g.r.loaded[id].AuthEvents
	d.cost += len(below) + 1
	for _, b := range below {
		d.citing[b] = append(d.citing[b], id)
		if !d.seen[b] {
			d.seen[b] = true
			d.queue = append(d.queue, b)
		}
	}
}

// walk goes on until there is nothing more, or the cost has reached the budget.
func (d *down) walk(budget int) (done bool, err error) {
	for len(d.queue) > 0 && d.cost < budget {
		ids := d.queue[:min(batch, len(d.queue))]
		d.queue = d.queue[len(ids):]
		if err := d.g.r.loadAll(ids); err != nil {
			return false, err
		}
		for _, id := range ids {
			d.edges(id)
		}
	}
	return len(d.queue) == 0, nil
}

// up walks against auth_events.
type up struct {
	g     *graph
	queue []matrix.EventID
	seen  map[matrix.EventID]bool
	cited map[matrix.EventID][]matrix.EventID // the edges seen, from the citing event to those that it cites
	cost  int
}

func newUp(g *graph, starts []matrix.EventID) *up {
	u := &up{g: g, queue: starts, seen: map[matrix.EventID]bool{}, cited: map[matrix.EventID][]matrix.EventID{}}
	for _, id := range starts {
		u.seen[id] = true
	}
	return u
}

// walk goes on until there is nothing more, or the cost has reached the budget. An event whose citations do not fit
// the budget is left for the next turn, which looks at them all again.
func (u *up) walk(budget int) (done bool, err error) {
	for len(u.queue) > 0 {
		id := u.queue[0]
		above, fits, err := u.above(id, budget)
		if err != nil || !fits {
			return false, err
		}
		u.queue = u.queue[1:]
		for _, a := range above {
			u.cited[a] = append(u.cited[a], id)
			if !u.seen[a] {
				u.seen[a] = true
				u.queue = append(u.queue, a)
			}
		}
	}
	return true, nil
}

func (u *up) above(id matrix.EventID, budget int) (above []matrix.EventID, fits bool, err error) {
	u.cost++
	var failed error
	err = u.g.r.source.Citing(id, func(by matrix.EventID, _ event.Key) bool {
		above = append(above, by)
		u.cost++
		failed = u.g.r.touch(1)
		return failed == nil && u.cost <= budget
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, false, fmt.Errorf("following citations: %w", err)
	}
	return above, u.cost <= budget, nil
}

// below returns the events that id cites, as far as they are in the region or on a path.
func (g *graph) below(id matrix.EventID) []matrix.EventID {
	if !g.has(id) {
		return nil
	}
	var below []matrix.EventID
	for _, b := range g.r.loaded[id].AuthEvents {
		if g.has(b) {
			below = append(below, b)
		}
	}
	return below
}

// has reports whether an event is in the region or on a path.
func (g *graph) has(id matrix.EventID) bool {
	n := g.nodes[id]
	return g.on[id] || n != nil && !n.shared
}

// subgraph returns the conflicted state subgraph. Everything here is below a conflicted event, so it is what is
// above one.
// spec: rooms/v12#definitions
func (g *graph) subgraph() map[matrix.EventID]bool {
	citing := map[matrix.EventID][]matrix.EventID{}
	note := func(id matrix.EventID) {
		for _, b := range g.below(id) {
			citing[b] = append(citing[b], id)
		}
	}
	for id := range g.nodes {
		note(id)
	}
	for id := range g.on {
		if g.nodes[id] == nil {
			note(id)
		}
	}
	return reach(g.conflicted, citing)
}
