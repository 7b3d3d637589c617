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

// Who asks for the newest order and the newest events finds these in memory then, but never more than is on the disk.
func TestNewestWith(t *testing.T) {
	g := newGate()
	s := open(t, g)
	var all []*Event
	for o := Order(-2); o <= 30; o++ {
		e := message(t, 5, o)
		if o%2 == 0 {
			e.Aggregate = &Aggregate{References: int64(o) + 3}
		}
		all = append(all, e)
	}
	put(t, s, all...)
	put(t, s, message(t, 8, 0), message(t, 8, -1))                      // fetched, without any that came here
	for n, kept := range map[int]int{0: 0, 1: 0, 8: 6, 100: len(all)} { // every other event has two rows
		s := open(t, g)
		for range 2 { // the second time from memory
			o, err := s.NewestWith(t.Context(), 5, n)
			if must(t, err); o != 30 {
				t.Errorf("the newest is %d", o)
			}
		}
		if got := s.events.order.Len(); got != kept {
			t.Errorf("with %d, %d events are in memory, want %d", n, got, kept)
		}
		wantTimeline(t, s, 5, MinOrder, MaxOrder, all)
	}
	if o, err := open(t, g).NewestWith(t.Context(), 8, 10); o != 0 || err != nil {
		t.Errorf("the newest of old events is %d, %v", o, err)
	}
	if o, err := s.NewestWith(t.Context(), 7, 10); o != 0 || err != nil {
		t.Errorf("the newest of no room is %d, %v", o, err)
	}
}
