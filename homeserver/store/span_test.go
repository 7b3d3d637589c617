package store

import (
	"testing"
)

// A span is the same whatever is in memory, and what is read for it does not drive out what is there.
func TestSpan(t *testing.T) {
	g := newGate()
	s := open(t, g)
	var all []*Event
	for o := Order(-3); o <= 100; o++ {
		if o == 50 {
			continue // absent
		}
		e := message(t, 5, o)
		if o%10 == 0 {
			e.Aggregate = &Aggregate{Thread: int64(o) + 30}
		}
		all = append(all, e)
	}
	put(t, s, all...)
	put(t, s, message(t, 6, 1), message(t, 4, 7))
	few := open(t, g)
	for _, o := range []Order{-3, 7, 8, 60, 100} { // so that only some must be read
		if _, err := few.EventsAt(t.Context(), 5, o); err != nil {
			t.Fatal(err)
		}
	}
	for name, s := range map[string]*Store{"in memory": s, "not in memory": open(t, g), "some in memory": few} {
		for _, c := range []struct{ first, last, from, to int }{
			{-3, 100, 0, 103}, {-3, 49, 0, 53}, {48, 52, 51, 55}, {50, 50, 53, 53}, {100, 130, 102, 103}, {101, 130, 0, 0}, {5, 4, 0, 0}, {40, 70, 43, 73},
		} {
			before := s.events.order.Len()
			got, err := s.Span(t.Context(), 5, Order(c.first), Order(c.last))
			must(t, err)
			want := all[c.from:c.to]
			if len(got) != len(want) {
				t.Fatalf("%s: %d to %d: %d events, want %d", name, c.first, c.last, len(got), len(want))
			}
			for i := range got {
				wantEvent(t, got[i], want[i])
			}
			if more := s.events.order.Len() - before; more > fewMissing {
				t.Errorf("%s: %d to %d: %d events are kept in memory", name, c.first, c.last, more)
			}
		}
	}
}
