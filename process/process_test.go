package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth/process"
	"hearth/settings"
)

// TestMain lets the test binary be the program under test: HEARTH_TEST_RUN names how it behaves.
func TestMain(m *testing.M) {
	if path := os.Getenv("HEARTH_TEST_CONNECT"); path != "" {
		connect(path)
		return
	}
	if how := os.Getenv("HEARTH_TEST_RUN"); how != "" {
		process.Main("prog", behaviour(how))
	}
	os.Exit(m.Run())
}

func behaviour(how string) func(context.Context, []string, process.Streams) error {
	return func(ctx context.Context, args []string, std process.Streams) error {
		switch how {
		case "args":
			fmt.Fprintln(std.Out, strings.Join(args, " "))
			return nil
		case "printed":
			return fmt.Errorf("loading: %w", settings.ErrPrinted)
		case "settings":
			return fmt.Errorf("loading: %w", settings.Invalid("key", "no good"))
		case "fail":
			return errors.New("opening the door: locked")
		case "cancelled":
			return fmt.Errorf("asking: %w", context.Canceled)
		}
		fmt.Fprintln(std.Out, "waiting")
		<-ctx.Done()
		fmt.Fprintln(std.Out, "ended")
		if how == "stubborn" {
			select {}
		}
		return fmt.Errorf("serving: %w", ctx.Err())
	}
}

func program(how string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "HEARTH_TEST_RUN="+how)
	return cmd
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		how    string
		code   int
		stderr string
	}{
		{"args", process.ExitOK, ""},
		{"printed", process.ExitOK, ""},
		{"settings", process.ExitSettings, "prog: loading: setting key: no good\n"},
		{"fail", process.ExitFailed, "prog: opening the door: locked\n"},
		{"cancelled", process.ExitFailed, "prog: asking: context canceled\n"},
	} {
		cmd := program(c.how, "a", "b")
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if code := cmd.ProcessState.ExitCode(); code != c.code || stderr.String() != c.stderr {
			t.Errorf("%s: exits %d saying %q, want %d, %q", c.how, code, stderr.String(), c.code, c.stderr)
		}
		if c.how == "args" && stdout.String() != "a b\n" {
			t.Errorf("arguments arrive as %q", stdout.String())
		}
	}
}

func TestASignalEndsTheContext(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd, out := started(t, "wait")
		cmd.Process.Signal(sig)
		rest, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil || string(rest) != "ended\n" {
			t.Errorf("%v: %v, %q; want it to end well", sig, err, rest)
		}
	}
}

func TestAnotherSignalAtOnceIsTheSame(t *testing.T) {
	cmd, out := started(t, "wait")
	for range 3 {
		cmd.Process.Signal(syscall.SIGTERM)
	}
	rest, _ := io.ReadAll(out)
	if err := cmd.Wait(); err != nil || string(rest) != "ended\n" {
		t.Errorf("%v, %q; want it to end well", err, rest)
	}
}

func TestAnotherSignalLaterKills(t *testing.T) {
	cmd, out := started(t, "stubborn")
	begun := time.Now()
	cmd.Process.Signal(syscall.SIGTERM)
	if _, err := io.ReadFull(out, make([]byte, len("ended\n"))); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-exited:
			if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGTERM {
				t.Errorf("ended by %v, want SIGTERM", err)
			}
			if took := time.Since(begun); took < time.Second {
				t.Errorf("killed after %v", took)
			}
			return
		case <-again.C:
		}
	}
}

func started(t *testing.T, how string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := program(how)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { cmd.Process.Kill(); r.Close() })
	if _, err := io.ReadFull(r, make([]byte, len("waiting\n"))); err != nil {
		t.Fatal(err)
	}
	return cmd, r
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	log := process.Logger(&out, slog.LevelWarn)
	log.Info("not this")
	log.Warn("disk is nearly full", "free", settings.Bytes(3<<20))
	if got := out.String(); !strings.HasSuffix(got, ` level=WARN msg="disk is nearly full" free=3MiB`+"\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("got %q", got)
	}
}
