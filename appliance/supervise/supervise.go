// Package supervise starts programs in order, watches them, restarts what dies, and ends them all.
//
// The box's PID 1 and `appliance up` run the same code, so nothing here knows of a terminal, a user's
// folders or a particular program. It keeps these promises:
//
//  1. Order. A program starts once every one before it in the list has said that it is ready, by
//     sd_notify(3): READY=1 to the socket that NOTIFY_SOCKET names, from the program's own process.
//  2. Return. What dies, or is not ready in time, is started again: the first time at once, then with
//     doubling delays, until it has been ready for a while. Programs find each other again by themselves:
//     a death does not restart the others.
//  3. One stream. Every line that a program writes, to stdout or stderr, reaches the log whole and with
//     the program's name before it, unless the log is so slow that lines must be dropped, which it says.
//  4. A clean end. The programs get SIGTERM in reverse order, each after the next has ended; one that is
//     too slow is killed, with whatever it has started.
//  5. Nothing is left behind. A program is the leader of its own process group, and the group is killed
//     when the program ends; the kernel kills the program when the supervisor dies, even by SIGKILL.
//     (What a program starts and moves to another group, or leaves behind when both die at one stroke, is
//     the program's affair: ours start nothing.)
package supervise

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"time"

	"hearth/process"
)

// Defaults of Program, if it does not say otherwise.
const (
	ReadyWithin = 60 * time.Second
	StopWithin  = 10 * time.Second
)

// Program is one program to keep running.
type Program struct {
	Name        string        // before each of its log lines; unique, and fit to be part of a file's name
	Path        string        // its executable
	Args        []string      // its arguments, without its name
	Env         []string      // its whole environment, as KEY=value; nil for the supervisor's own
	Dir         string        // its working directory; "" for the supervisor's own
	ReadyWithin time.Duration // from start to READY=1, or it is killed and has failed; 0 for ReadyWithin
	StopWithin  time.Duration // from SIGTERM to its end, or it is killed; 0 for StopWithin

	// Prepare, if set, is called before every start, and may change the command: its credentials,
	// environment, namespaces, extra files. The supervisor keeps to itself the standard streams, the
	// process group and the death signal. If Prepare fails, the start has failed.
	Prepare func(*exec.Cmd) error
}

// Options are what the programs have in common.
type Options struct {
	Log      io.Writer // where all lines go; if it blocks, lines are dropped, and nothing waits for it
	Dir      string    // an existing folder for the readiness sockets, where the programs' users may look up names
	Ready    func()    // called once, when all programs are ready for the first time; may be nil
	Attempts int       // consecutive starts after which Run gives up a program that never was ready; 0: never
}

// Run keeps the programs running until ctx ends, then ends them and returns nil.
//
// With Options.Attempts it returns an error, after ending what runs, when a program that never was ready
// ends by itself so often, or only once if it says process.ExitSettings. Being killed does not count.
func Run(ctx context.Context, programs []Program, opts Options) error {
	if err := check(programs); err != nil {
		return err
	}
	stream := newStream(opts.Log)
	defer stream.close(lastWords)
	launcher := newLauncher(stream, opts.Dir)
	defer launcher.close()
	log := process.Logger(stream.named("supervise"), slog.LevelInfo)
	return run(ctx, programs, opts, launcher.start, log)
}

func check(programs []Program) error {
	seen := make(map[string]bool)
	for _, p := range programs {
		if p.Name == "" || seen[p.Name] {
			return fmt.Errorf("supervising %q: a program's name must be unique", p.Name)
		}
		seen[p.Name] = true
	}
	return nil
}

// run is Run, with the way to start a program given.
func run(ctx context.Context, programs []Program, opts Options, start startFunc, log *slog.Logger) error {
	gaveUp := make(chan error, len(programs))
	var keepers []*keeper
	for _, p := range programs {
		k := newKeeper(p, opts.Attempts, start, log)
		keepers = append(keepers, k)
		go k.keep(gaveUp)
		select {
		case <-k.ready:
			continue
		case err := <-gaveUp:
			stop(keepers)
			return err
		case <-ctx.Done():
			stop(keepers)
			return nil
		}
	}
	if opts.Ready != nil {
		opts.Ready()
	}
	<-ctx.Done() // a program that was ready once is never given up
	stop(keepers)
	return nil
}

// stop ends the programs in reverse order.
func stop(keepers []*keeper) {
	for i := len(keepers) - 1; i >= 0; i-- {
		close(keepers[i].stop)
		<-keepers[i].done
	}
}
