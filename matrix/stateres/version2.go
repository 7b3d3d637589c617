package stateres

import (
	"maps"
	"slices"

	"hearth/matrix"
	"hearth/matrix/event"
)

// version2 is the algorithm of room versions 2 to 11, and with StateRes21 that of version 12.
// spec: rooms/v12#algorithm
func (r *resolver) version2() (map[event.Key]matrix.EventID, error) {
	g, err := r.region()
	if err != nil {
		return nil, err
	}
	full := g.difference()
	for _, id := range g.conflicted {
		full[id] = true
	}
	if err := g.complete(); err != nil {
		return nil, err
	}
	if r.v.StateRes == matrix.StateRes21 {
		maps.Copy(full, g.subgraph())
	}
	power, err := g.powerList(full) // 1
	if err != nil {
		return nil, err
	}
	p := &partial{r: r, resolved: map[event.Key]matrix.EventID{}, onCommon: r.v.StateRes != matrix.StateRes21}
	if err := p.apply(power); err != nil { // 2
		return nil, err
	}
	for _, e := range power {
		delete(full, e.ID)
	}
	rest, err := p.mainlineList(slices.Collect(maps.Keys(full))) // 3
	if err != nil {
		return nil, err
	}
	if err := p.apply(rest); err != nil { // 4
		return nil, err
	}
	return p.result() // 5
}

// partial is a partially resolved state.
type partial struct {
	r        *resolver
	resolved map[event.Key]matrix.EventID
	onCommon bool         // starts from the unconflicted state map, not from an empty one
	checking *event.Event // whose auth_events stand in for what the state lacks
}

// apply is the iterative auth checks algorithm.
// spec: rooms/v12#definitions
func (p *partial) apply(list []*event.Event) error {
	var ids []matrix.EventID
	for _, e := range list {
		ids = append(ids, e.AuthEvents...)
	}
	if err := p.r.loadAll(ids); err != nil {
		return err
	}
	for _, e := range list {
		k, ok := e.Key()
		if !ok {
			continue
		}
		p.checking = e
		allowed, err := p.r.allows(e, p)
		if err != nil {
			return err
		}
		if allowed {
			p.resolved[k] = e.ID
		}
	}
	return nil
}

// Event returns the event at k: as resolved, or common, or else cited by the event that is being checked.
func (p *partial) Event(k event.Key) (*event.Event, error) {
	id, err := p.at(k)
	if err != nil {
		return nil, err
	}
	if id != "" {
		return p.r.get(id)
	}
	if k.Type == event.TypeCreate && k.StateKey == "" && p.r.v.RoomIDIsCreateHash {
		return p.r.get(createID(p.checking.RoomID))
	}
	for _, id := range p.checking.AuthEvents {
		e := p.r.loaded[id]
		if own, ok := e.Key(); !ok || own != k {
			continue
		}
		if rejected, err := p.r.rejected(id); rejected || err != nil {
			return nil, err
		}
		return e, nil
	}
	return nil, nil
}

// at returns the event id at k in the partially resolved state, "" if there is none.
func (p *partial) at(k event.Key) (matrix.EventID, error) {
	if id, ok := p.resolved[k]; ok || !p.onCommon {
		return id, nil
	}
	return p.r.common(k)
}

// result returns the resolved state where it differs from the unconflicted state map, which overrides it.
func (p *partial) result() (map[event.Key]matrix.EventID, error) {
	result := make(map[event.Key]matrix.EventID, len(p.r.conflicts))
	for k := range p.r.conflicts {
		result[k] = p.resolved[k]
	}
	for k, id := range p.resolved {
		common, err := p.r.common(k)
		if err != nil {
			return nil, err
		}
		if common == "" {
			result[k] = id
		}
	}
	return result, nil
}

// createID returns the id of the create event of a room of version 12 or later.
func createID(room matrix.RoomID) matrix.EventID {
	if len(room) < 2 {
		return ""
	}
	return matrix.EventID("$" + room[1:])
}
