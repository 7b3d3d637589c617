package store

import (
	"testing"

	"hearth/storage/blob"
)

// furnish puts events of a room, of which every fourth has an aggregate, in orders from -10 on.
func furnish(t *testing.T, s *Store, room RoomNum, n int) {
	t.Helper()
	var events []*Event
	for i := range n {
		e := message(t, room, Order(i-10))
		if i%4 == 0 {
			e.Aggregate = &Aggregate{References: 1}
		}
		events = append(events, e)
		if len(events) == 200 || i == n-1 {
			put(t, s, events...)
			events = nil
		}
	}
	_, err := s.Apply(t.Context(), func(tx *Tx) {
		for i := range Order(n - 10) {
			tx.PutRelation(room, Relation{Parent: i, Child: i + 1, RelType: "m.reference", Type: "m.x"})
		}
		tx.MoveThread(room, 1, 0, 5)
		tx.JoinThread(room, "@a:x", 1)
	})
	must(t, err)
}

// rows counts the rows of a room, and of the ids of its events.
func rows(t *testing.T, s *Store, room RoomNum) map[string]int {
	t.Helper()
	counts := make(map[string]int)
	for _, table := range []string{tableEvents, tableRelations, tableThreads, tableParticipants, tableIDs} {
		for row, err := range s.Scan(t.Context(), blob.Range{Table: table}) {
			must(t, err)
			place := row.Key
			if table == tableIDs {
				place = row.Value
			}
			if string(place[:8]) == string(key8(uint64(room))) {
				counts[table]++
			}
		}
	}
	return counts
}

// Many pages of events go, those that are wanted stay whole, and other rooms are not touched.
func TestPurgeEvents(t *testing.T) {
	g := newGate()
	s := open(t, g)
	const n = 3*purgePage + 7
	for room := range RoomNum(3) {
		furnish(t, s, room+7, n)
	}
	other := rows(t, s, 7)
	before := len(g.applied())
	keep := func(e *Event) bool { return e.Order == -10 || e.Order == 490 || e.Order > n-20 } // the first and others, one at a page's end
	must(t, s.PurgeEvents(t.Context(), 8, keep))
	for _, b := range g.applied()[before:] {
		if len(b.Rows) > 2*purgePage+1 {
			t.Errorf("a change has %d rows", len(b.Rows))
		}
	}
	if got := rows(t, s, 8); got[tableIDs] != 11 || got[tableRelations]+got[tableThreads]+got[tableParticipants] > 0 {
		t.Errorf("%v are left", got)
	}
	for _, o := range []Order{-10, 490, n - 11} {
		events, err := s.EventsAt(t.Context(), 8, o)
		must(t, err)
		if events[0] == nil {
			t.Errorf("event %d is gone", o)
		}
	}
	if events, err := s.EventsAt(t.Context(), 8, 3, 489, 491); err != nil || events[0] != nil || events[1] != nil || events[2] != nil {
		t.Errorf("what was purged is found: %v, %v", events, err)
	}
	for _, room := range []RoomNum{7, 9} {
		if got := rows(t, s, room); got[tableEvents] != other[tableEvents] || got[tableIDs] != n || got[tableRelations] != other[tableRelations] {
			t.Errorf("of room %d, %v are left of %v", room, got, other)
		}
	}
	must(t, s.PurgeEvents(t.Context(), 8, func(*Event) bool { return false }))
	if got := rows(t, s, 8); len(got) != 0 {
		t.Errorf("%v are left", got)
	}
}
