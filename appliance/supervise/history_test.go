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
		delays = append(delays, h.died(now, time.Time{}))
	}
	ms := time.Millisecond
	want := []time.Duration{0, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 10000 * ms, 10000 * ms}
	if !slices.Equal(delays, want) {
		t.Errorf("got %v, want %v", delays, want)
	}
	if got := h.died(now.Add(time.Hour), now.Add(time.Hour-stable+1)); got != lastDelay {
		t.Errorf("having been ready too briefly, it waits %v", got)
	}
	if got := h.died(now.Add(time.Hour), now.Add(time.Hour-stable)); got != 0 {
		t.Errorf("having been stable, it waits %v", got)
	}
}

func TestCrashLoop(t *testing.T) {
	var h history
	now := time.Unix(0, 0)
	for i := range 20 {
		h.died(now, now.Add(-10*time.Second))
		if want := i >= loopDeaths-1; h.loops() != want {
			t.Errorf("death %d, one every 15 s: in a loop %v", i+1, h.loops())
		}
		now = now.Add(loopSpan / (loopDeaths - 1))
	}
	h.died(now.Add(time.Second), now)
	if h.loops() {
		t.Error("one death in a while is taken for a loop")
	}
}
