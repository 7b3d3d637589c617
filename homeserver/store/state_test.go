package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

func entry(typ, key string, o Order) StateEntry {
	return StateEntry{event.Key{Type: typ, StateKey: key}, o, matrix.EventID(fmt.Sprintf("$%d", o))}
}

// State is a map: whatever was set last, read by key, in whole, of one type, and as a difference, is a plain map's.
func TestStateAgainstAMap(t *testing.T) {
	g := newGate()
	s := open(t, g)
	r := rand.New(rand.NewPCG(3, 4))
	plain := map[event.Key]StateEntry{}
	type version struct {
		root  blob.Hash
		state map[event.Key]StateEntry
	}
	versions := []version{{}}
	root := blob.Hash{}
	for o := Order(1); o <= 300; {
		d := s.Draft()
		for range 1 + r.IntN(4) {
			e := entry(fmt.Sprint("t", r.IntN(5)), fmt.Sprint("@", r.IntN(60), ":x"), o)
			var err error
			root, err = d.Set(t.Context(), root, e)
			must(t, err)
			plain[e.Key] = e
			o++
		}
		ticket, err := s.Append(t.Context(), func(tx *Tx) { tx.PutDraft(d) })
		must(t, err)
		wantState(t, s, root, plain) // it can be read before it is durable
		if r.IntN(3) == 0 {
			must(t, ticket.Wait(t.Context()))
		}
		versions = append(versions, version{root, maps.Clone(plain)})
	}
	must(t, s.Settle(t.Context()))
	if !s.pending.empty() {
		t.Errorf("%d nodes are left", len(s.pending.nodes))
	}
	s = open(t, g)
	for range 40 {
		a, b := versions[r.IntN(len(versions))], versions[r.IntN(len(versions))]
		wantState(t, s, a.root, a.state)
		for c, err := range s.DiffState(t.Context(), a.root, b.root) {
			must(t, err)
			k := c.A.Key
			if c.A.ID != a.state[k].ID || c.B.ID != b.state[k].ID || c.A.ID == c.B.ID || c.B.Key != k {
				t.Errorf("difference %+v", c)
			}
		}
		n := 0
		for range s.DiffState(t.Context(), a.root, b.root) {
			n++
		}
		for k := range b.state {
			if a.state[k] != b.state[k] {
				n--
			}
		}
		for k := range a.state {
			if _, ok := b.state[k]; !ok {
				n--
			}
		}
		if n != 0 {
			t.Errorf("%d differences too many", n)
		}
	}
}

func wantState(t *testing.T, s *Store, root blob.Hash, want map[event.Key]StateEntry) {
	t.Helper()
	keys := slices.Collect(maps.Keys(want))
	keys = append(keys, event.Key{Type: "none"}, event.Key{Type: "t1", StateKey: "none"})
	got, err := s.State(t.Context(), root, keys...)
	must(t, err)
	for i, k := range keys {
		if e := want[k]; got[i].ID != e.ID || got[i].Order != e.Order || got[i].Key != k {
			t.Fatalf("state of %v is %+v, want %+v", k, got[i], e)
		}
	}
	n := 0
	for e, err := range s.ScanState(t.Context(), root, nil) {
		must(t, err)
		if n++; want[e.Key] != e {
			t.Fatalf("scanned %+v, want %+v", e, want[e.Key])
		}
	}
	if n != len(want) {
		t.Fatalf("scanned %d entries, want %d", n, len(want))
	}
	typ := "t1"
	for e, err := range s.ScanState(t.Context(), root, &typ) {
		must(t, err)
		if e.Key.Type != typ {
			t.Fatalf("scanned %+v", e)
		}
		n--
	}
	for k := range want {
		if k.Type == typ {
			n++
		}
	}
	if n != len(want) {
		t.Fatalf("scanning one type missed %d", len(want)-n)
	}
}

// A type is not a prefix of another, nor of its own state keys.
func TestStateKeysDoNotMix(t *testing.T) {
	s := open(t, newGate())
	entries := []StateEntry{entry("a", "bc", 1), entry("ab", "c", 2), entry("abc", "", 3), entry("", "abc", 4), entry("a", "", 5), entry("a", "b\x00c", 6)}
	d := s.Draft()
	root, err := d.Set(t.Context(), blob.Hash{}, entries...)
	must(t, err)
	_, err = s.Apply(t.Context(), func(tx *Tx) { tx.PutDraft(d) })
	must(t, err)
	for _, want := range entries {
		got, err := s.State(t.Context(), root, want.Key)
		if err != nil || got[0] != want {
			t.Errorf("state of %q is %+v, %v", want.Key, got[0], err)
		}
	}
	for typ, want := range map[string]int{"a": 3, "ab": 1, "abc": 1, "": 1, "abcd": 0} {
		n := 0
		for range s.ScanState(t.Context(), root, &typ) {
			n++
		}
		if n != want {
			t.Errorf("%d entries of type %q, want %d", n, typ, want)
		}
	}
}

// Two drafts may hold the same node: it can be read until both are durable, or one of them has failed.
func TestPendingNodes(t *testing.T) {
	g := newGate()
	s := open(t, g)
	release := g.hold()
	queue(t, s, "first", "")
	<-g.waiting
	var tickets []*Ticket
	var root blob.Hash
	for range 2 {
		d := s.Draft()
		var err error
		root, err = d.Set(t.Context(), blob.Hash{}, entry("t", "k", 1))
		must(t, err)
		ticket, err := s.Append(t.Context(), func(tx *Tx) { tx.PutDraft(d) })
		must(t, err)
		tickets = append(tickets, ticket)
	}
	if n := s.pending.nodes[root]; n == nil || n.uses != 2 {
		t.Errorf("node %+v", n)
	}
	want := map[event.Key]StateEntry{{Type: "t", StateKey: "k"}: entry("t", "k", 1)}
	wantState(t, s, root, want)
	release()
	for _, ticket := range tickets {
		must(t, ticket.Wait(t.Context()))
	}
	wantState(t, s, root, want)
	if !s.pending.empty() {
		t.Error("nodes are left")
	}
}

func TestStateEvents(t *testing.T) {
	s := open(t, newGate())
	empty := ""
	name := testEvent(t, 1, 4, "m.room.name", &empty, "n")
	d := s.Draft()
	k := event.Key{Type: "m.room.name"}
	root, err := d.Set(t.Context(), blob.Hash{}, StateEntry{k, 4, name.ID}, StateEntry{event.Key{Type: "lost"}, 9, "$lost"})
	must(t, err)
	_, err = s.Apply(t.Context(), func(tx *Tx) {
		tx.PutDraft(d)
		tx.PutEvent(name)
	})
	must(t, err)
	got, err := s.StateEvents(t.Context(), 1, root, k, event.Key{Type: "none"})
	must(t, err)
	wantEvent(t, got[0], name)
	if got[1] != nil {
		t.Errorf("found %v", got[1])
	}
	if got, err = s.Ahead().StateEvents(t.Context(), 1, root, k); err != nil || got[0] == nil {
		t.Errorf("writers see %v, %v", got, err)
	}
	if _, err := s.StateEvents(t.Context(), 1, root, event.Key{Type: "lost"}); err == nil {
		t.Error("a missing state event is no error")
	}
}
