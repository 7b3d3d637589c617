// Package stateres resolves conflicting states of a room by the algorithm of its version: 1, 2 or 2.1.
//
// The specification (rooms/v1, rooms/v2 and rooms/v12, #state-resolution) speaks of whole states and whole auth
// chains. Here a resolution costs what the conflict is, whatever the size of the room. [States] gives the keys
// where the states differ and looks up single keys where they agree; [Events] gives events and answers who cites an
// event. What the algorithms need of the rest of the room is found with four sets:
//
//	conflicted   the events at the keys where the states differ
//	common       the events at the keys where they agree (the unconflicted state map); never read as a whole
//	shared       the events below common ones: those that a walk from any common event along auth_events meets.
//	             All of them are in the full auth chain of every state, so none is in the auth difference, and
//	             neither is anything below them.
//	region       the conflicted events, and what is met by walks down from them that end at shared events. It holds
//	             the auth difference, and is as large as the fork.
//
// An event is shared if a common event cites it or a shared event does. So the walk is upwards, from event to those
// that cite it, until a common event is met; in a room with many members that is the first or second step, because
// almost every event of an auth chain is cited by somebody's current membership. The answers are remembered.
//
// The conflicted state subgraph, and the order of events that depend on each other, may need paths that lead through
// shared events, if a conflicted event is shared itself: an outdated state has brought it back. Such paths are found
// by walking down from the region and up from that event by turns, so that the cheaper walk ends the search.
//
// # Invariants
//
//   - The answer does not depend on the order of the states, on that of their conflicts, or on that of Citing.
//   - States that agree resolve to themselves, without a look at any event.
//   - No walk is recursive, no event is read twice, and no resolution touches more than [Limit] events and
//     citations, so a crafted auth chain costs at most that.
//
// Rejected events take part as the specification says: they are not used in place of missing state.
package stateres

import (
	"errors"
	"fmt"

	"hearth/matrix"
	"hearth/matrix/event"
)

// States are the n states of a room to be resolved, as ordered maps in which differences are cheap to find.
type States interface {
	// N returns the number of states, at most 64.
	N() int
	// Conflicts calls yield once for every key where not all states agree, in any order, until it returns false.
	// It passes the event id in each of the n states, "" where there is none; yield does not keep the slice.
	Conflicts(yield func(k event.Key, ids []matrix.EventID) bool) error
	// Common returns the event id at k, false if no state has one. It is called only with keys where all agree.
	Common(k event.Key) (matrix.EventID, bool, error)
}

// Events is what the server knows of the events of a room. Every event of a state and of its auth chain is known.
type Events interface {
	// Events returns the events of these ids, in their order, nil for one that is not known.
	Events(ids ...matrix.EventID) ([]*event.Event, error)
	// Citing calls yield for every known state event that names id in its auth_events, with its key, in any order
	// (from the newest to the oldest is fastest), until yield returns false. A server keeps this index as it stores
	// state events: one entry for each of their auth_events. Events that were rejected may be left out, unless an
	// accepted event has them in its auth chain. Citing is not called for room version 1.
	Citing(id matrix.EventID, yield func(by matrix.EventID, k event.Key) bool) error
	// Rejected reports whether the event was rejected when it was received.
	Rejected(id matrix.EventID) (bool, error)
}

// Limit bounds the events read and the citations followed in one resolution. The largest public rooms have auth
// chains of a few hundred thousand events, of which a resolution touches a few dozen.
const Limit = 1 << 20

// ErrLimit is returned for a resolution that needs more than [Limit].
var ErrLimit = errors.New("the conflict touches too many events")

// UnknownError says that an event which takes part is not known.
type UnknownError struct{ ID matrix.EventID }

func (e *UnknownError) Error() string { return fmt.Sprintf("event %s is not known", e.ID) }

// Resolve returns what the states resolve to where they do not agree: the event id of every conflicted key, "" for
// a key that the resolved state lacks. It may have other keys too: those of events that no state holds and that the
// algorithm brought back. All remaining keys stay as in every state.
//
// Errors: of States and Events; [ErrLimit]; [*UnknownError].
func Resolve(v *matrix.RoomVersion, s States, ev Events) (map[event.Key]matrix.EventID, error) {
	return newResolver(v, s, ev).resolve()
}
