package clientsync

import (
	"sync"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// sentMembers remembers which members of which rooms a device has been told of, for clients that load members
// lazily. What it forgets is sent again. A device has been told of what was in an answer only once it asks with a
// token from that answer or a later one: the answer may have been lost on the way.
type sentMembers struct {
	mu   sync.Mutex // guards sets
	sets map[string]*sentSet
}

const (
	maxSentSets = 256  // devices
	maxSent     = 2048 // members a device
)

// sentSet is what one device has been told of.
type sentSet struct {
	mu      sync.Mutex // guards members
	members map[sentMember]sentEvent
}

type sentMember struct {
	room store.RoomNum
	user matrix.UserID
}

type sentEvent struct {
	order store.Order // of the member event
	pos   store.Pos   // of the answer that it was in
	root  blob.Hash   // a state in which it is the member's event
}

func newSentMembers() *sentMembers { return &sentMembers{sets: make(map[string]*sentSet)} }

// of returns a session's set; a sync from the beginning starts with an empty one.
func (s *sentMembers) of(session account.Session, fresh bool) *sentSet {
	key := string(session.User) + "\x00" + session.Device
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.sets[key]
	if set != nil && !fresh {
		return set
	}
	if set == nil && len(s.sets) >= maxSentSets {
		for k := range s.sets { // any one
			delete(s.sets, k)
			break
		}
	}
	set = &sentSet{members: make(map[sentMember]sentEvent)}
	s.sets[key] = set
	return set
}

// knowsIn reports whether a device that acknowledged the answers up to a position knows the member's event in a
// state, without a look at the state.
func (s *sentSet) knowsIn(k sentMember, root blob.Hash, acknowledged store.Pos) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, ok := s.members[k]
	return ok && have.root == root && have.pos <= acknowledged
}

// knows is knowsIn for an event that was looked up in the state; it remembers that it was.
func (s *sentSet) knows(k sentMember, o store.Order, root blob.Hash, acknowledged store.Pos) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, ok := s.members[k]
	if !ok || have.order != o || have.pos > acknowledged {
		return false
	}
	have.root = root
	s.members[k] = have
	return true
}

// add notes that a member event is in the answer whose token has this position.
func (s *sentSet) add(k sentMember, e sentEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.members[k]; !ok && len(s.members) >= maxSent {
		clear(s.members)
	}
	s.members[k] = e
}
