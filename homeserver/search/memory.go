package search

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
)

// posting is an entry of a term that is known.
type posting struct {
	spot
	level level
}

// memory is the part of the index that is not written yet.
type memory struct {
	mu      sync.Mutex // guards the fields below
	terms   map[string]*places
	events  map[spot][]*places // of each event's words
	entries int
}

// places are where a term occurs.
type places struct {
	term string
	list []posting
}

func (m *memory) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.terms, m.events, m.entries = make(map[string]*places), make(map[spot][]*places), 0
}

// add adds an event's words to those that it may have already.
func (m *memory) add(s spot, all []grade) {
	m.mu.Lock()
	defer m.mu.Unlock()
	of := m.events[s]
	known := len(of) > 0
	for _, g := range all {
		p := m.terms[g.term]
		if p == nil {
			p = &places{term: strings.Clone(g.term)} // of its own, and not a part of a long text
			m.terms[p.term] = p
		}
		if known && p.raise(s, g.level) {
			continue
		}
		p.list = append(p.list, posting{s, g.level})
		of = append(of, p)
		m.entries++
	}
	m.events[s] = of
}

// raise gives a spot that is in the list already a level if that is higher.
func (p *places) raise(s spot, l level) bool {
	at := slices.IndexFunc(p.list, func(q posting) bool { return q.spot == s })
	if at >= 0 {
		p.list[at].level = max(p.list[at].level, l)
	}
	return at >= 0
}

// forget removes an event's words.
func (m *memory) forget(s spot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.events[s] {
		p.list = slices.DeleteFunc(p.list, func(q posting) bool { return q.spot == s })
		if len(p.list) == 0 {
			delete(m.terms, p.term)
		}
		m.entries--
	}
	delete(m.events, s)
}

func (m *memory) size() (events, entries int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.events), m.entries
}

// sorted returns all entries in order.
func (m *memory) sorted() []entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]entry, 0, m.entries)
	for _, term := range slices.Sorted(maps.Keys(m.terms)) {
		for _, p := range inOrder(m.terms[term].list) {
			out = append(out, entry{term, p.spot, p.level})
		}
	}
	return out
}

// list returns where a term occurs, in order.
func (m *memory) list(t term) []posting {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !t.prefix {
		if p := m.terms[t.text]; p != nil {
			return inOrder(slices.Clone(p.list))
		}
		return nil
	}
	var out []posting
	for text, p := range m.terms {
		if strings.HasPrefix(text, t.text) {
			out = append(out, p.list...)
		}
	}
	return inOrder(out)
}

// inOrder sorts postings and leaves the best of each spot.
func inOrder(list []posting) []posting {
	slices.SortFunc(list, func(a, b posting) int { return cmp.Or(a.compare(b.spot), -cmp.Compare(a.level, b.level)) })
	return slices.CompactFunc(list, func(a, b posting) bool { return a.spot == b.spot })
}
