package clientsync

import (
	"sync"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
)

// sentMembers remembers which members of which rooms a device has been told of, for clients that load members
// lazily. What it forgets is sent again.
type sentMembers struct {
	mu   sync.Mutex // guards sets
	sets map[string]*sentSet
}

const (
	maxSentSets = 256  // devices
	maxSent     = 4096 // members a device
)

// sentSet is what one device has been told of.
type sentSet struct {
	mu      sync.Mutex // guards members
	members map[sentMember]store.Order
}

type sentMember struct {
	room store.RoomNum
	user matrix.UserID
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
	set = &sentSet{members: make(map[sentMember]store.Order)}
	s.sets[key] = set
	return set
}

// add notes that a member event was sent and reports whether it was new.
func (s *sentSet) add(room store.RoomNum, user matrix.UserID, o store.Order) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := sentMember{room, user}
	if have, ok := s.members[k]; ok && have == o {
		return false
	}
	if len(s.members) >= maxSent {
		clear(s.members)
	}
	s.members[k] = o
	return true
}
