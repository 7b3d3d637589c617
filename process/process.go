// Package process is what every program does as a process: signals, exit codes, log, readiness, memory, local sockets.
//
// A program's main is
//
//	func main() { process.Main("storage", run) }
//
// and its run loads its settings, opens what it needs, calls Ready once it serves, and returns when ctx ends.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"hearth/settings"
)

// Exit codes of the programs. A supervisor need not start a program again that ended with ExitSettings.
const (
	ExitOK       = 0
	ExitFailed   = 1
	ExitSettings = 78 // EX_CONFIG of BSD's sysexits.h: the settings must change first
)

// Streams are a program's standard streams, so that a test can run it in process.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// impatience is how long after the first signal another one is taken for the same: `timeout`, for one, sends
// SIGTERM to its command and then to the command's whole group.
const impatience = time.Second

// Main runs a program and ends the process. The context ends at the first SIGTERM or SIGINT; another one,
// impatience later, kills. If run fails, Main prints one line to stderr and exits with ExitSettings for faults of type
// *settings.Error, with ExitFailed for others. Returning settings.ErrPrinted, or the context's own error
// after a signal, is ending well.
func Main(name string, run func(ctx context.Context, args []string, std Streams) error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, func() { time.AfterFunc(impatience, stop) })
	std := Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	err := run(ctx, os.Args[1:], std)
	code := exitCode(ctx, err)
	if code != ExitOK {
		fmt.Fprintf(std.Err, "%s: %v\n", name, err)
	}
	os.Exit(code)
}

func exitCode(ctx context.Context, err error) int {
	var fault *settings.Error
	switch {
	case err == nil, errors.Is(err, settings.ErrPrinted):
		return ExitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return ExitOK
	case errors.As(err, &fault):
		return ExitSettings
	}
	return ExitFailed
}

// Logger returns the program's log: lines of key=value on w, those of level and above.
//
// Levels: error is what needs the owner, warn is what may, info is a few lines a day, debug is for us.
// No level shows message content, tokens or keys.
func Logger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
