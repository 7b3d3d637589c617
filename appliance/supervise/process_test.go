package supervise_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hearth/appliance/supervise"
	"hearth/process"
)

// TestMain lets the test binary be the programs that the tests supervise, and a supervisor: HEARTH_TEST_AS
// says which.
func TestMain(m *testing.M) {
	switch os.Getenv("HEARTH_TEST_AS") {
	case "":
		os.Exit(m.Run())
	case "supervisor":
		beSupervisor()
	case "server":
		beServer()
	case "parent":
		beParent()
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		beReady()
		select {}
	case "proxy": // another process says that it is ready
		fmt.Println("child:", as("server").Run())
	}
	os.Exit(0)
}

func as(role string, env ...string) *exec.Cmd {
	cmd := exec.Command(self())
	cmd.Env = append(append(os.Environ(), "HEARTH_TEST_AS="+role), env...)
	return cmd
}

func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

func beReady() {
	fmt.Println("pid", os.Getpid(), "uid", os.Getuid())
	if err := process.Ready(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func beServer() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	beReady()
	<-ctx.Done()
	fmt.Fprint(os.Stderr, "bye")
}

// beParent is a server with a child in its group, which it leaves behind.
func beParent() {
	child := as("stubborn", "NOTIFY_SOCKET=")
	child.Stdout = os.Stdout
	if err := child.Start(); err != nil {
		panic(err)
	}
	beServer()
}

// beSupervisor keeps two servers, a and b, while threads of its own come and go.
func beSupervisor() {
	for range 20 {
		gone := make(chan struct{})
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			close(gone)
		}()
		<-gone
	}
	programs := []supervise.Program{program("a", "server"), program("b", "server")}
	err := supervise.Run(context.Background(), programs, supervise.Options{Log: os.Stdout, Dir: os.Getenv("HEARTH_TEST_DIR")})
	fmt.Println("ended:", err)
}

func program(name, role string) supervise.Program {
	return supervise.Program{Name: name, Path: self(), Env: append(os.Environ(), "HEARTH_TEST_AS="+role)}
}

// log reads the lines of a supervisor. Whose line comes first is a matter of luck, so that lines which were
// passed over can still be expected.
type log struct {
	t      *testing.T
	lines  *bufio.Scanner
	passed []string
}

func readLog(t *testing.T, r io.Reader) *log { return &log{t: t, lines: bufio.NewScanner(r)} }

// expect finds a line that begins with prefix, takes it out, and returns the words after the prefix.
func (l *log) expect(prefix string) []string {
	l.t.Helper()
	for i := 0; ; i++ {
		if i == len(l.passed) {
			if !l.lines.Scan() {
				l.t.Fatalf("no line begins with %q among\n%s", prefix, strings.Join(l.passed, "\n"))
			}
			l.passed = append(l.passed, l.lines.Text())
		}
		if rest, ok := strings.CutPrefix(l.passed[i], prefix); ok {
			l.passed = slices.Delete(l.passed, i, i+1)
			return strings.Fields(rest)
		}
	}
}

// pid expects the line in which a server names itself, and returns its process number.
func (l *log) pid(name string) int {
	l.t.Helper()
	n, err := strconv.Atoi(l.expect(name + ": pid ")[0])
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// running supervises programs in this process until the returned function is called, which returns Run's error.
func running(t *testing.T, opts supervise.Options, programs ...supervise.Program) (*log, func() error) {
	t.Helper()
	r, w := io.Pipe()
	opts.Log = w
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- supervise.Run(ctx, programs, opts)
		w.Close()
	}()
	l := readLog(t, r)
	return l, func() error {
		cancel()
		for l.lines.Scan() {
		}
		return <-ended
	}
}

// handle is a process that may be waited for by others than its parent.
type handle struct {
	t   *testing.T
	fd  int
	pid int
}

func open(t *testing.T, pid int) handle {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatalf("opening process %d: %v", pid, err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return handle{t, fd, pid}
}

// gone waits for the process's end.
func (h handle) gone() {
	h.t.Helper()
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}}, 5000)
		if err == unix.EINTR {
			continue
		}
		if n != 1 {
			h.t.Errorf("process %d is left behind: %v", h.pid, err)
			unix.PidfdSendSignal(h.fd, unix.SIGKILL, nil, 0)
		}
		return
	}
}

func TestRunsAndEnds(t *testing.T) {
	ready := make(chan struct{})
	l, end := running(t, supervise.Options{Ready: func() { close(ready) }}, program("a", "server"), program("b", "server"))
	a := open(t, l.pid("a"))
	b := open(t, l.pid("b"))
	<-ready
	if err := end(); err != nil {
		t.Error(err)
	}
	a.gone()
	b.gone()
}

