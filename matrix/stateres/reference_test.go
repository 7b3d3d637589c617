package stateres

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"maps"
	"math"
	"slices"
	"testing"

	"hearth/matrix"
	"hearth/matrix/authrules"
	"hearth/matrix/event"
)

// The reference: state resolution as the specification words it, on whole states, whole auth chains and plain
// sets, in its order and with its names. It shares with the package nothing but the authorisation rules.

type idSet = map[matrix.EventID]bool

type reference struct {
	tb     testing.TB
	w      *world
	states []stateMap
	chains map[matrix.EventID]idSet
}

func newReference(tb testing.TB, w *world, states []stateMap) *reference {
	return &reference{tb: tb, w: w, states: states, chains: map[matrix.EventID]idSet{}}
}

// authChain is "the set containing all of E's auth events, all of their auth events, and so on recursively".
func (f *reference) authChain(id matrix.EventID) idSet {
	if c, ok := f.chains[id]; ok {
		return c
	}
	c := idSet{}
	for _, a := range f.w.events[id].AuthEvents {
		c[a] = true
		maps.Copy(c, f.authChain(a))
	}
	f.chains[id] = c
	return c
}

// split returns the unconflicted state map and the conflicted state set.
func (f *reference) split() (unconflicted stateMap, conflicted idSet) {
	unconflicted, conflicted = stateMap{}, idSet{}
	for _, s := range f.states {
		for k, id := range s {
			same := true
			for _, t := range f.states {
				same = same && t[k] == id
			}
			if same {
				unconflicted[k] = id
			} else {
				conflicted[id] = true
			}
		}
	}
	return unconflicted, conflicted
}

// authDifference is the union of the full auth chains without their intersection.
func (f *reference) authDifference() idSet {
	count := map[matrix.EventID]int{}
	for _, s := range f.states {
		full := idSet{}
		for _, id := range s {
			maps.Copy(full, f.authChain(id))
		}
		for id := range full {
			count[id]++
		}
	}
	difference := idSet{}
	for id, n := range count {
		if n < len(f.states) {
			difference[id] = true
		}
	}
	return difference
}

// conflictedSubgraph is "the union of all such paths between any pair of events in the conflicted state set".
func (f *reference) conflictedSubgraph(conflicted idSet) idSet {
	subgraph := idSet{}
	for from := range conflicted {
		for x := range f.authChain(from) {
			for to := range conflicted {
				if x == to || f.authChain(x)[to] {
					subgraph[x] = true
				}
			}
		}
	}
	return subgraph
}

func (f *reference) isPowerEvent(id matrix.EventID) bool {
	e := f.w.events[id]
	membership, _ := matrix.StringField(e.Content, "membership")
	return e.Type == "m.room.power_levels" || e.Type == "m.room.join_rules" ||
		e.Type == "m.room.member" && (membership == "leave" || membership == "ban") && *e.StateKey != string(e.Sender)
}

func (f *reference) senderPower(id matrix.EventID) int64 {
	e := f.w.events[id]
	var create, power *event.Event
	for _, a := range e.AuthEvents {
		switch f.w.events[a].Type {
		case "m.room.create":
			create = f.w.events[a]
		case "m.room.power_levels":
			power = f.w.events[a]
		}
	}
	if f.w.v.Version == "12" {
		create = f.w.events["$create"]
	}
	return authrules.UserLevel(e.Sender, create, power)
}

// powerOrdering is the reverse topological power ordering.
func (f *reference) powerOrdering(x idSet) []matrix.EventID {
	less := func(a, b matrix.EventID) int {
		return cmp.Or(cmp.Compare(f.senderPower(b), f.senderPower(a)),
			cmp.Compare(f.w.events[a].Time, f.w.events[b].Time), cmp.Compare(a, b))
	}
	var sorted []matrix.EventID
	for len(sorted) < len(x) {
		var candidates []matrix.EventID
		for id := range x {
			ready := !slices.Contains(sorted, id)
			for a := range f.authChain(id) {
				ready = ready && (!x[a] || slices.Contains(sorted, a))
			}
			if ready {
				candidates = append(candidates, id)
			}
		}
		sorted = append(sorted, slices.MinFunc(candidates, less))
	}
	return sorted
}

func (f *reference) powerLevelsOf(id matrix.EventID) matrix.EventID {
	for _, a := range f.w.events[id].AuthEvents {
		if f.w.events[a].Type == "m.room.power_levels" {
			return a
		}
	}
	return ""
}

