package clock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAgree(t *testing.T) {
	const s, h = time.Second, time.Hour
	for _, c := range []struct {
		name    string
		offsets []time.Duration
		asked   int
		want    time.Duration
		err     string
	}{
		{"nobody", nil, 3, 0, "no time server answers"},
		{"the only one that was asked", []time.Duration{h}, 1, h, ""},
		{"one of three", []time.Duration{h}, 3, 0, "1 time servers answer and do not agree"},
		{"two of three", []time.Duration{h, h + s/2}, 3, h + s/2, ""},
		{"a liar among three", []time.Duration{2 * h, -9 * h, 2*h + s}, 3, 2*h + s, ""},
		{"two against two", []time.Duration{h, h, 2 * h, 2 * h}, 4, 0, "4 time servers answer and do not agree"},
		{"one name with two addresses", []time.Duration{h, h}, 1, h, ""},
		{"one name with two addresses that differ", []time.Duration{h, 2 * h}, 1, 0, "2 time servers answer and do not agree"},
		{"all apart", []time.Duration{h, 2 * h, 3 * h}, 3, 0, "3 time servers answer and do not agree"},
	} {
		got, err := agree(c.offsets, c.asked)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s: got %v, %v", c.name, got, err)
		}
	}
}

// bench is a clock that can be set, and servers that say how much it is off.
type bench struct {
	*Clock
	now     time.Time
	servers map[string]time.Duration
}

func newBench(t *testing.T, now string) *bench {
	t.Helper()
	b := &bench{now: at(now), servers: make(map[string]time.Duration)}
	b.Clock = &Clock{
		File: filepath.Join(t.TempDir(), "clock"), Built: at("2026-01-01T00:00:00Z"), Log: slog.New(slog.DiscardHandler),
		Servers: func() []string { return []string{"a", "b", "c"} },
		Now:     func() time.Time { return b.now },
		Step:    func(by time.Duration) error { b.now = b.now.Add(by); return nil },
		Lead:    func(by time.Duration) error { b.now = b.now.Add(by); return nil },
		Ask: func(_ context.Context, server string) ([]time.Duration, error) {
			offset, ok := b.servers[server]
			if !ok {
				return nil, errors.New("no answer")
			}
			return []time.Duration{offset}, nil
		},
	}
	return b
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func (b *bench) isKnown() bool {
	_, known := b.Note()
	return known
}

// Threat 15: a clock that starts in 1970 or jumps.
func TestClockOf1970(t *testing.T) {
	b := newBench(t, "1970-01-01T00:00:05Z")
	if err := b.Start(false); err != nil {
		t.Fatal(err)
	}
	if !b.now.Equal(b.Built) || b.isKnown() {
		t.Errorf("after the start it is %v, known: %v", b.now, b.isKnown())
	}
	b.servers["a"], b.servers["c"] = 1000*time.Hour, 1000*time.Hour
	if err := b.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := b.Built.Add(1000 * time.Hour)
	if !b.now.Equal(told) || !b.isKnown() {
		t.Errorf("after servers told it is %v, known: %v", b.now, b.isKnown())
	}
	b.now = at("1970-01-01T00:00:05Z") // the next start
	if err := b.Start(false); err != nil {
		t.Fatal(err)
	}
	if !b.now.Equal(told) || b.isKnown() {
		t.Errorf("after the next start it is %v, known: %v", b.now, b.isKnown())
	}
}

func TestNeverBeforeWhatWasKnown(t *testing.T) {
	b := newBench(t, "2026-06-01T12:00:00Z")
	if err := b.Start(false); err != nil {
		t.Fatal(err)
	}
	if err := Keep(b.File, b.now); err != nil {
		t.Fatal(err)
	}
	b.servers["a"], b.servers["b"] = -time.Hour, -time.Hour
	if err := b.Round(t.Context()); err == nil || !strings.Contains(err.Error(), "which was before") {
		t.Errorf("servers that lead backwards are believed: %v", err)
	}
	if !b.now.Equal(at("2026-06-01T12:00:00Z")) || b.isKnown() {
		t.Errorf("it is %v, known: %v", b.now, b.isKnown())
	}
	if err := Keep(b.File, b.now.Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	if last, err := LastKnown(b.File); err != nil || !last.Equal(b.now) {
		t.Errorf("an earlier time is kept: %v, %v", last, err)
	}
}

func TestOwnClock(t *testing.T) {
	for now, want := range map[string]bool{"2026-06-01T12:00:00Z": true, "2000-01-01T00:00:00Z": false} {
		b := newBench(t, now)
		if err := b.Start(true); err != nil {
			t.Fatal(err)
		}
		if got := b.isKnown(); got != want {
			t.Errorf("a machine's own clock that says %s: known is %v", now, got)
		}
	}
}

func TestLastKnownOfABrokenFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clock")
	for _, text := range []string{"", "2026-06-0", "\x00\x00\x00"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if last, err := LastKnown(file); err != nil || !last.IsZero() {
			t.Errorf("%q: got %v, %v", text, last, err)
		}
	}
}

// At the start there is no network. The servers are asked when there is some, but not for each of the changes of one that never rests.
func TestNetworkComes(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes int
		every   time.Duration
		reached int // after how many changes servers answer
		want    string
	}{
		{"servers answer after the second change", 2, 7 * time.Second, 2, "known after 15s, 4 rounds"},
		{"it never rests", 10000, 100 * time.Millisecond, 20000, "not known after 1h0m0s, 31 rounds"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			b := newBench(t, "2026-06-01T12:00:00Z")
			var mu sync.Mutex
			changed, changes, rounds := make(chan struct{}), 0, 0
			b.Changed = func() <-chan struct{} {
				mu.Lock()
				defer mu.Unlock()
				return changed
			}
			b.Ask = func(_ context.Context, server string) ([]time.Duration, error) {
				mu.Lock()
				defer mu.Unlock()
				if server == "a" {
					rounds++
				}
				if changes < c.reached {
					return nil, errors.New("no answer")
				}
				return []time.Duration{0}, nil
			}
			if err := b.Start(false); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			go b.Run(ctx)
			go func() {
				for range c.changes {
					time.Sleep(c.every)
					mu.Lock()
					changes++
					close(changed)
					changed = make(chan struct{})
					mu.Unlock()
				}
			}()
			got := "not known"
			select {
			case <-b.Known():
				got = "known"
			case <-ctx.Done():
			}
			after := time.Since(begun)
			cancel()
			synctest.Wait()
			if got = fmt.Sprintf("%s after %v, %d rounds", got, after, rounds); got != c.want {
				t.Errorf("%s: got %s", c.name, got)
			}
		})
	}
}

// On a network without time servers the log says so once, however often they are asked.
func TestTheSameComplaintIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		b := newBench(t, "2026-06-01T12:00:00Z")
		var log strings.Builder
		b.Log = slog.New(slog.NewTextHandler(&log, nil))
		rounds := 0
		b.Ask = func(context.Context, string) ([]time.Duration, error) { return nil, errors.New("no answer") }
		servers := b.Servers
		b.Servers = func() []string {
			rounds++
			return servers()
		}
		if err := b.Start(false); err != nil {
			t.Fatal(err)
		}
		b.Run(ctx)
		if n := strings.Count(log.String(), "the time is not told"); n != 1 || rounds < 10 {
			t.Errorf("%d complaints in %d rounds:\n%s", n, rounds, log.String())
		}
	})
}
