package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lastWords is how long the output of a program that has ended is still read, in case something that it
// moved to another group holds it open, and how long the log may take to be written at the end.
const lastWords = time.Second

// launcher starts processes from one thread that lives as long as the launcher: the death signal of
// prctl(2) is sent when the thread that started a process ends, which in Go can be long before the process
// that it belongs to does.
type launcher struct {
	stream *stream
	dir    string
	starts chan func() // run on the thread; closed by close
}

func newLauncher(s *stream, dir string) *launcher {
	l := &launcher{stream: s, dir: dir, starts: make(chan func())}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for start := range l.starts {
			start()
		}
	}()
	return l
}

// close ends the thread. No program that it started may still run.
func (l *launcher) close() { close(l.starts) }

func (l *launcher) start(p Program) (child, error) {
	ready, err := listenReadiness(filepath.Join(l.dir, p.Name+".notify"))
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.Name, err)
	}
	cmd, output, err := l.launch(p, ready.path)
	if err != nil {
		ready.close()
		return nil, fmt.Errorf("starting %s: %w", p.Name, err)
	}
	c := &started{cmd: cmd, ready: make(chan struct{}), exited: make(chan struct{})}
	go func() { // until the socket is closed below
		if ready.wait(cmd.Process.Pid) {
			close(c.ready)
		}
	}()
	drained := make(chan struct{})
	go func() { // until the output ends, or for lastWords after the program
		defer close(drained)
		l.stream.copy(p.Name, output)
	}()
	go func() { // until the program ends
		defer close(c.exited)
		c.reap()
		ready.close()
		output.SetReadDeadline(time.Now().Add(lastWords))
		<-drained
		output.Close()
	}()
	return c, nil
}

// launch starts the process on the launcher's thread and returns where its output can be read.
func (l *launcher) launch(p Program, readySocket string) (*exec.Cmd, *os.File, error) {
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Dir = p.Dir
	cmd.Env = p.Env
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env[:len(cmd.Env):len(cmd.Env)], "NOTIFY_SOCKET="+readySocket)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if p.Prepare != nil {
		if err := p.Prepare(cmd); err != nil {
			return nil, nil, fmt.Errorf("preparing: %w", err)
		}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pgid = true, 0
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, w, w
	failed := make(chan error)
	l.starts <- func() { failed <- cmd.Start() }
	err = <-failed
	w.Close()
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	return cmd, r, nil
}

// started is a process and its group.
type started struct {
	cmd    *exec.Cmd
	ready  chan struct{}
	exited chan struct{}
	mu     sync.Mutex // guards reaped
	reaped bool       // the process's number may be another's by now
}

func (c *started) Ready() <-chan struct{}  { return c.ready }
func (c *started) Exited() <-chan struct{} { return c.exited }

func (c *started) Exit() exit {
	state := c.cmd.ProcessState
	if state == nil {
		return exit{how: "its end was missed", code: -1}
	}
	status, _ := state.Sys().(syscall.WaitStatus)
	killed := status.Signaled() && (status.Signal() == syscall.SIGKILL || status.Signal() == syscall.SIGTERM)
	return exit{how: state.String(), code: state.ExitCode(), killed: killed}
}

func (c *started) Terminate() { c.signal(c.cmd.Process.Pid, syscall.SIGTERM) }
func (c *started) Kill()      { c.signal(-c.cmd.Process.Pid, syscall.SIGKILL) }

// signal signals the process, or its group if pid is negative, unless it is gone.
func (c *started) signal(pid int, sig syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reaped {
		syscall.Kill(pid, sig) // can only fail if what it is sent to has just ended
	}
}

// reap waits for the process's end, kills what is left of its group while the dead process still holds the
// group's number, and takes its status.
func (c *started) reap() {
	pid := c.cmd.Process.Pid
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	c.mu.Lock()
	syscall.Kill(-pid, syscall.SIGKILL)
	c.reaped = true
	c.mu.Unlock()
	c.cmd.Wait() // its error is the status, which Exit reads
}
