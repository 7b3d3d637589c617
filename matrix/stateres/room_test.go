package stateres

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"hearth/matrix"
	"hearth/matrix/event"
)

// forks are states that are small differences from a common one, as hash trees are to the server.
type forks struct {
	base   stateMap
	deltas []stateMap // "" takes a key away
}

func (f *forks) N() int { return len(f.deltas) }

func (f *forks) ids(k event.Key) []matrix.EventID {
	ids := make([]matrix.EventID, len(f.deltas))
	for i, d := range f.deltas {
		var ok bool
		if ids[i], ok = d[k]; !ok {
			ids[i] = f.base[k]
		}
	}
	return ids
}

func (f *forks) Conflicts(yield func(event.Key, []matrix.EventID) bool) error {
	seen := map[event.Key]bool{}
	for _, d := range f.deltas {
		for k := range d {
			ids := f.ids(k)
			if !seen[k] && slices.ContainsFunc(ids, func(id matrix.EventID) bool { return id != ids[0] }) && !yield(k, ids) {
				return nil
			}
			seen[k] = true
		}
	}
	return nil
}

func (f *forks) Common(k event.Key) (matrix.EventID, bool, error) {
	id := f.ids(k)[0]
	return id, id != "", nil
}

// whole returns the states as plain maps.
func (f *forks) whole() []stateMap {
	states := make([]stateMap, len(f.deltas))
	for i, d := range f.deltas {
		states[i] = maps.Clone(f.base)
		maps.Copy(states[i], d)
	}
	return states
}

func memberName(i int) matrix.UserID { return matrix.UserID(fmt.Sprintf("@member%d:x", i)) }

// largeRoom makes a public room in which members have joined while its power levels changed fifty times; every fifth
// member has changed their name.
func largeRoom(tb testing.TB, version matrix.Version, members int) (*world, stateMap) {
	w := newWorld(tb, version)
	state := w.create("@creator:x")
	w.send(state, "$public", "@creator:x", event.TypeJoinRules, "", `{"join_rule":"public"}`)
	for i := range members {
		if i%(members/50) == 0 {
			id := matrix.EventID(fmt.Sprintf("$power%d", i))
			content := powerContent(w.v, fmt.Sprintf(`"%s":50,"%s":50`, memberName(0), memberName(i)))
			w.send(state, id, "@creator:x", event.TypePowerLevels, "", content)
		}
		w.join(state, memberName(i))
		if i%5 == 0 {
			w.rename(state, i, "older")
		}
	}
	return w, state
}

// rename is a member's change of display name.
func (w *world) rename(state stateMap, i int, name string) {
	user := memberName(i)
	id := matrix.EventID(fmt.Sprintf("$%s-%s", user.Localpart(), name))
	w.send(state, id, user, event.TypeMember, string(user), fmt.Sprintf(`{"displayname":%q,"membership":"join"}`, name))
}

// delta is a fork of a state that keeps only what is new; reads go through to the base.
func (w *world) delta(base stateMap, do func(state stateMap)) stateMap {
	own := stateMap{}
	state := maps.Clone(base)
	do(state)
	for k, id := range state {
		if base[k] != id {
			own[k] = id
		}
	}
	return own
}

// tenConflicts forks the room: ten conflicting events at five keys, two of them power events.
func tenConflicts(w *world, base stateMap) *forks {
	left := w.delta(base, func(state stateMap) {
		w.send(state, "$topic-left", memberName(0), "m.room.topic", "", `{"topic":"left"}`)
		w.send(state, "$kick", memberName(0), event.TypeMember, string(memberName(7)), `{"membership":"leave"}`)
		w.rename(state, 5, "left")
		w.rename(state, 11, "left")
		w.send(state, "$power-left", "@creator:x", event.TypePowerLevels, "",
			powerContent(w.v, fmt.Sprintf(`"%s":50`, memberName(0))))
	})
	right := w.delta(base, func(state stateMap) {
		w.send(state, "$topic-right", memberName(0), "m.room.topic", "", `{"topic":"right"}`)
		w.rename(state, 7, "right")
		w.rename(state, 5, "right")
		w.rename(state, 11, "right")
		w.send(state, "$power-right", "@creator:x", event.TypePowerLevels, "",
			powerContent(w.v, fmt.Sprintf(`"%s":50,"%s":60`, memberName(0), memberName(3))))
	})
	return &forks{base, []stateMap{left, right}}
}

