package store

import (
	"context"
	"time"
)

// rest is how long a follower at leisure rests.
const rest = 20 * time.Millisecond

// Leisure lets a follower rest after each page of the log, so that waking up once serves many changes, as long as nobody
// waits for what it knows.
type Leisure struct{ hurry chan struct{} }

// NewLeisure returns the leisure of one follower.
func NewLeisure() Leisure { return Leisure{make(chan struct{}, 1)} }

// Hurry ends the rest, or if there is none now then the next one. Who waits for a follower calls it each time that the
// follower is still behind.
func (l Leisure) Hurry() {
	select {
	case l.hurry <- struct{}{}:
	default:
	}
}

// Rest rests, unless somebody is in a hurry or ctx ends.
func (l Leisure) Rest(ctx context.Context) {
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.hurry:
	case <-ctx.Done():
	}
}
