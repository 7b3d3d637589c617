package stateres

import (
	"cmp"
	"container/heap"
	"slices"

	"hearth/matrix"
	"hearth/matrix/authrules"
	"hearth/matrix/event"
)

// isPower reports whether e is a power event: one that might remove somebody's ability to do something.
// spec: rooms/v12#definitions
func isPower(e *event.Event) bool {
	switch {
	case e.StateKey == nil:
		return false
	case e.Type == event.TypePowerLevels || e.Type == event.TypeJoinRules:
		return true
	case e.Type != event.TypeMember || *e.StateKey == string(e.Sender):
		return false
	}
	membership, _ := matrix.StringField(e.Content, "membership")
	return membership == "leave" || membership == "ban"
}

// powerList returns the power events of the full conflicted set, with those events of it that they depend on, in
// the reverse topological power ordering.
// spec: rooms/v12#definitions
func (g *graph) powerList(full map[matrix.EventID]bool) ([]*event.Event, error) {
	var power []matrix.EventID
	for id := range full {
		if isPower(g.r.loaded[id]) {
			power = append(power, id)
		}
	}
	below := map[matrix.EventID][]matrix.EventID{}
	for queue := power; len(queue) > 0; {
		id := queue[0]
		queue = queue[1:]
		if _, ok := below[id]; ok {
			continue
		}
		below[id] = g.below(id)
		queue = append(queue, below[id]...)
	}
	return g.r.topological(below, full)
}

// topological sorts those keys of below that are in full by Kahn's algorithm, the smallest first among those
// whose dependencies are all sorted. The other keys only carry dependencies. What depends on itself, as forged
// events of room version 2 may, is left out.
func (r *resolver) topological(below map[matrix.EventID][]matrix.EventID, full map[matrix.EventID]bool) ([]*event.Event, error) {
	var wanted, free []matrix.EventID
	waits := make(map[matrix.EventID]int, len(below))
	citing := make(map[matrix.EventID][]matrix.EventID, len(below))
	for id, ids := range below {
		if full[id] {
			wanted = append(wanted, id)
		}
		if waits[id] = len(ids); len(ids) == 0 {
			free = append(free, id)
		}
		for _, b := range ids {
			citing[b] = append(citing[b], id)
		}
	}
	levels, err := r.senderLevels(wanted)
	if err != nil {
		return nil, err
	}
	sorted := make([]*event.Event, 0, len(wanted))
	ready := &powerHeap{levels: levels}
	for len(free) > 0 || ready.Len() > 0 {
		if len(free) == 0 {
			e := heap.Pop(ready).(*event.Event)
			sorted = append(sorted, e)
			free = release(free, waits, citing[e.ID])
			continue
		}
		id := free[len(free)-1]
		free = free[:len(free)-1]
		if full[id] {
			heap.Push(ready, r.loaded[id])
		} else {
			free = release(free, waits, citing[id])
		}
	}
	return sorted, nil
}

// release counts one dependency less for each of ids, and appends those that have none left.
func release(free []matrix.EventID, waits map[matrix.EventID]int, ids []matrix.EventID) []matrix.EventID {
	for _, id := range ids {
		if waits[id]--; waits[id] == 0 {
			free = append(free, id)
		}
	}
	return free
}

// powerHeap has the event first whose sender has the greatest power level, then the earliest, then that with the
// smallest id.
type powerHeap struct {
	events []*event.Event
	levels map[matrix.EventID]int64
}

func (h *powerHeap) Len() int      { return len(h.events) }
func (h *powerHeap) Swap(i, j int) { h.events[i], h.events[j] = h.events[j], h.events[i] }
func (h *powerHeap) Push(x any)    { h.events = append(h.events, x.(*event.Event)) }

func (h *powerHeap) Less(i, j int) bool {
	a, b := h.events[i], h.events[j]
	return cmp.Or(cmp.Compare(h.levels[b.ID], h.levels[a.ID]), compareTime(a, b)) < 0
}

func (h *powerHeap) Pop() any {
	last := len(h.events) - 1
	e := h.events[last]
	h.events = h.events[:last]
	return e
}

// compareTime compares origin_server_ts, then ids.
func compareTime(a, b *event.Event) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.ID, b.ID))
}

// senderLevels returns the power level of each event's sender, as its own auth_events have it.
func (r *resolver) senderLevels(ids []matrix.EventID) (map[matrix.EventID]int64, error) {
	var auth []matrix.EventID
	for _, id := range ids {
		auth = append(auth, r.loaded[id].AuthEvents...)
		if r.v.RoomIDIsCreateHash {
			auth = append(auth, createID(r.loaded[id].RoomID))
		}
	}
	if err := r.loadAll(auth); err != nil {
		return nil, err
	}
	levels := make(map[matrix.EventID]int64, len(ids))
	for _, id := range ids {
		e := r.loaded[id]
		create := r.cited(e, event.TypeCreate)
		if r.v.RoomIDIsCreateHash {
			create = r.loaded[createID(e.RoomID)]
		}
		levels[id] = authrules.UserLevel(e.Sender, create, r.cited(e, event.TypePowerLevels))
	}
	return levels, nil
}

// cited returns the event of a type and an empty state key that e cites; its auth_events have been read.
func (r *resolver) cited(e *event.Event, typ string) *event.Event {
	for _, id := range e.AuthEvents {
		if a := r.loaded[id]; a != nil && a.Type == typ && a.StateKey != nil && *a.StateKey == "" {
			return a
		}
	}
	return nil
}

// byPosition sorts events by mainline position, the greatest first, then by time and id.
func byPosition(events []*event.Event, position map[matrix.EventID]int) {
	slices.SortFunc(events, func(a, b *event.Event) int {
		return cmp.Or(cmp.Compare(position[b.ID], position[a.ID]), compareTime(a, b))
	})
}