func TestEndsInReverseOrderWithLastWords(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	programs := []supervise.Program{program("a", "server"), program("b", "server")}
	if err := supervise.Run(ctx, programs, supervise.Options{Log: &out, Dir: t.TempDir(), Ready: cancel}); err != nil {
		t.Error(err)
	}
	if !strings.HasSuffix(out.String(), "b: bye\na: bye\n") {
		t.Errorf("got\n%s", &out)
	}
}

func TestComesBackAtOnce(t *testing.T) {
	l, end := running(t, supervise.Options{}, program("a", "server"))
	pid := l.pid("a")
	killed := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if next := l.pid("a"); next == pid {
		t.Errorf("process %d answers again", pid)
	}
	t.Logf("back after %v", time.Since(killed))
	if took := time.Since(killed); took > 2*time.Second {
		t.Errorf("it took %v to come back", took)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestNothingIsLeftWhenTheSupervisorIsKilled(t *testing.T) {
	cmd := as("supervisor", "HEARTH_TEST_DIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l := readLog(t, out)
	a := open(t, l.pid("a"))
	b := open(t, l.pid("b"))
	for _, h := range []handle{a, b} {
		if err := unix.PidfdSendSignal(h.fd, 0, nil, 0); err != nil {
			t.Errorf("process %d has ended while its supervisor lived: %v", h.pid, err)
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	a.gone()
	b.gone()
}

func TestTheGroupEndsWithItsProgram(t *testing.T) {
	l, end := running(t, supervise.Options{}, program("a", "parent"))
	first, second := l.pid("a"), l.pid("a") // the parent's line and the child's, in either order
	handles := []handle{open(t, first), open(t, second)}
	parent := first
	for _, pid := range []int{first, second} {
		if group, _ := syscall.Getpgid(pid); group == pid {
			parent = pid
		}
	}
	syscall.Kill(parent, syscall.SIGKILL)
	for _, h := range handles {
		h.gone()
	}
	l.pid("a")
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestKillsWhatDoesNotEnd(t *testing.T) {
	p := program("a", "stubborn")
	p.StopWithin = time.Millisecond
	l, end := running(t, supervise.Options{}, p)
	a := open(t, l.pid("a"))
	l.expect("supervise: ")
	if err := end(); err != nil {
		t.Error(err)
	}
	a.gone()
}

func TestOnlyTheProgramItselfSaysThatItIsReady(t *testing.T) {
	p := program("a", "proxy")
	p.ReadyWithin = 500 * time.Millisecond
	err := supervise.Run(t.Context(), []supervise.Program{p}, supervise.Options{Log: io.Discard, Dir: t.TempDir(), Attempts: 1})
	if err == nil || err.Error() != "a does not start: not ready within 500ms" {
		t.Errorf("got %v", err)
	}
}

func TestCannotStart(t *testing.T) {
	missing := program("a", "server")
	missing.Path = "/nonexistent/program"
	unprepared := program("a", "server")
	unprepared.Prepare = func(*exec.Cmd) error { return fmt.Errorf("no such user") }
	for want, p := range map[string]supervise.Program{
		"a does not start: starting a: fork/exec /nonexistent/program: no such file or directory": missing,
		"a does not start: starting a: preparing: no such user":                                   unprepared,
	} {
		err := supervise.Run(t.Context(), []supervise.Program{p}, supervise.Options{Log: io.Discard, Dir: t.TempDir(), Attempts: 2})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	err := supervise.Run(t.Context(), []supervise.Program{program("a", "server")}, supervise.Options{Log: io.Discard, Dir: "/nonexistent", Attempts: 2})
	if err == nil || !strings.Contains(err.Error(), "readiness socket") {
		t.Errorf("without a folder for sockets: %v", err)
	}
}

// TestAnotherUser checks that a program which Prepare gives to another user can still say that it is ready.
func TestAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may start programs as another user")
	}
	dir, err := os.MkdirTemp("", "supervise")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary, err := os.ReadFile(self())
	if err != nil {
		t.Fatal(err)
	}
	p := program("a", "server")
	p.Path = filepath.Join(dir, "program")
	if err := os.WriteFile(p.Path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	os.Chmod(dir, 0o755)
	p.Prepare = func(cmd *exec.Cmd) error {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
		return nil
	}
	p.Dir = "/"
	l, end := running(t, supervise.Options{Dir: dir, Attempts: 1}, p)
	if words := l.expect("a: pid "); words[2] != "65534" {
		t.Errorf("it runs as %v", words)
	}
	if words := l.expect("supervise: "); !strings.Contains(strings.Join(words, " "), `msg="is ready"`) {
		t.Errorf("got %q", words)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}
