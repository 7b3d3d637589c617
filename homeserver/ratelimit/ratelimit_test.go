package ratelimit_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"hearth/homeserver/ratelimit"
)

// watch is a clock that stands still until it is set.
type watch struct{ now time.Time }

func (w *watch) Now() time.Time { return w.now }

func newWatch() *watch { return &watch{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func TestBucket(t *testing.T) {
	w := newWatch()
	l := ratelimit.New(ratelimit.Rate{Every: time.Second, Burst: 3}, 10, w.Now)
	k := l.Key("@alice:x")
	take := func(tokens int, want time.Duration) {
		t.Helper()
		if wait := l.Take(k, tokens); wait != want {
			t.Errorf("taking %d tells to wait %v, want %v", tokens, wait, want)
		}
	}
	take(1, 0)
	take(3, time.Second) // and takes nothing
	take(2, 0)
	take(1, time.Second)
	w.now = w.now.Add(400 * time.Millisecond)
	take(1, 600*time.Millisecond)
	take(2, 1600*time.Millisecond)
	w.now = w.now.Add(600 * time.Millisecond)
	take(1, 0)
	take(1, time.Second)
	l.Give(k, 1)
	take(1, 0)
	w.now = w.now.Add(time.Hour) // no more than a full bucket
	take(100, 0)
	take(1, time.Second)
	l.Give(k, 100)
	l.Give(k, 100) // nor is more given back
	take(3, 0)
	take(1, time.Second)
}

// Threat 15: a clock that is set back does not lock anybody out.
func TestClockSetBack(t *testing.T) {
	w := newWatch()
	l := ratelimit.New(ratelimit.Rate{Every: time.Second, Burst: 3}, 10, w.Now)
	k := l.Key("a")
	l.Take(k, 3)
	w.now = time.Unix(0, 0)
	if wait := l.Take(k, 1); wait != time.Second {
		t.Errorf("told to wait %v", wait)
	}
	w.now = w.now.Add(time.Second)
	if wait := l.Take(k, 1); wait != 0 {
		t.Errorf("told to wait %v", wait)
	}
}

func TestNamesAreTakenTogether(t *testing.T) {
	l := ratelimit.New(ratelimit.Rate{Every: time.Second, Burst: 1}, 10, newWatch().Now)
	keys := map[ratelimit.Key]bool{}
	for _, names := range [][]string{{"a", "b"}, {"ab", ""}, {"b", "a"}, {"", "ab"}, {"a"}} {
		keys[l.Key(names...)] = true
	}
	if len(keys) != 5 {
		t.Errorf("%d buckets of 5", len(keys))
	}
}

// Threat 12: memory is bounded, and who was there last is remembered.
func TestBucketsAreBounded(t *testing.T) {
	w := newWatch()
	l := ratelimit.New(ratelimit.Rate{Every: time.Second, Burst: 1}, 3, w.Now)
	name := func(i int) ratelimit.Key { return l.Key(fmt.Sprint(i)) }
	for i := range 1000 {
		if wait := l.Take(name(i), 1); wait != 0 {
			t.Fatalf("%d must wait", i)
		}
		if i > 0 && l.Take(name(0), 1) == 0 { // is asked for so often that it is not forgotten
			t.Fatalf("after %d, the first is forgotten", i)
		}
	}
	for _, i := range []int{998, 999} {
		if l.Take(name(i), 1) == 0 {
			t.Errorf("%d is forgotten", i)
		}
	}
	if l.Take(name(997), 1) != 0 {
		t.Error("997 is remembered, which is more than 3")
	}
}

func TestNoLimit(t *testing.T) {
	l := ratelimit.New(ratelimit.Rate{}, 3, nil)
	for range 1000 {
		if l.Take(l.Key("a"), 1000) != 0 || l.Take(l.Bytes(nil), 1) != 0 {
			t.Fatal("refused")
		}
	}
	l.Give(l.Key("a"), 1)
}

func TestTogether(t *testing.T) {
	w := newWatch()
	l := ratelimit.New(ratelimit.Rate{Every: time.Second, Burst: 100}, 10, w.Now)
	var all sync.WaitGroup
	var mu sync.Mutex
	granted := 0
	for range 8 {
		all.Go(func() {
			for range 50 {
				if l.Take(l.Key("a"), 1) == 0 {
					mu.Lock()
					granted++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if granted != 100 {
		t.Errorf("%d granted of 100", granted)
	}
}

func TestTakingAllocatesNothing(t *testing.T) {
	l := ratelimit.New(ratelimit.Rate{Every: time.Second, Burst: 3}, 10, time.Now)
	user, device := "@alice:here.example", "PHONE"
	if n := testing.AllocsPerRun(100, func() { l.Take(l.Key(user, device), 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTake(b *testing.B) {
	l := ratelimit.New(ratelimit.Rate{Every: time.Nanosecond, Burst: 1 << 20}, 1<<10, time.Now)
	user, device := "@alice:here.example", "PHONE"
	b.ReportAllocs()
	for b.Loop() {
		l.Take(l.Key(user, device), 1)
	}
}
