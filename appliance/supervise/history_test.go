package supervise

import (
	"slices"
	"testing"
	"time"
)

func TestDelays(t *testing.T) {
	var h history
	now := time.Unix(0, 0)
	var delays []time.Duration
	for range 10 {
		delays = append(delays, h.died(now, time.Time{}, false))
	}
	ms := time.Millisecond
	want := []time.Duration{0, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 10000 * ms, 10000 * ms}
	if !slices.Equal(delays, want) {
		t.Errorf("got %v, want %v", delays, want)
	}
	if got := h.died(now.Add(time.Hour), now.Add(time.Hour-stable+1), false); got != lastDelay {
		t.Errorf("having been ready too briefly, it waits %v", got)
	}
	if got := h.died(now.Add(time.Hour), now.Add(time.Hour-stable), false); got != 0 {
		t.Errorf("having been stable, it waits %v", got)
	}
}

func TestCrashLoop(t *testing.T) {
	var h history
	now := time.Unix(0, 0)
	for i := range 20 {
		h.died(now, now.Add(-10*time.Second), false)
		if want := i >= loopDeaths-1; h.loops() != want {
			t.Errorf("death %d, one every 15 s: in a loop %v", i+1, h.loops())
		}
		now = now.Add(loopSpan / (loopDeaths - 1))
	}
	h.died(now.Add(time.Second), now, false)
	if h.loops() {
		t.Error("one death in a while is taken for a loop")
	}
}

func TestWhatIsKilledIsBackSoon(t *testing.T) {
	var h history
	now := time.Unix(0, 0)
	for i := range 20 {
		if delay := h.died(now, time.Time{}, true); delay > killDelay || (delay == killDelay) != (i >= 5) {
			t.Errorf("death %d: it waits %v", i+1, delay)
		}
	}
	if h.loops() {
		t.Error("being killed is taken for a crash loop")
	}
}
