package process

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// When a program rests: it looks every restPause, and rests if it has allocated less than quietBytes since. What it allocated
// since it last gave memory back must be worth it.
const (
	restPause  = 2 * time.Second
	quietBytes = 512 << 10
	worthBytes = 8 << 20
)

// GiveBack gives memory back to the kernel whenever the program rests after work, until ctx ends. Left alone, the runtime
// keeps the room for garbage that the work had needed: without work it does not collect, and while it does not collect it
// does not know what is free.
func GiveBack(ctx context.Context) {
	tick := time.NewTicker(restPause)
	defer tick.Stop()
	w := work{}
	for {
		if w.over(allocated()) {
			debug.FreeOSMemory()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// work knows how many bytes the program had allocated.
type work struct{ last, givenBack uint64 }

// over reports whether the program rests after work that was worth it, given what it has allocated until now.
func (w *work) over(allocated uint64) bool {
	quiet := allocated-w.last < quietBytes
	w.last = allocated
	if !quiet || allocated-w.givenBack < worthBytes {
		return false
	}
	w.givenBack = allocated
	return true
}

// allocated returns how many bytes the program has allocated in all.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
