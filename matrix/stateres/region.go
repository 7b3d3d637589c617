package stateres

import (
	"math/bits"

	"hearth/matrix"
	"hearth/matrix/event"
)

// node is an event that the walk down from the conflicted events has met.
type node struct {
	known  bool   // whether it is shared
	shared bool   // it is below a common event; the walk ends here
	states uint64 // which states have it as an event of a conflicted key
	chains uint64 // in the auth chain of which states' conflicted events it is
}

// graph is the part of the auth graph that a resolution looks at.
type graph struct {
	r          *resolver
	conflicted []matrix.EventID
	nodes      map[matrix.EventID]*node
	sharedMemo map[matrix.EventID]bool // what shared has found
	on         map[matrix.EventID]bool // shared events on paths between conflicted events, among others of the region
}

// region walks down from the conflicted events until it meets shared ones.
func (r *resolver) region() (*graph, error) {
	g := &graph{
		r: r, nodes: map[matrix.EventID]*node{},
		sharedMemo: map[matrix.EventID]bool{}, on: map[matrix.EventID]bool{},
	}
	for _, c := range r.conflicts {
		for i, id := range c.ids {
			if g.nodes[id] == nil {
				g.nodes[id] = &node{}
				g.conflicted = append(g.conflicted, id)
			}
			g.nodes[id].states |= c.states[i]
		}
	}
	for level := g.conflicted; len(level) > 0; {
		if err := g.classify(level); err != nil {
			return nil, err
		}
		level = g.descend(level)
	}
	return g, nil
}

// classify finds which events of a level are shared, and reads the others. Conflicted events are read in any case.
func (g *graph) classify(level []matrix.EventID) error {
	var read []matrix.EventID
	for _, id := range level {
		n := g.nodes[id]
		if n.known {
			continue
		}
		var err error
		if n.shared, err = g.shared(id); err != nil {
			return err
		}
		if n.known = true; !n.shared || n.states != 0 {
			read = append(read, id)
		}
	}
	return g.r.loadAll(read)
}

// descend passes on, to the events below a level, which states' chains they are in. It returns those that are in
// more chains than they were, so that an event is passed at most once for every state.
func (g *graph) descend(level []matrix.EventID) (next []matrix.EventID) {
	queued := map[matrix.EventID]bool{}
	for _, id := range level {
		n := g.nodes[id]
		if n.shared {
			continue
		}
		chains := n.states | n.chains
		for _, below := range g.r.loaded[id].AuthEvents {
			b := g.nodes[below]
			if b == nil {
				b = &node{}
				g.nodes[below] = b
			}
			if b.chains|chains == b.chains {
				continue
			}
			b.chains |= chains
			if !queued[below] {
				queued[below] = true
				next = append(next, below)
			}
		}
	}
	return next
}

// difference returns the auth difference. It has events of the unconflicted state map if only some states' other
// events need them: the auth chain of an event does not hold the event itself.
// spec: rooms/v12#definitions
func (g *graph) difference() map[matrix.EventID]bool {
	difference := map[matrix.EventID]bool{}
	for id, n := range g.nodes {
		if !n.shared && n.chains != 0 && bits.OnesCount64(n.chains) < g.r.states.N() {
			difference[id] = true
		}
	}
	return difference
}

// upward is an event whose citations are being followed.
type upward struct {
	id      matrix.EventID
	pending []matrix.EventID // those who cite it, of whom it is not known whether they are shared
}

// shared reports whether an event is below a common one.
func (g *graph) shared(id matrix.EventID) (bool, error) {
	if known, ok := g.sharedMemo[id]; ok {
		return known, nil
	}
	var path []upward
	onPath := map[matrix.EventID]bool{}
	for next := id; next != ""; next, path = g.ascend(path, onPath) {
		found, pending, err := g.citing(next)
		if err != nil {
			return false, err
		}
		path = append(path, upward{next, pending})
		onPath[next] = true
		if !found {
			continue
		}
		for _, u := range path {
			g.sharedMemo[u.id] = true
		}
		return true, nil
	}
	return false, nil
}

// ascend returns the next event above the path whose citations are to be looked at, "" if there is none. Events
// above which no common one was found leave the path.
func (g *graph) ascend(path []upward, onPath map[matrix.EventID]bool) (next matrix.EventID, rest []upward) {
	for len(path) > 0 {
		top := &path[len(path)-1]
		if len(top.pending) == 0 {
			g.sharedMemo[top.id] = false
			path = path[:len(path)-1]
			continue
		}
		next := top.pending[len(top.pending)-1]
		top.pending = top.pending[:len(top.pending)-1]
		if _, known := g.sharedMemo[next]; !known && !onPath[next] {
			return next, path
		}
	}
	return "", nil
}

// citing returns whether a common event or one known as shared cites id, and otherwise who else does.
func (g *graph) citing(id matrix.EventID) (found bool, pending []matrix.EventID, err error) {
	var failed error
	err = g.r.source.Citing(id, func(by matrix.EventID, k event.Key) bool {
		if failed = g.r.touch(1); failed != nil {
			return false
		}
		shared, known := g.sharedMemo[by]
		if found = shared; found {
			return false
		}
		var common matrix.EventID
		if common, failed = g.r.common(k); failed != nil {
			return false
		}
		if found = common == by; !found && !known {
			pending = append(pending, by)
		}
		return !found
	})
	if err == nil {
		err = failed
	}
	return found, pending, err
}
