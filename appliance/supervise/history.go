package supervise

import "time"

// The delays before a program is started again, and what counts as a crash loop.
const (
	firstDelay = 100 * time.Millisecond // after the second death; after the first there is none
	lastDelay  = 10 * time.Second
	killDelay  = time.Second // the longest after a death that came from outside
	stable     = time.Second // ready for so long, a program's earlier deaths no longer slow its return
	loopDeaths = 5           // so many deaths of the program's own doing
	loopSpan   = time.Minute // within so long are a crash loop
)

// history is what the deaths of a program so far say about its next start. The zero value is no deaths.
type history struct {
	deaths int         // since it was last stable
	recent []time.Time // the last deaths of its own doing, at most loopDeaths, oldest first
}

// died records the death at now of a life that was ready at readyAt (zero: never), killed from outside or
// not, and returns how long to wait before the next.
func (h *history) died(now, readyAt time.Time, killed bool) time.Duration {
	if !readyAt.IsZero() && now.Sub(readyAt) >= stable {
		h.deaths = 0
	}
	h.deaths++
	longest := killDelay
	if !killed {
		longest = lastDelay
		h.recent = append(h.recent, now)
		h.recent = h.recent[max(0, len(h.recent)-loopDeaths):]
	}
	if h.deaths == 1 {
		return 0
	}
	delay := firstDelay
	for i := 2; i < h.deaths && delay < longest; i++ {
		delay *= 2
	}
	return min(delay, longest)
}

// loops reports whether the last deaths are a crash loop.
func (h *history) loops() bool {
	return len(h.recent) == loopDeaths && h.recent[loopDeaths-1].Sub(h.recent[0]) <= loopSpan
}
