package process

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestWorkIsOver(t *testing.T) {
	const mib = 1 << 20
	w := work{}
	for i, c := range []struct {
		allocated uint64
		over      bool
	}{
		{0, false},
		{mib / 4, false}, // rests, after little work
		{9 * mib, false}, // works
		{20 * mib, false},
		{20*mib + 1, true},
		{20*mib + 2, false}, // once
		{27 * mib, false},
		{27 * mib, false}, // little work
		{30 * mib, false},
		{30 * mib, true},
	} {
		if got := w.over(c.allocated); got != c.over {
			t.Errorf("step %d: work is over: %v", i, got)
		}
	}
}

func TestGiveBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forced := func() uint32 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.NumForcedGC
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			GiveBack(ctx)
		}()
		synctest.Wait()
		before := forced()
		work := make([]byte, 2*worthBytes)
		time.Sleep(10 * restPause)
		runtime.KeepAlive(work)
		if n := forced() - before; n == 0 {
			t.Error("memory was not given back")
		}
		cancel()
		<-ended
	})
}