// manyForks has five states, one of them outdated, another with a hundred new members.
func manyForks(w *world, base stateMap) *forks {
	f := tenConflicts(w, base)
	outdated := stateMap{powerLevels: base[powerLevels]}
	for i := range 30 {
		user := memberName(i)
		outdated[event.Key{Type: event.TypeMember, StateKey: string(user)}] =
			matrix.EventID(fmt.Sprintf("$%s-join", user.Localpart()))
	}
	outdated[powerLevels] = "$power0"
	newer := w.delta(base, func(state stateMap) {
		for i := range 100 {
			w.join(state, matrix.UserID(fmt.Sprintf("@new%d:y", i)))
		}
	})
	banned := w.delta(base, func(state stateMap) {
		w.send(state, "$ban", "@creator:x", event.TypeMember, string(memberName(0)), `{"membership":"ban"}`)
	})
	f.deltas = append(f.deltas, outdated, newer, banned)
	return f
}

func TestRoomAgainstReference(t *testing.T) {
	for _, version := range []matrix.Version{"1", "2", "11", "12"} {
		w, base := largeRoom(t, version, 1_000)
		for _, f := range []*forks{tenConflicts(w, base), manyForks(w, base)} {
			got := maps.Clone(base)
			for k, id := range mustResolve(t, w, f) {
				if got[k] = id; id == "" {
					delete(got, k)
				}
			}
			want := newReference(t, w, f.whole()).resolve()
			if !maps.Equal(got, want) {
				t.Errorf("version %s: the resolved state is not what the reference has", version)
			}
		}
	}
}

// A fork has the same outcome in a room of any size.
func TestLargeRoom(t *testing.T) {
	for _, version := range []matrix.Version{"1", "2", "12"} {
		small, base := largeRoom(t, version, 100)
		want := mustResolve(t, small, tenConflicts(small, base))
		large, base := largeRoom(t, version, 50_000)
		got := mustResolve(t, large, tenConflicts(large, base))
		if !maps.Equal(got, want) {
			t.Errorf("version %s: resolved to %v, not to %v", version, got, want)
		}
		large.reads, large.followed = 0, 0
		mustResolve(t, large, manyForks(large, base))
		if large.reads+large.followed > 4_000 {
			t.Errorf("version %s: %d events were read and %d citations followed", version, large.reads, large.followed)
		}
	}
}

func mustResolve(tb testing.TB, w *world, f *forks) stateMap {
	tb.Helper()
	result, err := Resolve(w.v, f, w)
	if err != nil {
		tb.Fatal(err)
	}
	return result
}

// What a resolution touches does not grow with the room.
func TestCostIsThatOfTheConflict(t *testing.T) {
	for _, version := range []matrix.Version{"2", "12"} {
		var costs []int
		for _, members := range []int{100, 1_000, 10_000} {
			w, base := largeRoom(t, version, members)
			f := tenConflicts(w, base)
			if _, err := Resolve(w.v, f, w); err != nil {
				t.Fatal(err)
			}
			costs = append(costs, w.reads+w.followed)
		}
		if slices.Max(costs) > slices.Min(costs)*3/2 {
			t.Errorf("version %s: rooms of 100, 1,000 and 10,000 members cost %v reads", version, costs)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	for _, version := range []matrix.Version{"1", "2", "12"} {
		for _, members := range []int{100, 5_000, 50_000} {
			b.Run(fmt.Sprintf("version=%s/members=%d", version, members), func(b *testing.B) {
				w, base := largeRoom(b, version, members)
				f := tenConflicts(w, base)
				w.reads, w.followed = 0, 0
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					if _, err := Resolve(w.v, f, w); err != nil {
						b.Fatal(err)
					}
					n++
				}
				b.ReportMetric(float64(w.reads)/float64(n), "events/op")
				b.ReportMetric(float64(w.followed)/float64(n), "citations/op")
			})
		}
	}
}
