package search

import (
	"cmp"
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
	terms   map[string][]posting
	events  map[spot][]string // the terms of each event
	entries int
}

func (m *memory) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.terms, m.events, m.entries = make(map[string][]posting), make(map[spot][]string), 0
}

// add adds an event's words to those that it may have already.
func (m *memory) add(s spot, all map[string]level) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for term, l := range all {
		list := m.terms[term]
		if at := slices.IndexFunc(list, func(p posting) bool { return p.spot == s }); at >= 0 {
			list[at].level = max(list[at].level, l)
			continue
		}
		m.terms[term] = append(list, posting{s, l})
		m.events[s] = append(m.events[s], term)
		m.entries++
	}
}

// forget removes an event's words.
func (m *memory) forget(s spot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, term := range m.events[s] {
		list := slices.DeleteFunc(m.terms[term], func(p posting) bool { return p.spot == s })
		if m.terms[term] = list; len(list) == 0 {
			delete(m.terms, term)
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
	for term, list := range m.terms {
		for _, p := range list {
			out = append(out, entry{term, p.spot, p.level})
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return a.compare(&b) })
	return out
}

// list returns where a term occurs, in order.
func (m *memory) list(t term) []posting {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !t.prefix {
		return inOrder(slices.Clone(m.terms[t.text]))
	}
	var out []posting
	for text, list := range m.terms {
		if strings.HasPrefix(text, t.text) {
			out = append(out, list...)
		}
	}
	return inOrder(out)
}

// inOrder sorts postings and leaves the best of each spot.
func inOrder(list []posting) []posting {
	slices.SortFunc(list, func(a, b posting) int { return cmp.Or(a.compare(b.spot), -cmp.Compare(a.level, b.level)) })
	return slices.CompactFunc(list, func(a, b posting) bool { return a.spot == b.spot })
}
