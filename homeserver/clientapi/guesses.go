package clientapi

import (
	"net/http"
	"sync"
	"time"

	"hearth/matrix"
)

// How many wrong passwords may be tried for one user: a handful at once, then one every few seconds.
const (
	guessesAtOnce = 10
	guessInterval = 6 * time.Second
	maxGuessed    = 10_000 // users that are remembered
)

// guesses counts the passwords tried for each user, whether the user exists or not. The zero value is ready for use.
type guesses struct {
	mu   sync.Mutex                  // guards free
	free map[matrix.UserID]time.Time // when all of a user's guesses will be free again
}

// allow counts an attempt, or refuses it. Error: M_LIMIT_EXCEEDED (429).
// spec: client-server-api#rate-limiting
func (g *guesses) allow(user matrix.UserID, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	until := g.free[user]
	if until.Before(now) {
		until = now
	}
	if wait := until.Add(guessInterval).Sub(now) - guessesAtOnce*guessInterval; wait > 0 {
		return matrix.Errorf(http.StatusTooManyRequests, matrix.MLimitExceeded, "Too many attempts to log in").With("retry_after_ms", wait.Milliseconds()+1)
	}
	g.makeRoom(now)
	g.free[user] = until.Add(guessInterval)
	return nil
}

// makeRoom forgets who has all guesses free and, if that is not enough, anybody.
func (g *guesses) makeRoom(now time.Time) {
	if g.free == nil {
		g.free = make(map[matrix.UserID]time.Time)
	}
	if len(g.free) < maxGuessed {
		return
	}
	for user, until := range g.free {
		if !until.After(now) {
			delete(g.free, user)
		}
	}
	for user := range g.free {
		if len(g.free) < maxGuessed {
			return
		}
		delete(g.free, user)
	}
}

// forget gives a user who knew the password all guesses back.
func (g *guesses) forget(user matrix.UserID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.free, user)
}
