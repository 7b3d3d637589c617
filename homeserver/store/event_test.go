package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/storage/blob"
)

// Events are found by id, by place and in the timeline, from memory and from the disk.
func TestEvents(t *testing.T) {
	g := newGate()
	s := open(t, g)
	var all []*Event
	for o := Order(-3); o <= 20; o++ {
		all = append(all, message(t, 5, o))
	}
	put(t, s, all...)
	put(t, s, message(t, 6, 1))
	for _, s := range []*Store{s, open(t, g), open(t, g, Options{EventCache: 1})} {
		ids := []matrix.EventID{all[3].ID, "$unknown", all[0].ID, "", matrix.EventID("$" + strings.Repeat("x", 2000))}
		got, err := s.EventsByID(t.Context(), ids...)
		must(t, err)
		wantEvent(t, got[0], all[3])
		wantEvent(t, got[2], all[0])
		if got[1] != nil || got[3] != nil || got[4] != nil {
			t.Errorf("found %v", got)
		}
		for _, id := range ids[3:] {
			if e, err := s.EventByID(t.Context(), id); e != nil || err != nil {
				t.Errorf("found %v, %v", e, err)
			}
		}
		if got, err = s.EventsAt(t.Context(), 5, 4, 100, -3); err != nil || got[1] != nil {
			t.Errorf("found %v, %v", got, err)
		}
		wantEvent(t, got[0], all[7])
		wantEvent(t, got[2], all[0])
		wantTimeline(t, s, 5, MinOrder, MaxOrder, all)
		wantTimeline(t, s, 5, -1, 3, all[2:6])
		wantTimeline(t, s, 5, 0, 0, nil)
		wantTimeline(t, s, 7, MinOrder, MaxOrder, nil)
		for _, room := range []RoomNum{5, 6, 7} {
			want := map[RoomNum]Order{5: 20, 6: 1}[room]
			for range 2 {
				if o, err := s.Newest(t.Context(), room); err != nil || o != want {
					t.Errorf("the newest of room %d is %d, %v", room, o, err)
				}
			}
		}
	}
}

func wantTimeline(t *testing.T, s *Store, room RoomNum, from, to Order, want []*Event) {
	t.Helper()
	for _, reverse := range []bool{false, true} {
		var got []*Event
		for e, err := range s.Timeline(t.Context(), room, from, to, reverse) {
			must(t, err)
			got = append(got, e)
		}
		if reverse {
			slices.Reverse(got)
		}
		if len(got) != len(want) {
			t.Fatalf("timeline of %d events, want %d", len(got), len(want))
		}
		for i := range got {
			wantEvent(t, got[i], want[i])
		}
	}
}

func TestOrderAfter(t *testing.T) {
	s := open(t, newGate())
	if o, err := s.OrderAfter(t.Context(), 5, 10); err != nil || o != 1 {
		t.Errorf("in an empty room: %d, %v", o, err)
	}
	var positions []Pos
	for o := Order(1); o <= 40; o++ {
		if o%3 == 0 {
			note(t, s, "between")
		}
		put(t, s, message(t, 5, o))
		positions = append(positions, s.Durable())
	}
	put(t, s, message(t, 5, -1)) // fetched later
	for pos := Pos(0); pos <= s.Durable()+1; pos++ {
		want := Order(1)
		for _, p := range positions {
			if p <= pos {
				want++
			}
		}
		if o, err := s.OrderAfter(t.Context(), 5, pos); err != nil || o != want {
			t.Errorf("after %d: %d, %v; want %d", pos, o, err, want)
		}
	}
}

// What changed is read as it is, also when old copies are read at the same time.
func TestChangedEvents(t *testing.T) {
	g := newGate()
	s := open(t, g)
	e := message(t, 1, 1)
	put(t, s, e)
	for i := range 20 {
		changed := *e
		changed.Aggregate = &Aggregate{References: int64(i)}
		stop := make(chan struct{})
		read := make(chan struct{})
		go func() {
			defer close(read)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.EventByID(t.Context(), e.ID); err != nil {
					t.Error(err)
				}
				s.events.mu.Lock()
				delete(s.events.items, eventKey{1, 1})
				s.events.mu.Unlock()
			}
		}()
		_, err := s.Apply(t.Context(), func(tx *Tx) { tx.PutAggregate(&changed) })
		must(t, err)
		close(stop)
		<-read
		got, err := s.EventByID(t.Context(), e.ID)
		must(t, err)
		if got.Aggregate == nil || got.Aggregate.References != int64(i) {
			t.Fatalf("read %+v, want %d", got.Aggregate, i)
		}
	}
	redacted, err := e.Redacted()
	must(t, err)
	changed := *e
	changed.Event, changed.RedactedBy = redacted, 2
	_, err = s.Apply(t.Context(), func(tx *Tx) { tx.ReplaceEvent(&changed) })
	must(t, err)
	got, err := open(t, g).EventByID(t.Context(), e.ID)
	must(t, err)
	changed.Aggregate = &Aggregate{References: 19}
	wantEvent(t, got, &changed)
}

