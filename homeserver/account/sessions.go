package account

import (
	"crypto/sha256"
	"sync"
	"time"

	"hearth/matrix"
)

// sessions remembers those that were used lately, by the hash of their token. It keeps two generations: what is
// found in the old one moves to the young one, and when the young one is full the old one is forgotten.
type sessions struct {
	mu    sync.Mutex // guards the fields below
	limit int        // entries of one generation
	young map[[sha256.Size]byte]known
	old   map[[sha256.Size]byte]known
}

// known is a session, and why it may not be used.
type known struct {
	session Session
	refused error
	expires int64 // ms since 1970, 0 for never
}

func (k known) answer(now func() time.Time) (Session, error) {
	switch {
	case k.refused != nil:
		return Session{}, k.refused
	case k.expires != 0 && now().UnixMilli() >= k.expires:
		return Session{}, errExpired()
	}
	return k.session, nil
}

func newSessions(limit int) *sessions {
	return &sessions{limit: max(limit/2, 1), young: make(map[[sha256.Size]byte]known)}
}

func (s *sessions) get(k [sha256.Size]byte) (known, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.young[k]
	if ok {
		return e, true
	}
	if e, ok = s.old[k]; ok {
		delete(s.old, k)
		s.add(k, e)
	}
	return e, ok
}

func (s *sessions) put(k [sha256.Size]byte, e known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.old, k)
	s.add(k, e)
}

// add is called with the lock held.
func (s *sessions) add(k [sha256.Size]byte, e known) {
	if len(s.young) >= s.limit {
		s.old = s.young
		s.young = make(map[[sha256.Size]byte]known)
	}
	s.young[k] = e
}

func (s *sessions) remove(k [sha256.Size]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.young, k)
	delete(s.old, k)
}

// removeHash is remove for a hash as records have it.
func (s *sessions) removeHash(hash string) { s.remove([sha256.Size]byte([]byte(hash))) }

// removeUser forgets all sessions of a user, whose record has changed.
func (s *sessions) removeUser(user matrix.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, generation := range []map[[sha256.Size]byte]known{s.young, s.old} {
		for k, e := range generation {
			if e.session.User == user {
				delete(generation, k)
			}
		}
	}
}
