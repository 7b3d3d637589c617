package stateres

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"hearth/matrix"
	"hearth/matrix/authrules"
	"hearth/matrix/event"
)

type stateMap = map[event.Key]matrix.EventID

// citation is an entry of the reverse index.
type citation struct {
	by  matrix.EventID
	key event.Key
}

// world is a server's knowledge of one room. Events are made by hand, so ids are what a test wants them to be.
type world struct {
	v        *matrix.RoomVersion
	events   map[matrix.EventID]*event.Event
	citing   map[matrix.EventID][]citation
	reject   map[matrix.EventID]bool
	shuffle  *rand.Rand // if set, citations come in random order
	clock    int64
	reads    int // events read
	followed int // citations followed
	turn     int // if set, the first turn of the walks that look for paths
}

func newWorld(tb testing.TB, version matrix.Version) *world {
	tb.Helper()
	v, ok := matrix.LookupVersion(version)
	if !ok {
		tb.Fatalf("no room version %s", version)
	}
	return &world{
		v: v, events: map[matrix.EventID]*event.Event{},
		citing: map[matrix.EventID][]citation{}, reject: map[matrix.EventID]bool{},
	}
}

func (w *world) Events(ids ...matrix.EventID) ([]*event.Event, error) {
	events := make([]*event.Event, len(ids))
	for i, id := range ids {
		events[i] = w.events[id]
		w.reads++
	}
	return events, nil
}

func (w *world) Citing(id matrix.EventID, yield func(matrix.EventID, event.Key) bool) error {
	list := w.citing[id]
	if w.shuffle != nil {
		list = slices.Clone(list)
		w.shuffle.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	for _, c := range slices.Backward(list) {
		w.followed++
		if !yield(c.by, c.key) {
			break
		}
	}
	return nil
}

func (w *world) Rejected(id matrix.EventID) (bool, error) { return w.reject[id], nil }

// add makes a state event that cites auth; each event is a second later than the one before.
func (w *world) add(id matrix.EventID, sender matrix.UserID, typ, stateKey, content string, auth ...matrix.EventID) matrix.EventID {
	w.clock += 1000
	e := &event.Event{
		Version: w.v, ID: id, RoomID: "!create", Sender: sender, Type: typ, StateKey: &stateKey,
		Time: w.clock, Depth: int64(len(w.events)) + 1, AuthEvents: auth,
		PrevEvents: []matrix.EventID{"$somewhere"}, Content: []byte(content), JSON: []byte(`{}`),
	}
	if !w.v.RoomIDIsCreateHash {
		e.RoomID = "!room:x"
	}
	if typ == event.TypeCreate {
		e.PrevEvents = nil
	}
	w.events[id] = e
	for _, a := range auth {
		w.citing[a] = append(w.citing[a], citation{id, event.Key{Type: typ, StateKey: stateKey}})
	}
	return id
}

// send makes an event with the auth events that a server with this state would select, and puts it in the state.
func (w *world) send(state stateMap, id matrix.EventID, sender matrix.UserID, typ, stateKey, content string) matrix.EventID {
	var auth []matrix.EventID
	for _, k := range authrules.Needed(w.v, typ, sender, &stateKey, []byte(content)) {
		if id, ok := state[k]; ok {
			auth = append(auth, id)
		}
	}
	w.add(id, sender, typ, stateKey, content, auth...)
	state[event.Key{Type: typ, StateKey: stateKey}] = id
	return id
}

// join makes the event of a user who joins.
func (w *world) join(state stateMap, user matrix.UserID) matrix.EventID {
	id := matrix.EventID(fmt.Sprintf("$%s-join", user.Localpart()))
	return w.send(state, id, user, event.TypeMember, string(user), `{"membership":"join"}`)
}

// create makes a room with its creator in it.
func (w *world) create(creator matrix.UserID) stateMap {
	state := stateMap{}
	content := fmt.Sprintf(`{"creator":%q,"room_version":%q}`, creator, w.v.Version)
	w.send(state, "$create", creator, event.TypeCreate, "", content)
	first := w.join(state, creator)
	w.events[first].PrevEvents = []matrix.EventID{"$create"}
	return state
}

// wholeStates are states as plain maps. They are compared as a whole, which real ones need not be.
type wholeStates struct {
	states  []stateMap
	shuffle *rand.Rand
}

func (s wholeStates) N() int { return len(s.states) }

func (s wholeStates) at(k event.Key) (ids []matrix.EventID, agree bool) {
	for _, state := range s.states {
		ids = append(ids, state[k])
	}
	return ids, !slices.ContainsFunc(ids, func(id matrix.EventID) bool { return id != ids[0] })
}

func (s wholeStates) Conflicts(yield func(event.Key, []matrix.EventID) bool) error {
	var keys []event.Key
	seen := map[event.Key]bool{}
	for _, state := range s.states {
		for k := range state {
			if _, agree := s.at(k); !agree && !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
	}
	if s.shuffle != nil {
		s.shuffle.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	}
	for _, k := range keys {
		if ids, _ := s.at(k); !yield(k, ids) {
			break
		}
	}
	return nil
}

func (s wholeStates) Common(k event.Key) (matrix.EventID, bool, error) {
	ids, agree := s.at(k)
	if !agree {
		return "", false, fmt.Errorf("the states do not agree on %v", k)
	}
	return ids[0], ids[0] != "", nil
}

// resolve returns the whole resolved state.
func (w *world) resolve(tb testing.TB, states ...stateMap) stateMap {
	tb.Helper()
	s := wholeStates{states: states, shuffle: w.shuffle}
	r := newResolver(w.v, s, w)
	if w.turn > 0 {
		r.turn = w.turn
	}
	result, err := r.resolve()
	if err != nil {
		tb.Fatal(err)
	}
	whole := stateMap{}
	for k, id := range states[0] {
		if _, agree := s.at(k); agree {
			whole[k] = id
		}
	}
	for k, id := range result {
		if _, agree := s.at(k); agree && whole[k] != "" {
			tb.Errorf("the resolution replaces %v, on which the states agree", k)
		}
		if id != "" {
			whole[k] = id
		}
	}
	return whole
}
