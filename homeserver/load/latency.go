package main

import (
	"slices"
	"time"
)

// latencies are measured durations.
type latencies []time.Duration

// at returns the duration that the fraction q of all do not exceed.
func (l latencies) at(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(l))
	i := int(q*float64(len(sorted))+0.9999999) - 1 // nearest rank: the ceiling
	return sorted[min(max(i, 0), len(sorted)-1)]
}
