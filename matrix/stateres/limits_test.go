package stateres

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"hearth/matrix"
	"hearth/matrix/event"
)

// longHistory makes a room whose creator has changed the power levels n times.
func longHistory(t *testing.T, version matrix.Version, n int) (*world, stateMap) {
	w := newWorld(t, version)
	state := w.create("@creator:x")
	w.send(state, "$public", "@creator:x", event.TypeJoinRules, "", `{"join_rule":"public"}`)
	for _, user := range []matrix.UserID{"@bob:x", "@carol:x"} {
		w.join(state, user)
	}
	for i := range n {
		w.send(state, matrix.EventID(fmt.Sprintf("$power%d", i)), "@creator:x", event.TypePowerLevels, "",
			powerContent(w.v, `"@bob:x":50`))
	}
	return w, state
}

func (w *world) cost(t *testing.T, states ...stateMap) int {
	t.Helper()
	w.reads, w.followed = 0, 0
	w.resolve(t, states...)
	return w.reads + w.followed
}

// A deep auth chain costs nothing while both states have it.
func TestDeepChain(t *testing.T) {
	w, base := longHistory(t, "12", 50_000)
	w.join(base, "@dave:x")
	ours, theirs := maps.Clone(base), maps.Clone(base)
	w.send(ours, "$ban", "@creator:x", event.TypeMember, "@carol:x", `{"membership":"ban"}`)
	w.send(theirs, "$topic", "@bob:x", "m.room.topic", "", `{}`)
	if cost := w.cost(t, ours, theirs); cost > 200 {
		t.Errorf("%d events were read and citations followed", cost)
	}
}

// A fork from the start of the room, whose event cites the first of many power levels, costs the history once.
func TestDeepFork(t *testing.T) {
	for _, version := range []matrix.Version{"2", "12"} {
		const n = 20_000
		w, base := longHistory(t, version, n)
		ours, theirs := maps.Clone(base), maps.Clone(base)
		old := maps.Clone(base)
		old[powerLevels] = "$power0"
		theirs[event.Key{Type: "m.room.topic"}] = w.send(old, "$topic", "@bob:x", "m.room.topic", "", `{}`)
		w.send(ours, "$name", "@bob:x", "m.room.topic", "", `{}`)
		if cost := w.cost(t, ours, theirs); cost > 8*n {
			t.Errorf("room version %s: %d events were read and citations followed", version, cost)
		}
	}
}

// An outdated membership that has come back costs what is above it, if that is less than the long history below.
func TestTheCheaperWalkEnds(t *testing.T) {
	w, base := longHistory(t, "12", 20_000)
	member := event.Key{Type: event.TypeMember, StateKey: "@bob:x"}
	w.send(base, "$bobs-topic", "@bob:x", "m.room.topic", "", `{}`) // so that bob's first join is shared
	w.join(base, "@dave:x")
	ours := maps.Clone(base)
	w.send(ours, "$bob-renamed", "@bob:x", event.TypeMember, "@bob:x", `{"displayname":"B","membership":"join"}`)
	if ours[member] == base[member] {
		t.Fatal("the membership does not differ")
	}
	if cost := w.cost(t, ours, base); cost > 5_000 {
		t.Errorf("%d events were read and citations followed", cost)
	}
}

// A wide room: everybody's membership cites the power levels that are in conflict.
func TestWideCitations(t *testing.T) {
	w := newWorld(t, "12")
	base := w.create("@creator:x")
	w.send(base, "$public", "@creator:x", event.TypeJoinRules, "", `{"join_rule":"public"}`)
	w.send(base, "$power", "@creator:x", event.TypePowerLevels, "", powerContent(w.v, ``))
	for i := range 20_000 {
		w.join(base, memberName(i))
	}
	ours := maps.Clone(base)
	w.send(ours, "$new-power", "@creator:x", event.TypePowerLevels, "", powerContent(w.v, ``))
	if cost := w.cost(t, ours, base); cost > 1_000 {
		t.Errorf("%d events were read and citations followed", cost)
	}
}

// bottomless is a room in which every event cites new ones, and is cited by them.
type bottomless struct {
	*world
	next int
}

func (b *bottomless) Events(ids ...matrix.EventID) ([]*event.Event, error) {
	events := make([]*event.Event, len(ids))
	for i, id := range ids {
		var auth []matrix.EventID
		for range 8 {
			b.next++
			auth = append(auth, matrix.EventID(fmt.Sprintf("$%d", b.next)))
		}
		key := string(id)
		events[i] = &event.Event{Version: b.v, ID: id, Type: "test", StateKey: &key, AuthEvents: auth, Content: []byte("{}")}
	}
	return events, nil
}

func (b *bottomless) Citing(_ matrix.EventID, yield func(matrix.EventID, event.Key) bool) error {
	for range 1000 {
		b.next++
		id := matrix.EventID(fmt.Sprintf("$%d", b.next))
		if !yield(id, event.Key{Type: "test", StateKey: string(id)}) {
			break
		}
	}
	return nil
}

