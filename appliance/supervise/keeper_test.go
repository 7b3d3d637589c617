package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/process"
)

// fake is a program without a process: it does at given moments what it is told.
type fake struct {
	world     *world
	name      string
	ready     chan struct{}
	exited    chan struct{}
	exit      exit
	stubborn  bool // does not end when asked
	endsAfter time.Duration
	once      sync.Once
}

func (f *fake) Ready() <-chan struct{}  { return f.ready }
func (f *fake) Exited() <-chan struct{} { return f.exited }
func (f *fake) Exit() exit              { return f.exit }

func (f *fake) die(how string, e exit) {
	f.once.Do(func() {
		f.world.note("%s %s", f.name, how)
		f.exit = e
		close(f.exited)
	})
}

func (f *fake) Terminate() {
	f.world.note("%s asked", f.name)
	if !f.stubborn {
		time.AfterFunc(f.endsAfter, func() { f.die("ended", exit{how: "exit status 0"}) })
	}
}

func (f *fake) Kill() { f.die("killed", exit{how: "signal: killed", code: -1, killed: true}) }

// world starts fakes and notes what happens, with the time in ms since it began.
type world struct {
	mu     sync.Mutex // guards all below
	begun  time.Time
	events []string
	starts map[string]int
	behave func(f *fake, start int) error // tells a fake what to do at its nth start, from 1
}

func newWorld(behave func(*fake, int) error) *world {
	return &world{begun: time.Now(), starts: make(map[string]int), behave: behave}
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, fmt.Sprintf("%d %s", time.Since(w.begun).Milliseconds(), fmt.Sprintf(format, args...)))
}

func (w *world) start(p Program) (child, error) {
	w.mu.Lock()
	w.starts[p.Name]++
	n := w.starts[p.Name]
	w.mu.Unlock()
	w.note("%s started", p.Name)
	f := &fake{world: w, name: p.Name, ready: make(chan struct{}), exited: make(chan struct{})}
	if err := w.behave(f, n); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *fake) readyAfter(d time.Duration) { time.AfterFunc(d, func() { close(f.ready) }) }
func (f *fake) diesAfter(d time.Duration, e exit) {
	time.AfterFunc(d, func() { f.die("died", e) })
}

const ms = time.Millisecond

// supervised runs the programs a, b and c for the time given and returns what happened.
func supervised(t *testing.T, opts Options, runFor time.Duration, behave func(*fake, int) error) (events []string, err error) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), runFor)
		defer cancel()
		w := newWorld(behave)
		opts.Ready = func() { w.note("all ready") }
		programs := []Program{{Name: "a"}, {Name: "b", StopWithin: 2 * time.Second}, {Name: "c", ReadyWithin: time.Second}}
		log := process.Logger(io.Discard, 0)
		err = run(ctx, programs, opts, w.start, log)
		events = w.events
	})
	return events, err
}

