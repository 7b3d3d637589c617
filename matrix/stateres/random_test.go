package stateres

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"hearth/matrix"
	"hearth/matrix/authrules"
	"hearth/matrix/event"
)

// randomRoom makes events on forks that come and go. Some of the states are wrong, as those from a faulty or
// partly synchronised server: with older events at some keys, or without them.
type randomRoom struct {
	*world
	rng    *rand.Rand
	users  []matrix.UserID
	states []stateMap
	sent   map[event.Key][]matrix.EventID
}

func newRandomRoom(tb testing.TB, version matrix.Version, seed uint64, steps int) *randomRoom {
	rng := rand.New(rand.NewPCG(seed, 1))
	room := &randomRoom{
		world: newWorld(tb, version), rng: rng, sent: map[event.Key][]matrix.EventID{},
		users: []matrix.UserID{"@a:x", "@b:x", "@c:y", "@d:y", "@e:z"},
	}
	room.shuffle = rand.New(rand.NewPCG(seed, 2))
	room.states = []stateMap{room.create("@a:x")}
	room.send(room.states[0], "$rules", "@a:x", event.TypeJoinRules, "", `{"join_rule":"public"}`)
	for i := range steps {
		room.step(i)
	}
	return room
}

func (r *randomRoom) pick() stateMap {
	// Mostly recent states, so that forks live on.
	n := len(r.states)
	return r.states[max(r.rng.IntN(n), r.rng.IntN(n))]
}

func (r *randomRoom) step(i int) {
	state := maps.Clone(r.pick())
	switch p := r.rng.IntN(20); {
	case p == 0:
		r.corrupt(state)
	case p == 1:
		other := r.pick()
		for _, k := range keys(other) {
			if r.rng.IntN(2) == 0 {
				state[k] = other[k]
			}
		}
	default:
		if !r.event(state, i) {
			return
		}
	}
	r.states = append(r.states, state)
}

// keys returns a map's keys in an order that does not change.
func keys[V any](m map[event.Key]V) []event.Key {
	return slices.SortedFunc(maps.Keys(m), func(a, b event.Key) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.StateKey, b.StateKey))
	})
}

// corrupt brings old events back, or loses some.
func (r *randomRoom) corrupt(state stateMap) {
	for _, k := range keys(r.sent) {
		switch r.rng.IntN(8) {
		case 0:
			state[k] = r.sent[k][r.rng.IntN(len(r.sent[k]))]
		case 1:
			if k.Type != event.TypeCreate {
				delete(state, k)
			}
		}
	}
}

// event sends a random event, if the state allows it.
func (r *randomRoom) event(state stateMap, i int) bool {
	user := func() matrix.UserID { return r.users[r.rng.IntN(len(r.users))] }
	sender, stateKey := user(), ""
	var typ, content string
	switch r.rng.IntN(9) {
	case 0, 1, 2:
		typ, stateKey = event.TypeMember, string(sender)
		content = []string{`{"membership":"join"}`, `{"membership":"join"}`, `{"membership":"leave"}`}[r.rng.IntN(3)]
	case 3, 4:
		typ, stateKey = event.TypeMember, string(user())
		content = []string{`{"membership":"leave"}`, `{"membership":"ban"}`, `{"membership":"invite"}`}[r.rng.IntN(3)]
	case 5, 6:
		typ = event.TypePowerLevels
		content = r.powerLevels(user)
	case 7:
		typ = event.TypeJoinRules
		content = fmt.Sprintf(`{"join_rule":%q}`, []string{"public", "public", "invite", "knock"}[r.rng.IntN(4)])
	case 8:
		typ = []string{"m.room.topic", "m.room.name"}[r.rng.IntN(2)]
		content = `{}`
	}
	id := matrix.EventID(fmt.Sprintf("$%x-%d", r.rng.Uint32(), i))
	k := event.Key{Type: typ, StateKey: stateKey}
	old, had := state[k]
	r.send(state, id, sender, typ, stateKey, content)
	e := r.events[id]
	e.Time, e.Depth = int64(r.rng.IntN(20)), int64(r.rng.IntN(20))
	if had {
		state[k] = old
	} else {
		delete(state, k)
	}
	if authrules.Check(e, view{r.world, state, nil}) != nil {
		r.forget(e)
		return false
	}
	if r.rng.IntN(30) == 0 {
		r.reject[id] = true
	}
	state[k] = id
	r.sent[k] = append(r.sent[k], id)
	return true
}