func TestLimit(t *testing.T) {
	w := newWorld(t, "12")
	k := event.Key{Type: "test"}
	states := wholeStates{states: []stateMap{{k: "$a"}, {k: "$b"}}}
	if _, err := Resolve(w.v, states, &bottomless{world: w}); !errors.Is(err, ErrLimit) {
		t.Errorf("a bottomless room gives %v", err)
	}
	if _, err := Resolve(w.v, wholeStates{states: make([]stateMap, maxStates+1)}, w); err == nil {
		t.Error("too many states are no error")
	}
}

func TestUnknownEvents(t *testing.T) {
	for _, version := range []matrix.Version{"1", "2", "12"} {
		w := newWorld(t, version)
		base := w.create("@creator:x")
		ours := maps.Clone(base)
		w.send(ours, "$public", "@creator:x", event.TypeJoinRules, "", `{"join_rule":"public"}`)
		w.send(base, "$invite", "@creator:x", event.TypeJoinRules, "", `{"join_rule":"invite"}`)
		for _, missing := range []matrix.EventID{"$public", "$create"} {
			if version == "1" && missing == "$create" {
				continue
			}
			e := w.events[missing]
			delete(w.events, missing)
			_, err := Resolve(w.v, wholeStates{states: []stateMap{ours, base}}, w)
			if unknown, ok := errors.AsType[*UnknownError](err); !ok || unknown.ID != missing {
				t.Errorf("version %s, without %s: %v", version, missing, err)
			}
			w.events[missing] = e
		}
	}
}

// Events of room versions 1 and 2 have ids that their server made up, so forged ones can cite each other in circles.
func TestCircles(t *testing.T) {
	w := newWorld(t, "2")
	base := w.create("@creator:x")
	w.add("$p1", "@creator:x", event.TypePowerLevels, "", powerContent(w.v, ``), "$create", "$creator-join", "$p2")
	w.add("$p2", "@creator:x", event.TypePowerLevels, "", powerContent(w.v, ``), "$create", "$creator-join", "$p1")
	w.add("$p3", "@creator:x", event.TypePowerLevels, "", powerContent(w.v, ``), "$create", "$creator-join", "$p3")
	w.add("$t1", "@creator:x", "m.room.topic", "", `{}`, "$create", "$creator-join", "$p1")
	w.add("$t2", "@creator:x", "m.room.topic", "", `{}`, "$create", "$creator-join", "$p3")
	topic := event.Key{Type: "m.room.topic"}
	for _, fork := range [][2]stateMap{
		{{powerLevels: "$p1"}, {powerLevels: "$p2"}},
		{{powerLevels: "$p1"}, {powerLevels: "$p3"}},
		{{powerLevels: "$p1", topic: "$t1"}, {powerLevels: "$p1", topic: "$t2"}},
		{{powerLevels: "$p3", topic: "$t1"}, {powerLevels: "$p3", topic: "$t2"}},
	} {
		var states []stateMap
		for _, own := range fork {
			state := maps.Clone(base)
			maps.Copy(state, own)
			states = append(states, state)
		}
		w.resolve(t, states...)
	}
}

// failing fails at the n-th call to the server's side.
type failing struct {
	*world
	wholeStates
	left int
}

var errBroken = errors.New("the disk is broken")

func (f *failing) fail() error {
	if f.left--; f.left < 0 {
		return errBroken
	}
	return nil
}

func (f *failing) Events(ids ...matrix.EventID) ([]*event.Event, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.world.Events(ids...)
}

func (f *failing) Citing(id matrix.EventID, yield func(matrix.EventID, event.Key) bool) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.world.Citing(id, yield)
}

func (f *failing) Rejected(id matrix.EventID) (bool, error) {
	if err := f.fail(); err != nil {
		return false, err
	}
	return f.world.Rejected(id)
}

func (f *failing) Conflicts(yield func(event.Key, []matrix.EventID) bool) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.wholeStates.Conflicts(yield)
}

func (f *failing) Common(k event.Key) (matrix.EventID, bool, error) {
	if err := f.fail(); err != nil {
		return "", false, err
	}
	return f.wholeStates.Common(k)
}

// Whatever fails, the resolution fails with that error: no answer is made of half of the data.
func TestEveryFailureIsReported(t *testing.T) {
	for _, version := range []matrix.Version{"1", "2", "12"} {
		for seed := range uint64(10) {
			room := newRandomRoom(t, version, 2000+seed, 80)
			states := wholeStates{states: room.fork()}
			for n := 0; ; n++ {
				f := &failing{world: room.world, wholeStates: states, left: n}
				_, err := Resolve(room.v, f, f)
				if f.left >= 0 && err == nil {
					break
				}
				if !errors.Is(err, errBroken) {
					t.Fatalf("version %s, seed %d: failing at call %d gives %v", version, seed, n, err)
				}
			}
		}
	}
}
