package stateres

import (
	"math"

	"hearth/matrix"
	"hearth/matrix/event"
)

// offMainline is the position of an event that no event of the mainline supports.
const offMainline = math.MaxInt

// mainline is the list of power levels events that led to the current one, read as far as positions need it.
// spec: rooms/v12#definitions
type mainline struct {
	r         *resolver
	next      matrix.EventID // the next one to be read, "" at the end
	read      int
	positions map[matrix.EventID]int // of power levels events: of the mainline, and of those that lead to it
}

// mainlineList returns the events of a set in the mainline ordering that the partial state's power levels give.
func (p *partial) mainlineList(ids []matrix.EventID) ([]*event.Event, error) {
	top, err := p.at(event.Key{Type: event.TypePowerLevels})
	if err != nil {
		return nil, err
	}
	m := &mainline{r: p.r, next: top, positions: map[matrix.EventID]int{}}
	events := make([]*event.Event, len(ids))
	position := make(map[matrix.EventID]int, len(ids))
	for i, id := range ids {
		events[i] = p.r.loaded[id]
		if position[id], err = m.position(events[i]); err != nil {
			return nil, err
		}
	}
	byPosition(events, position)
	return events, nil
}

// position returns the mainline position of e. Its own chain of power levels and the mainline are read step by
// step, until one of them meets what has been read of the other.
func (m *mainline) position(e *event.Event) (int, error) {
	if m.read == 0 && m.next == "" {
		return offMainline, nil // there is no mainline
	}
	id, err := m.r.powerOf(e)
	if err != nil {
		return 0, err
	}
	var chain []matrix.EventID
	index := map[matrix.EventID]int{}
	for id != "" || len(chain) > 0 && m.next != "" {
		if p, ok := m.positions[id]; ok {
			return m.remember(chain, p), nil
		}
		if _, circle := index[id]; circle {
			id = ""
		}
		if id != "" {
			index[id] = len(chain)
			chain = append(chain, id)
			if id, err = m.r.powerBelow(id); err != nil {
				return 0, err
			}
		}
		met, err := m.extend()
		if err != nil {
			return 0, err
		}
		if i, ok := index[met]; ok {
			return m.remember(chain[:i], m.positions[met]), nil
		}
	}
	return m.remember(chain, offMainline), nil
}

// remember notes the position of power levels events that are not of the mainline, and returns it.
func (m *mainline) remember(chain []matrix.EventID, position int) int {
	for _, id := range chain {
		m.positions[id] = position
	}
	return position
}

// extend reads one more event of the mainline and returns its id, "" at the end.
func (m *mainline) extend() (matrix.EventID, error) {
	id := m.next
	if id == "" {
		return "", nil
	}
	next, err := m.r.powerBelow(id)
	if err != nil {
		return "", err
	}
	m.positions[id] = m.read
	m.read++
	if _, ok := m.positions[next]; ok {
		next = "" // a circle
	}
	m.next = next
	return id, nil
}

// powerBelow returns the id of the power levels event that a power levels event cites.
func (r *resolver) powerBelow(id matrix.EventID) (matrix.EventID, error) {
	e, err := r.get(id)
	if err != nil {
		return "", err
	}
	return r.powerOf(e)
}

// powerOf returns the id of the power levels event that e cites, "" if none.
func (r *resolver) powerOf(e *event.Event) (matrix.EventID, error) {
	if err := r.load(e.AuthEvents...); err != nil {
		return "", err
	}
	if power := r.cited(e, event.TypePowerLevels); power != nil {
		return power.ID, nil
	}
	return "", nil
}