func (r *randomRoom) powerLevels(user func() matrix.UserID) string {
	users := map[matrix.UserID]int{}
	if r.v.Version != "12" {
		users["@a:x"] = 100
	}
	for range r.rng.IntN(4) {
		if u := user(); u != "@a:x" {
			users[u] = []int{0, 50, 50, 100}[r.rng.IntN(4)]
		}
	}
	content := ""
	for _, u := range slices.Sorted(maps.Keys(users)) {
		content += fmt.Sprintf(`,%q:%d`, u, users[u])
	}
	return fmt.Sprintf(`{"state_default":%d,"users":{%s}}`, []int{0, 50}[r.rng.IntN(2)], content[min(1, len(content)):])
}

func (r *randomRoom) forget(e *event.Event) {
	delete(r.events, e.ID)
	for _, a := range e.AuthEvents {
		r.citing[a] = slices.DeleteFunc(r.citing[a], func(c citation) bool { return c.by == e.ID })
	}
}

// fork returns some of the room's states.
func (r *randomRoom) fork() []stateMap {
	states := make([]stateMap, 2+r.rng.IntN(3))
	for i := range states {
		states[i] = r.pick()
	}
	return states
}

func TestRandomRoomsAgainstReference(t *testing.T) {
	rooms := 60
	if testing.Short() {
		rooms = 30
	}
	for _, version := range []matrix.Version{"1", "2", "6", "10", "11", "12"} {
		t.Run(string(version), func(t *testing.T) {
			for seed := range uint64(rooms) {
				room := newRandomRoom(t, version, seed, 120)
				for range 6 {
					states := room.fork()
					room.turn = 1 + int(seed%2)*firstTurn
					want := newReference(t, room.world, states).resolve()
					got := room.resolve(t, states...)
					if !maps.Equal(got, want) {
						t.Fatalf("seed %d: resolved to\n%v\nnot to\n%v", seed, got, want)
					}
				}
			}
		})
	}
}

func TestOrderOfStatesDoesNotMatter(t *testing.T) {
	for _, version := range []matrix.Version{"1", "2", "12"} {
		for seed := range uint64(20) {
			room := newRandomRoom(t, version, 1000+seed, 100)
			states := room.fork()
			want := room.resolve(t, states...)
			for range 5 {
				room.rng.Shuffle(len(states), func(i, j int) { states[i], states[j] = states[j], states[i] })
				if got := room.resolve(t, states...); !maps.Equal(got, want) {
					t.Fatalf("version %s, seed %d: another order of the states gives another result", version, seed)
				}
			}
			if got := room.resolve(t, append(states, states...)...); !maps.Equal(got, want) {
				t.Fatalf("version %s, seed %d: giving the states twice gives another result", version, seed)
			}
		}
	}
}

func TestIdenticalStatesResolveToThemselves(t *testing.T) {
	for _, version := range matrix.Versions() {
		room := newRandomRoom(t, version.Version, 7, 60)
		state := room.pick()
		room.reads = 0
		if got := room.resolve(t, state, maps.Clone(state), maps.Clone(state)); !maps.Equal(got, state) {
			t.Errorf("version %s: %v resolves to %v", version.Version, state, got)
		}
		if got := room.resolve(t, state); !maps.Equal(got, state) {
			t.Errorf("version %s: a single state resolves to another", version.Version)
		}
		if room.reads > 0 || room.followed > 0 {
			t.Errorf("version %s: events were read though the states agree", version.Version)
		}
	}
}
