package stateres

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/event"
)

// graphOf makes events from edges such as "c>b b>a": c cites b, b cites a. Each event has a key of its own, so that
// those named in conflicted are held by only one of two states, and those in common by both.
func graphOf(t *testing.T, edges, conflicted, common string) (*world, []stateMap) {
	w := newWorld(t, "12")
	cites := map[string][]matrix.EventID{}
	names := strings.Fields(conflicted + " " + common)
	for edge := range strings.FieldsSeq(edges) {
		from, to, _ := strings.Cut(edge, ">")
		cites[from] = append(cites[from], matrix.EventID("$"+to))
		names = append(names, from, to)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		w.add(matrix.EventID("$"+name), "@a:x", "test", name, `{}`, cites[name]...)
	}
	states := []stateMap{{}, {}}
	for i, name := range strings.Fields(conflicted) {
		states[i%2][event.Key{Type: "test", StateKey: name}] = matrix.EventID("$" + name)
	}
	for name := range strings.FieldsSeq(common) {
		for _, s := range states {
			s[event.Key{Type: "test", StateKey: name}] = matrix.EventID("$" + name)
		}
	}
	return w, states
}

// ids sorts the names of a set.
func ids(set map[matrix.EventID]bool) string {
	var names []string
	for id := range set {
		names = append(names, string(id[1:]))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// history is a long chain below an event.
func history(below string) string {
	var edges strings.Builder
	for i := range 100 {
		name := fmt.Sprintf("%s%d", below[:1], i)
		edges.WriteString(" " + below + ">" + name)
		below = name
	}
	return edges.String()
}

// The events that the edges lead to are below: a is at the bottom. Capitals are conflicted.
var graphs = []struct {
	name, edges, conflicted, common string
	subgraph, difference            string
}{
	{"nothing between", "C>a E>a", "C E", "", "C E", ""},
	{"a path", "E>b b>C C>a", "C E", "", "C E b", "C b"},
	{"a path that ends below", "E>b b>a C>a", "C E", "", "C E", "b"},
	{"two paths", "E>b E>d b>C d>C", "C E", "", "C E b d", "C b d"},
	{"an event above is not in it", "x>E E>C", "C E", "x", "C E", ""},
	{"an event below is not in it", "E>C C>a a>b", "C E", "", "C E", "C"},
	{"through an unconflicted event", "E>u u>C C>a", "C E", "u", "C E u", "u"},
	{"through what an unconflicted event needs", "E>s s>C C>a u>s", "C E", "u", "C E s", ""},
	{"outdated state", "E>d d>b b>C C>a u>d", "C E", "u", "C E b d", ""},
	{"outdated state above a long history", "E>d d>b b>C C>a u>d" + history("a"), "C E", "u", "C E b d", ""},
	{"outdated state, and a side branch above", "E>d d>b b>C C>a u>d x>b y>x" + history("a"), "C E", "u", "C E b d", ""},
	{"three conflicted events in a row", "G>f f>E E>d d>C", "C E G", "", "C E G d f", "E f"},
	{"a single conflicted event", "E>b b>a", "E", "", "E", "a b"},
	{"both states need it", "E>b C>b b>a", "C E", "", "C E", ""},
	{"both need it through others", "E>b C>d b>a d>a", "C E", "", "C E", "b d"},
	{"an unconflicted event that one side needs", "E>u u>a", "C E", "u", "C E", "u"},
	{"an unconflicted event that both sides need", "E>u C>u u>a", "C E", "u", "C E", ""},
	{"an unconflicted event that another needs", "E>u u>a v>u", "C E", "u v", "C E", ""},
	{"what an unconflicted event needs in many steps", "E>b b>a u>v v>w w>b", "C E", "u", "C E", ""},
	{"a path down and one up", "E>b b>a C>a C>d", "C E", "", "C E", "b d"},
}

func TestConflictedStateSubgraphAndAuthDifference(t *testing.T) {
	for _, tt := range graphs {
		for _, turn := range []int{1, firstTurn} {
			w, states := graphOf(t, tt.edges, tt.conflicted, tt.common)
			r := newResolver(w.v, wholeStates{states: states}, w)
			r.turn = turn
			if err := r.readConflicts(); err != nil {
				t.Fatal(err)
			}
			g, err := r.region()
			if err != nil {
				t.Fatal(err)
			}
			if err := g.complete(); err != nil {
				t.Fatal(err)
			}
			if got := ids(g.subgraph()); got != tt.subgraph {
				t.Errorf("%s: the subgraph is %q, not %q", tt.name, got, tt.subgraph)
			}
			if got := ids(g.difference()); got != tt.difference {
				t.Errorf("%s: the auth difference is %q, not %q", tt.name, got, tt.difference)
			}
		}
	}
}

// The table above is what the reference has.
func TestReferenceAgreesWithTheTable(t *testing.T) {
	for _, tt := range graphs {
		w, states := graphOf(t, tt.edges, tt.conflicted, tt.common)
		ref := newReference(t, w, states)
		_, conflicted := ref.split()
		subgraph := ref.conflictedSubgraph(conflicted)
		maps.Copy(subgraph, conflicted)
		if got := ids(subgraph); got != tt.subgraph {
			t.Errorf("%s: the subgraph is %q, not %q", tt.name, got, tt.subgraph)
		}
		if got := ids(ref.authDifference()); got != tt.difference {
			t.Errorf("%s: the auth difference is %q, not %q", tt.name, got, tt.difference)
		}
	}
}

func TestMainlinePositions(t *testing.T) {
	// The mainline is p4 p3 p2 p1; q2 and q1 are another branch, r stands alone.
	w := newWorld(t, "2")
	for _, edge := range []string{"p1", "p2 p1", "p3 p2", "p4 p3", "q1 p1", "q2 q1", "r"} {
		names := strings.Fields(edge)
		var auth []matrix.EventID
		for _, name := range names[1:] {
			auth = append(auth, matrix.EventID("$"+name))
		}
		w.add(matrix.EventID("$"+names[0]), "@a:x", event.TypePowerLevels, "", `{}`, auth...)
	}
	wants := map[string]int{"p4": 0, "p3": 1, "p2": 2, "p1": 3, "q1": 3, "q2": 3, "r": offMainline, "": offMainline}
	for range 20 { // maps are iterated in every order
		p := &partial{
			r: newResolver(w.v, wholeStates{}, w), resolved: stateMap{powerLevels: "$p4"},
		}
		m := &mainline{r: p.r, next: "$p4", positions: map[matrix.EventID]int{}}
		for name, want := range wants {
			e := &event.Event{}
			if name != "" {
				e.AuthEvents = []matrix.EventID{matrix.EventID("$" + name)}
			}
			got, err := m.position(e)
			if err != nil || got != want {
				t.Fatalf("an event that cites %q is at %d, %v, not %d", name, got, err, want)
			}
		}
	}
}

// The reverse topological power ordering: greater power first, then time, then id, but never before what it cites,
// even if it is cited through an event that is not sorted.
func TestPowerOrdering(t *testing.T) {
	w := newWorld(t, "11")
	state := w.create("@creator:x")
	w.send(state, "$p", "@creator:x", event.TypePowerLevels, "", powerContent(w.v, `"@bob:x":50`))
	auth := []matrix.EventID{"$create", "$p"}
	at := func(id matrix.EventID, sender matrix.UserID, time int64, auth ...matrix.EventID) {
		w.add(id, sender, event.TypeJoinRules, "", `{}`, auth...)
		w.events[id].Time = time
	}
	at("$late", "@creator:x", 9, auth...)
	at("$early", "@creator:x", 1, auth...)
	at("$tie-b", "@bob:x", 5, auth...)
	at("$tie-a", "@bob:x", 5, auth...)
	at("$nobody", "@zoe:x", 0, auth...)
	at("$unsorted", "@bob:x", 5, "$create", "$p", "$nobody")
	at("$depends", "@creator:x", 0, "$create", "$p", "$unsorted")
	at("$without", "@creator:x", 3, "$create") // no power levels: the creator has 100

	r := newResolver(w.v, wholeStates{states: []stateMap{state, state}}, w)
	sorted := []matrix.EventID{"$early", "$without", "$late", "$tie-a", "$tie-b", "$nobody", "$depends"}
	below := map[matrix.EventID][]matrix.EventID{"$unsorted": {"$nobody"}}
	full := map[matrix.EventID]bool{}
	for _, id := range sorted {
		full[id], below[id] = true, nil
	}
	below["$depends"] = []matrix.EventID{"$unsorted"}
	if err := r.loadAll(append(slices.Clone(sorted), "$unsorted")); err != nil {
		t.Fatal(err)
	}
	list, err := r.topological(below, full)
	if err != nil {
		t.Fatal(err)
	}
	var got []matrix.EventID
	for _, e := range list {
		got = append(got, e.ID)
	}
	if fmt.Sprint(got) != fmt.Sprint(sorted) {
		t.Errorf("sorted to %v, not %v", got, sorted)
	}
}

// An event that was rejected does not stand in for missing state.
func TestRejectedAuthEventsDoNotCount(t *testing.T) {
	for _, rejected := range []bool{false, true} {
		w := newWorld(t, "12")
		base := w.create("@creator:x")
		w.send(base, "$public", "@creator:x", event.TypeJoinRules, "", `{"join_rule":"public"}`)
		w.send(base, "$power", "@creator:x", event.TypePowerLevels, "", powerContent(w.v, `"@bob:x":50`))
		w.join(base, "@bob:x")
		w.send(base, "$name", "@bob:x", "m.room.name", "", `{}`) // so that the join is in both auth chains
		ours, theirs := maps.Clone(base), maps.Clone(base)
		w.send(ours, "$topic", "@bob:x", "m.room.topic", "", `{}`)
		w.reject["$bob-join"] = rejected
		got := w.resolve(t, ours, theirs)
		if _, ok := got[event.Key{Type: "m.room.topic"}]; ok == rejected {
			t.Errorf("rejected %v: the topic is set: %v", rejected, ok)
		}
		if ref := newReference(t, w, []stateMap{ours, theirs}).resolve(); !maps.Equal(got, ref) {
			t.Errorf("rejected %v: %v is not what the reference has, %v", rejected, got, ref)
		}
	}
}
