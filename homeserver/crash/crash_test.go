// Package crash_test kills the running programs at random moments under load and checks that nothing acknowledged is lost or doubled.
//
// People write into rooms, redact, set account data, names and topics and send
// to-device messages, each request repeated until it is acknowledged; others
// follow by sync. Meanwhile one program, or all at one stroke, get SIGKILL
// again and again. What every client was told must hold at the end.
//
// HEARTH_CRASH_ROUNDS sets how often something is killed, HEARTH_CRASH_SEED
// repeats a run's choices.
package crash_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"hearth/homeserver/rig"
	"hearth/matrix/wire"
)

const (
	shortRounds = 8
	// comeback is how soon the service must be back after a kill. The aim is
	// two seconds; a busy machine and kills in quick succession, which the
	// supervisor answers with longer delays, are allowed for.
	comeback = 15 * time.Second
	// between is how many acknowledged requests lie between two kills, at most.
	between = 2000
)

func TestNothingAcknowledgedIsLostOrDoubled(t *testing.T) {
	rounds, seed := number(t, "HEARTH_CRASH_ROUNDS", shortRounds), number(t, "HEARTH_CRASH_SEED", int(time.Now().UnixNano()))
	t.Logf("%d rounds with HEARTH_CRASH_SEED=%d", rounds, seed)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Duration(rounds)*10*time.Second)
	defer cancel()
	programs := t.TempDir()
	if err := rig.Build(ctx, programs); err != nil {
		t.Fatal(err)
	}
	log := openLog(t)
	server, err := rig.Start(rig.Options{Programs: programs, Data: filepath.Join(t.TempDir(), "data"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, server)
	if err := server.WaitReady(ctx); err != nil {
		t.Fatalf("%v\n%s", err, tail(log))
	}
	w, err := newWorld(ctx, server)
	if err != nil {
		t.Fatalf("%v\n%s", err, tail(log))
	}
	k := &killer{server: server, world: w, rand: rand.New(rand.NewPCG(uint64(seed), 0))}
	if err := w.live(ctx, func() error { return k.run(ctx, rounds) }); err != nil {
		t.Fatalf("%v\nThe log ends:\n%s", err, tail(log))
	}
	if err := w.verify(ctx); err != nil {
		t.Errorf("%v\nThe log ends:\n%s", err, tail(log))
	}
	if faults := rig.Failures(read(log)); len(faults) > 0 {
		t.Errorf("the programs' log tells of faults:\n%s", faults)
	}
	k.report(t)
}

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	s := os.Getenv(variable)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s=%s is no number", variable, s)
	}
	return n
}

func stop(t *testing.T, server *rig.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// A killer kills programs and measures how long the service is away.
type killer struct {
	server *rig.Server
	world  *world
	rand   *rand.Rand
	away   map[string][]time.Duration // by what was killed
}

// all stands for all programs at one stroke.
const all = "all"

func (k *killer) run(ctx context.Context, rounds int) error {
	k.away = make(map[string][]time.Duration)
	for range rounds {
		if err := k.world.acknowledged(ctx, 1+k.rand.IntN(between)); err != nil {
			return err
		}
		victim := []string{"storage", "homeserver", all}[k.rand.IntN(3)]
		if err := k.strike(ctx, victim); err != nil {
			return fmt.Errorf("killing %s: %w", victim, err)
		}
	}
	return nil
}

// strike kills the victim and waits until the service is back.
func (k *killer) strike(ctx context.Context, victim string) error {
	begin := time.Now()
	if victim == all {
		if err := k.server.Kill(ctx); err != nil {
			return err
		}
		begin = time.Now() // nobody but us starts them again
		if err := k.server.Restart(); err != nil {
			return err
		}
	} else if err := k.server.KillProgram(ctx, victim); err != nil {
		return err
	}
	if err := k.world.probe(ctx); err != nil {
		return err
	}
	away := time.Since(begin)
	k.away[victim] = append(k.away[victim], away)
	if away > comeback {
		return fmt.Errorf("the service was away for %s", away)
	}
	return nil
}

func (k *killer) report(t *testing.T) {
	for _, victim := range []string{"storage", "homeserver", all} {
		if times := k.away[victim]; len(times) > 0 {
			slices.Sort(times)
			t.Logf("killed %s %d times: back after %s at the median, %s at most", victim, len(times),
				times[len(times)/2].Round(time.Millisecond), slices.MaxFunc(times, cmp.Compare).Round(time.Millisecond))
		}
	}
	t.Logf("%d requests were acknowledged, %d had to be repeated", k.world.acks.Load(), k.world.repeats.Load())
}

func openLog(t *testing.T) *os.File {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return log
}

func read(log *os.File) string {
	content, err := os.ReadFile(log.Name())
	if err != nil {
		return "fatal error: " + err.Error()
	}
	return string(content)
}

// tail returns the end of the programs' log.
func tail(log *os.File) string {
	content := read(log)
	return content[max(0, len(content)-4000):]
}

// person is one account with its client.
type person struct {
	*wire.Client
	name string
}