func wantEvents(t *testing.T, got []string, want string) {
	t.Helper()
	if want := strings.Split(strings.TrimSpace(want), "\n"); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOrder(t *testing.T) {
	events, err := supervised(t, Options{}, time.Second, func(f *fake, _ int) error {
		f.readyAfter(50 * ms)
		f.endsAfter = 10 * ms
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	wantEvents(t, events, `
0 a started
50 b started
100 c started
150 all ready
1000 c asked
1010 c ended
1010 b asked
1020 b ended
1020 a asked
1030 a ended`)
}

func TestRestart(t *testing.T) {
	events, _ := supervised(t, Options{Attempts: 1}, 5*time.Second, func(f *fake, n int) error {
		f.readyAfter(0)
		if f.name == "a" && n <= 4 {
			f.diesAfter([]time.Duration{2000 * ms, 10 * ms, 10 * ms, 1500 * ms}[n-1], exit{killed: n == 1})
		}
		return nil
	})
	wantEvents(t, events, `
0 a started
0 b started
0 c started
0 all ready
2000 a died
2000 a started
2010 a died
2110 a started
2120 a died
2320 a started
3820 a died
3820 a started
5000 c asked
5000 c ended
5000 b asked
5000 b ended
5000 a asked
5000 a ended`)
}

func TestNotReadyInTime(t *testing.T) {
	events, _ := supervised(t, Options{}, 3*time.Second, func(f *fake, n int) error {
		if f.name != "c" || n == 3 {
			f.readyAfter(10 * ms)
		}
		return nil
	})
	wantEvents(t, events, `
0 a started
10 b started
20 c started
1020 c killed
1020 c started
2020 c killed
2120 c started
2130 all ready
3000 c asked
3000 c ended
3000 b asked
3000 b ended
3000 a asked
3000 a ended`)
}

func TestTooSlowToEnd(t *testing.T) {
	events, _ := supervised(t, Options{}, time.Second, func(f *fake, _ int) error {
		f.readyAfter(0)
		f.stubborn = f.name == "b"
		return nil
	})
	wantEvents(t, events[4:], `
1000 c asked
1000 c ended
1000 b asked
3000 b killed
3000 a asked
3000 a ended`)
}

func TestEndWhileStarting(t *testing.T) {
	events, err := supervised(t, Options{}, time.Second, func(f *fake, n int) error {
		if f.name == "a" {
			f.readyAfter(0)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	wantEvents(t, events, `
0 a started
0 b started
1000 b asked
1000 b ended
1000 a asked
1000 a ended`)
}

func TestEndWhileWaitingToRestart(t *testing.T) {
	events, err := supervised(t, Options{}, 50*ms, func(f *fake, n int) error { return errors.New("no such file") })
	if err != nil {
		t.Error(err)
	}
	wantEvents(t, events, "0 a started\n0 a started")
}

func TestGivingUp(t *testing.T) {
	for name, c := range map[string]struct {
		behave func(f *fake, n int) error
		want   string
		starts int
	}{
		"cannot start":   {func(*fake, int) error { return errors.New("no such file") }, "b does not start: no such file", 3},
		"ends by itself": {func(f *fake, _ int) error { f.diesAfter(0, exit{how: "exit status 1", code: 1}); return nil }, "b does not start: exit status 1", 3},
		"bad settings":   {func(f *fake, _ int) error { f.diesAfter(0, exit{how: "exit status 78", code: 78}); return nil }, "b does not start: exit status 78", 1},
		"is killed twice": {func(f *fake, n int) error {
			f.diesAfter(0, exit{how: fmt.Sprint("end ", n), killed: n <= 2})
			return nil
		}, "b does not start: end 5", 5},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := supervised(t, Options{Attempts: 3}, time.Minute, func(f *fake, n int) error {
				if f.name == "b" {
					return c.behave(f, n)
				}
				f.readyAfter(0)
				return nil
			})
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			starts := 0
			for _, e := range events {
				if strings.HasSuffix(e, "b started") {
					starts++
				}
			}
			if starts != c.starts {
				t.Errorf("%d starts, want %d", starts, c.starts)
			}
			if last := events[len(events)-1]; !strings.HasSuffix(last, "a ended") {
				t.Errorf("the last that happens is %q, want a to be ended", last)
			}
		})
	}
}

func TestNeverGivingUpWhatWasReady(t *testing.T) {
	events, err := supervised(t, Options{Attempts: 1}, time.Minute, func(f *fake, n int) error {
		f.readyAfter(0)
		if f.name == "b" {
			f.diesAfter(10*ms, exit{how: "exit status 78", code: 78})
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if len(events) < 20 {
		t.Errorf("got only %d events: %v", len(events), events)
	}
}

func TestNamesAreUnique(t *testing.T) {
	for _, programs := range [][]Program{{{Name: "a"}, {Name: "a"}}, {{}}} {
		if err := Run(t.Context(), programs, Options{Log: io.Discard, Dir: t.TempDir()}); err == nil {
			t.Errorf("%v: no error", programs)
		}
	}
}
