package stateres

import (
	"fmt"
	"slices"

	"hearth/matrix"
	"hearth/matrix/authrules"
	"hearth/matrix/event"
)

// maxStates is the number of bits in a set of states.
const maxStates = 64

// conflict is a key where the states do not agree.
type conflict struct {
	ids    []matrix.EventID // distinct, sorted, without ""
	states []uint64         // for each of ids, which states have it
}

// resolver is one resolution. It reads each event once.
type resolver struct {
	v         *matrix.RoomVersion
	states    States
	source    Events
	conflicts map[event.Key]conflict
	loaded    map[matrix.EventID]*event.Event
	commons   map[event.Key]matrix.EventID // what Common answered, "" if nothing
	rejects   map[matrix.EventID]bool      // what Rejected answered
	checker   authrules.Checker
	touched   int
	turn      int // what the two walks of complete may cost in their first turn
}

func newResolver(v *matrix.RoomVersion, s States, ev Events) *resolver {
	return &resolver{
		v: v, states: s, source: ev, turn: firstTurn,
		conflicts: map[event.Key]conflict{},
		loaded:    map[matrix.EventID]*event.Event{},
		commons:   map[event.Key]matrix.EventID{},
		rejects:   map[matrix.EventID]bool{},
	}
}

func (r *resolver) resolve() (map[event.Key]matrix.EventID, error) {
	if err := r.readConflicts(); err != nil {
		return nil, fmt.Errorf("resolving state: %w", err)
	}
	if len(r.conflicts) == 0 {
		return map[event.Key]matrix.EventID{}, nil
	}
	algorithm := r.version2
	if r.v.StateRes == matrix.StateRes1 {
		algorithm = r.version1
	}
	result, err := algorithm()
	if err != nil {
		return nil, fmt.Errorf("resolving %d keys of state: %w", len(r.conflicts), err)
	}
	return result, nil
}

func (r *resolver) readConflicts() error {
	n := r.states.N()
	if n > maxStates {
		return fmt.Errorf("%d states, of at most %d", n, maxStates)
	}
	var failed error
	err := r.states.Conflicts(func(k event.Key, ids []matrix.EventID) bool {
		r.conflicts[k] = newConflict(ids)
		failed = r.touch(len(ids))
		return failed == nil
	})
	if err != nil {
		return err
	}
	return failed
}

func newConflict(ids []matrix.EventID) conflict {
	distinct := slices.Clone(ids)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	if len(distinct) > 0 && distinct[0] == "" {
		distinct = distinct[1:]
	}
	c := conflict{ids: distinct, states: make([]uint64, len(distinct))}
	for state, id := range ids {
		if i, ok := slices.BinarySearch(distinct, id); ok {
			c.states[i] |= 1 << state
		}
	}
	return c
}

// touch counts n events or citations.
func (r *resolver) touch(n int) error {
	if r.touched += n; r.touched > Limit {
		return ErrLimit
	}
	return nil
}

// load reads those events that have not been read.
func (r *resolver) load(ids ...matrix.EventID) error {
	var missing []matrix.EventID
	for _, id := range ids {
		if r.loaded[id] == nil && !slices.Contains(missing, id) {
			missing = append(missing, id)
		}
	}
	return r.fetch(missing)
}

// loadAll is load for many ids, which may repeat.
func (r *resolver) loadAll(ids []matrix.EventID) error {
	missing := make([]matrix.EventID, 0, len(ids))
	asked := make(map[matrix.EventID]bool, len(ids))
	for _, id := range ids {
		if r.loaded[id] == nil && !asked[id] {
			asked[id] = true
			missing = append(missing, id)
		}
	}
	return r.fetch(missing)
}

func (r *resolver) fetch(missing []matrix.EventID) error {
	if len(missing) == 0 {
		return nil
	}
	if err := r.touch(len(missing)); err != nil {
		return err
	}
	events, err := r.source.Events(missing...)
	if err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	for i, id := range missing {
		if i >= len(events) || events[i] == nil {
			return &UnknownError{ID: id}
		}
		r.loaded[id] = events[i]
	}
	return nil
}

// get returns one event.
func (r *resolver) get(id matrix.EventID) (*event.Event, error) {
	if e := r.loaded[id]; e != nil {
		return e, nil
	}
	err := r.load(id)
	return r.loaded[id], err
}

// common returns the event id at k in the unconflicted state map, "" if there is none.
func (r *resolver) common(k event.Key) (matrix.EventID, error) {
	if _, ok := r.conflicts[k]; ok {
		return "", nil
	}
	if id, ok := r.commons[k]; ok {
		return id, nil
	}
	id, ok, err := r.states.Common(k)
	if err != nil {
		return "", fmt.Errorf("reading state: %w", err)
	}
	if !ok {
		id = ""
	}
	r.commons[k] = id
	return id, nil
}

func (r *resolver) rejected(id matrix.EventID) (bool, error) {
	if rejected, ok := r.rejects[id]; ok {
		return rejected, nil
	}
	rejected, err := r.source.Rejected(id)
	if err != nil {
		return false, fmt.Errorf("reading whether an event was rejected: %w", err)
	}
	r.rejects[id] = rejected
	return rejected, nil
}
