package supervise

import "time"

// The delays before a program is started again, and what counts as a crash loop.
const (
	firstDelay = 100 * time.Millisecond // after the second death; after the first there is none
	lastDelay  = 10 * time.Second
	stable     = time.Second // ready for so long, a program's earlier deaths no longer slow its return
	loopDeaths = 5           // so many deaths
	loopSpan   = time.Minute // within so long are a crash loop
)

// history is what the deaths of a program so far say about its next start. The zero value is no deaths.
type history struct {
	deaths int         // since it was last stable
	recent []time.Time // the last deaths, at most loopDeaths, oldest first
}

// died records a death at now of a life that was ready at readyAt (zero: never), and returns how long to
// wait before the next.
func (h *history) died(now, readyAt time.Time) time.Duration {
	if !readyAt.IsZero() && now.Sub(readyAt) >= stable {
		h.deaths = 0
	}
	h.deaths++
	h.recent = append(h.recent, now)
	h.recent = h.recent[max(0, len(h.recent)-loopDeaths):]
	if h.deaths == 1 {
		return 0
	}
	delay := firstDelay
	for i := 2; i < h.deaths && delay < lastDelay; i++ {
		delay *= 2
	}
	return min(delay, lastDelay)
}

// loops reports whether the last deaths are a crash loop.
func (h *history) loops() bool {
	return len(h.recent) == loopDeaths && h.recent[loopDeaths-1].Sub(h.recent[0]) <= loopSpan
}