// mainlineOrdering sorts by the mainline of p.
func (f *reference) mainlineOrdering(ids []matrix.EventID, p matrix.EventID) {
	var mainline []matrix.EventID
	for ; p != ""; p = f.powerLevelsOf(p) {
		mainline = append(mainline, p)
	}
	position := func(id matrix.EventID) int {
		for e := f.powerLevelsOf(id); e != ""; e = f.powerLevelsOf(e) {
			if i := slices.Index(mainline, e); i >= 0 {
				return i
			}
		}
		return math.MaxInt
	}
	slices.SortFunc(ids, func(a, b matrix.EventID) int {
		return cmp.Or(cmp.Compare(position(b), position(a)),
			cmp.Compare(f.w.events[a].Time, f.w.events[b].Time), cmp.Compare(a, b))
	})
}

// view is a state with an event's auth events for what it lacks.
type view struct {
	w     *world
	state stateMap
	e     *event.Event
}

func (v view) Event(k event.Key) (*event.Event, error) {
	if id, ok := v.state[k]; ok {
		return v.w.events[id], nil
	}
	if v.e == nil {
		return nil, nil
	}
	if v.w.v.Version == "12" && k.Type == "m.room.create" {
		return v.w.events["$create"], nil
	}
	for _, a := range v.e.AuthEvents {
		if ae := v.w.events[a]; ae.Type == k.Type && *ae.StateKey == k.StateKey && !v.w.reject[a] {
			return ae, nil
		}
	}
	return nil, nil
}

func (f *reference) iterativeAuthChecks(state stateMap, list []matrix.EventID) {
	for _, id := range list {
		e := f.w.events[id]
		if authrules.Check(e, view{f.w, state, e}) == nil {
			state[event.Key{Type: e.Type, StateKey: *e.StateKey}] = id
		}
	}
}

// resolve is the algorithm of versions 2 and 2.1.
func (f *reference) resolve() stateMap {
	if f.w.v.Version == "1" {
		return f.resolve1()
	}
	unconflicted, conflicted := f.split()
	full := maps.Clone(conflicted)
	maps.Copy(full, f.authDifference())
	if f.w.v.Version == "12" {
		maps.Copy(full, f.conflictedSubgraph(conflicted))
	}
	x := idSet{} // 1
	for p := range full {
		if !f.isPowerEvent(p) {
			continue
		}
		x[p] = true
		for a := range f.authChain(p) {
			if full[a] {
				x[a] = true
			}
		}
	}
	state := stateMap{} // 2
	if f.w.v.Version != "12" {
		state = maps.Clone(unconflicted)
	}
	f.iterativeAuthChecks(state, f.powerOrdering(x))
	var rest []matrix.EventID // 3
	for id := range full {
		if !x[id] {
			rest = append(rest, id)
		}
	}
	f.mainlineOrdering(rest, state[event.Key{Type: "m.room.power_levels"}])
	f.iterativeAuthChecks(state, rest) // 4
	maps.Copy(state, unconflicted)     // 5
	return state
}

// resolve1 is the algorithm of version 1.
func (f *reference) resolve1() stateMap {
	r, conflicts := stateMap{}, map[event.Key]idSet{}
	for _, s := range f.states {
		for k, id := range s {
			for _, t := range f.states {
				if other, ok := t[k]; ok && other != id {
					if conflicts[k] == nil {
						conflicts[k] = idSet{}
					}
					conflicts[k][id] = true
				}
			}
		}
	}
	for _, s := range f.states {
		for k, id := range s {
			if conflicts[k] == nil {
				r[k] = id
			}
		}
	}
	for _, typ := range []string{"m.room.power_levels", "m.room.join_rules", "m.room.member"} {
		before := maps.Clone(r)
		for k, ids := range conflicts {
			if k.Type != typ {
				continue
			}
			local := maps.Clone(before)
			for i, id := range f.byDepth(ids) {
				if i > 0 && authrules.Check(f.w.events[id], view{f.w, local, nil}) != nil {
					break
				}
				local[k], r[k] = id, id
			}
		}
	}
	before := maps.Clone(r)
	for k, ids := range conflicts {
		if _, done := before[k]; done {
			continue
		}
		for _, id := range slices.Backward(f.byDepth(ids)) {
			if authrules.Check(f.w.events[id], view{f.w, before, nil}) == nil {
				r[k] = id
				break
			}
		}
	}
	return r
}

// byDepth sorts by ascending depth, then descending sha1(event_id).
func (f *reference) byDepth(ids idSet) []matrix.EventID {
	return slices.SortedFunc(maps.Keys(ids), func(a, b matrix.EventID) int {
		ha, hb := sha1.Sum([]byte(a)), sha1.Sum([]byte(b))
		return cmp.Or(cmp.Compare(f.w.events[a].Depth, f.w.events[b].Depth), bytes.Compare(hb[:], ha[:]))
	})
}
