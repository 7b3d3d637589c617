// Package rig builds, runs, kills and watches the whole server as its owner would, for tests and measurements.
//
// What it runs is `appliance up` and the programs that this starts; nothing of
// the server runs in the caller's process. A Server is started on a folder,
// killed in whole or in part, and started again on the same folder and address.
// When the caller's process dies, so does the server.
package rig

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Build compiles the programs that make up the server into folder. It runs in
// the module of the working directory.
func Build(ctx context.Context, folder string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", folder+string(filepath.Separator),
		"hearth/appliance", "hearth/storage", "hearth/dnsprimary", "hearth/homeserver")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the programs: %w\n%s", err, out)
	}
	return nil
}

// Options say what a Server runs.
type Options struct {
	Programs string    // the folder that Build filled
	Data     string    // the data folder; need not exist
	Address  string    // of the Client-Server API, host:port; if empty, a free port of 127.0.0.1
	Name     string    // the server's name; if empty, "rig.test"
	Set      []string  // further settings, key=value
	Log      io.Writer // the programs' log; if nil, none
}

// A Server is a running `appliance up`. Its methods are not for several
// goroutines at once.
type Server struct {
	options Options
	cmd     *exec.Cmd
	exited  <-chan struct{} // closed when cmd has been waited for
}

// Start starts the programs. It does not wait until they answer; WaitReady does.
func Start(o Options) (*Server, error) {
	if o.Name == "" {
		o.Name = "rig.test"
	}
	if o.Address == "" {
		address, err := FreeAddress()
		if err != nil {
			return nil, err
		}
		o.Address = address
	}
	s := &Server{options: o}
	return s, s.Restart()
}

// FreeAddress returns an address of 127.0.0.1, host:port, at which nobody listens now.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// Restart starts the programs again, on the same folder and address, after
// Stop or Kill.
func (s *Server) Restart() error {
	s.cmd = exec.Command(filepath.Join(s.options.Programs, "appliance"), s.args()...)
	s.cmd.Stderr = s.options.Log // what up says on stdout, its URL, we know
	exited, err := Launch(s.cmd)
	if err != nil {
		return fmt.Errorf("starting the programs: %w", err)
	}
	s.exited = exited
	return nil
}

func (s *Server) args() []string {
	args := []string{"up", "--data", s.options.Data}
	for _, set := range append([]string{
		"server_name=" + s.options.Name,
		"client_address=" + s.options.Address,
		"registration=open",
		"rate_limits=false",
	}, s.options.Set...) {
		args = append(args, "--set", set)
	}
	return args
}

// URL is the base of the Client-Server API.
func (s *Server) URL() string { return "http://" + s.options.Address }

// Address is where the Client-Server API listens, host:port.
func (s *Server) Address() string { return s.options.Address }

// WaitReady returns when the server answers, or with an error when ctx ends or
// the programs do.
func (s *Server) WaitReady(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !s.answers(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the server to answer: %w", ctx.Err())
		case <-s.exited:
			return fmt.Errorf("waiting for the server to answer: it ended, %s", s.cmd.ProcessState)
		}
	}
	return nil
}

// answers tries one request on a connection of its own, since a pool might
// hold connections to programs that were killed.
func (s *Server) answers(ctx context.Context) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/_matrix/client/v3/account/whoami", nil)
	if err != nil {
		return false
	}
	r.Close = true
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusUnauthorized // it knows what it needs; a proxy in between would not
}

// Stop ends the programs cleanly, by SIGTERM, and returns when all are gone.
func (s *Server) Stop(ctx context.Context) error {
	programs := s.processes()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping the programs: %w", err)
	}
	return s.gone(ctx, programs)
}

// Kill kills all programs at one stroke, by SIGKILL, and returns when all are gone.
func (s *Server) Kill(ctx context.Context) error {
	programs := s.processes()
	for _, p := range programs {
		_ = unix.Kill(p.PID, unix.SIGKILL) // it may have ended by itself
	}
	return s.gone(ctx, programs)
}

// KillProgram kills the one program of that name and returns when it is gone.
// What supervises it starts it again.
func (s *Server) KillProgram(ctx context.Context, name string) error {
	for _, p := range s.processes() {
		if p.Name != name {
			continue
		}
		_ = unix.Kill(p.PID, unix.SIGKILL) // it may have ended by itself
		return p.gone(ctx)
	}
	return fmt.Errorf("killing %s: it does not run", name)
}

func (s *Server) gone(ctx context.Context, programs []Process) error {
	for _, p := range programs {
		if p.PID == s.cmd.Process.Pid {
			continue // our own child, waited for below
		}
		if err := p.gone(ctx); err != nil {
			return err
		}
	}
	select {
	case <-s.exited:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the programs to end: %w", ctx.Err())
	}
}

// Programs returns the programs that run, `appliance` first, without what they
// have started themselves.
func (s *Server) Programs() []Process { return s.processes() }

func (s *Server) processes() []Process {
	parent := s.cmd.Process.Pid
	select {
	case <-s.exited:
		return nil
	default:
	}
	found := []Process{{Name: "appliance", PID: parent}}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return found
	}
	for _, e := range entries {
		if p, ok := readProcess(e.Name()); ok && p.parent == parent {
			found = append(found, p)
		}
	}
	return found
}

// Failures returns the lines of log that tell of a fault in the programs: what
// Go prints when it panics, fails or finds a data race.
func Failures(log string) []string {
	var found []string
	for line := range strings.Lines(log) {
		for _, mark := range []string{"panic:", "fatal error:", "DATA RACE", "level=ERROR"} {
			if strings.Contains(line, mark) {
				found = append(found, strings.TrimSpace(line))
				break
			}
		}
	}
	return found
}