// The cache of events stays within its bound, and holds nothing of the pages that events were read in.
func TestEventCacheIsBounded(t *testing.T) {
	g := newGate()
	s := open(t, g, Options{EventCache: 20 << 10})
	r := rand.New(rand.NewPCG(1, 2))
	var all []*Event
	for o := Order(1); o <= 200; o++ {
		all = append(all, testEvent(t, 1, o, "m.room.message", nil, strings.Repeat("x", r.IntN(3000))))
	}
	put(t, s, all...)
	for range 3 {
		wantTimeline(t, s, 1, MinOrder, MaxOrder, all)
		if s.events.used > 20<<10 {
			t.Errorf("%d bytes", s.events.used)
		}
		for _, e := range s.events.items {
			if e := e.Value.(*lruItem[eventKey, *Event]).value; cap(e.JSON) > 2*len(e.JSON)+300 {
				t.Errorf("an event of %d bytes holds %d", len(e.JSON), cap(e.JSON))
			}
		}
	}
}

func TestRelations(t *testing.T) {
	s := open(t, newGate())
	relations := []Relation{
		{5, 6, "m.annotation", "m.reaction"}, {5, 7, "m.replace", "m.room.message"}, {5, 9, "m.thread", ""}, {5, 12, "", "x"}, {8, 10, "r", "t"},
	}
	_, err := s.Apply(t.Context(), func(tx *Tx) {
		for _, r := range relations {
			tx.PutRelation(3, r)
			tx.PutRelation(4, Relation{r.Parent, r.Child + 1, "other", "room"})
		}
		tx.PutRelation(3, Relation{5, 8, "gone", ""})
		tx.DeleteRelation(3, 5, 8)
	})
	must(t, err)
	read := func(parent, from, to Order, reverse bool) (out []Relation) {
		for r, err := range s.Relations(t.Context(), 3, parent, from, to, reverse) {
			must(t, err)
			out = append(out, r)
		}
		return out
	}
	for _, c := range []struct {
		parent, from, to Order
		want             []Relation
	}{
		{5, MinOrder, MaxOrder, relations[:4]}, {5, 7, 12, relations[1:3]}, {8, MinOrder, MaxOrder, relations[4:]}, {6, MinOrder, MaxOrder, nil},
	} {
		if got := read(c.parent, c.from, c.to, false); !slices.Equal(got, c.want) {
			t.Errorf("children of %d: %v, want %v", c.parent, got, c.want)
		}
		got := read(c.parent, c.from, c.to, true)
		slices.Reverse(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("children of %d, backward: %v, want %v", c.parent, got, c.want)
		}
	}
}

func TestRooms(t *testing.T) {
	g := newGate()
	s := open(t, g)
	var rooms []*Room
	_, err := s.Apply(t.Context(), func(tx *Tx) {
		for i := range 30 {
			r := &Room{Num: RoomNum(i + 1), ID: matrix.RoomID(fmt.Sprintf("!%d:x", i)), Version: version(t, "11"), State: blob.Sum([]byte{byte(i)})}
			rooms = append(rooms, r)
			tx.PutNewRoom(r)
		}
	})
	must(t, err)
	changed := *rooms[4]
	changed.Joined = 7
	_, err = s.Apply(t.Context(), func(tx *Tx) { tx.PutRoom(&changed) })
	must(t, err)
	rooms[4] = &changed
	for _, s := range []*Store{s, open(t, g)} {
		for _, want := range rooms {
			got, err := s.RoomByID(t.Context(), want.ID)
			if err != nil || got == nil || got.Num != want.Num || got.Joined != want.Joined || got.State != want.State {
				t.Errorf("room %s is %+v, %v", want.ID, got, err)
			}
		}
		for _, id := range []matrix.RoomID{"!none:x", "", matrix.RoomID(strings.Repeat("x", 5000))} {
			if r, err := s.RoomByID(t.Context(), id); r != nil || err != nil {
				t.Errorf("room %q is %v, %v", id, r, err)
			}
		}
		got, err := s.RoomsByNum(t.Context(), 5, 99, 1)
		if err != nil || got[0].Joined != 7 || got[1] != nil || got[2].Num != 1 {
			t.Errorf("rooms %v, %v", got, err)
		}
		n := RoomNum(10)
		for r, err := range s.Rooms(t.Context(), n) {
			must(t, err)
			if n++; r.Num != n {
				t.Errorf("room %d, want %d", r.Num, n)
			}
		}
		if n != 30 {
			t.Errorf("the last room is %d", n)
		}
	}
}

func TestMemberships(t *testing.T) {
	s := open(t, newGate())
	want := []*Membership{{Room: 1, Membership: "join"}, {Room: 2, Membership: "leave", Previous: "join", Ended: 3, Left: blob.Sum(nil)}, {Room: 300, Membership: "invite"}}
	_, err := s.Apply(t.Context(), func(tx *Tx) {
		for _, m := range want {
			tx.PutMembership("@a:x", m)
		}
		tx.PutMembership("@a:xy", &Membership{Room: 1, Membership: "ban"})
		tx.PutMembership("@:x", &Membership{Room: 1, Membership: "ban"})
	})
	must(t, err)
	var got []*Membership
	for m, err := range s.Memberships(t.Context(), "@a:x") {
		must(t, err)
		got = append(got, m)
	}
	if !slices.EqualFunc(got, want, func(a, b *Membership) bool { return *a == *b }) {
		t.Errorf("memberships %v", got)
	}
	if m, err := s.Membership(t.Context(), "@a:x", 2); err != nil || *m != *want[1] {
		t.Errorf("membership %+v, %v", m, err)
	}
	if m, err := s.Membership(t.Context(), "@b:x", 2); err != nil || m != nil {
		t.Errorf("membership %+v, %v", m, err)
	}
}
