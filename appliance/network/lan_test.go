package network

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// aloneKey is set in the environment of a test that runs in a network namespace of its own.
const aloneKey = "HEARTH_NETWORK_TEST_ALONE"

// alone runs the test that calls it once more, as a process with a network and file systems of its own, and reports whether this is that process.
// The programs are what the test needs, and their packages of Debian.
func alone(t *testing.T, programs ...[2]string) bool {
	t.Helper()
	if os.Getenv(aloneKey) != "" {
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("this test must run as root: only root can make networks")
	}
	for _, p := range programs {
		if _, err := findTool(p[0]); err != nil {
			t.Skipf("%s (package %s) is not installed: make needs installs it on Debian", p[0], p[1])
		}
	}
	t.Parallel() // it mostly waits
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1", "-test.timeout=90s")
	c.Env = append(os.Environ(), aloneKey+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := c.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("this root may not make networks")
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// findTool finds a program where servers are, which not everybody's path names.
func findTool(name string) (string, error) {
	for _, folder := range []string{"/usr/sbin", "/sbin"} {
		if path := filepath.Join(folder, name); unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
	}
	return exec.LookPath(name)
}

// lan is a network of the box, which has the interfaces box0 and so on, and of a router behind them, which has router0 and so on.
type lan struct {
	t   *testing.T
	pid string // of a process in the router's namespace
	sys string // what says which interfaces are Ethernet
}

// newLAN makes a network with some cables, none of which is in.
func newLAN(t *testing.T, cables int) *lan {
	t.Helper()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"); err != nil {
		t.Fatal(err)
	}
	quicken(t)
	holder := exec.Command("/bin/sh", "-c", "for s in accept_dad router_solicitation_delay; do echo 0 > /proc/sys/net/ipv6/conf/default/$s; done; echo; exec cat")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	ready, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.StdinPipe(); err != nil { // it lives until this process ends
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	l := &lan{t: t, pid: strconv.Itoa(holder.Process.Pid), sys: t.TempDir()}
	for i := range cables {
		box, router := "box"+strconv.Itoa(i), "router"+strconv.Itoa(i)
		folder := filepath.Join(l.sys, "class/net", box)
		if err := errors.Join(os.MkdirAll(filepath.Join(folder, "device"), 0o755), os.WriteFile(filepath.Join(folder, "type"), []byte("1\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
		l.do("ip", "link", "add", box, "type", "veth", "peer", "name", router, "netns", l.pid)
	}
	l.do("ip", "link", "set", "lo", "up")
	return l
}

// quicken has addresses in use at once, without looking whether somebody else has them.
func quicken(t *testing.T) {
	t.Helper()
	for _, setting := range []string{"accept_dad", "router_solicitation_delay"} {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/default/"+setting, []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// do runs a command of the box.
func (l *lan) do(args ...string) {
	l.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		l.t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// router runs a command of the router.
func (l *lan) router(args ...string) {
	l.t.Helper()
	l.do(l.there(args)...)
}

// there returns how a command is run on the router's side.
func (l *lan) there(args []string) []string {
	return append([]string{"nsenter", "--target", l.pid, "--net"}, args...)
}

// inside calls f on the router's side: what it opens belongs there.
func (l *lan) inside(f func()) {
	l.t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, hereErr := os.Open("/proc/thread-self/ns/net")
	there, thereErr := os.Open("/proc/" + l.pid + "/ns/net")
	if err := errors.Join(hereErr, thereErr); err != nil {
		l.t.Fatal(err)
	}
	defer here.Close()
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		l.t.Fatal(err)
	}
	f()
	if err := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); err != nil {
		panic(err) // this thread must not run anything else
	}
}

// plug puts the cable of a number in.
func (l *lan) plug(i int) { l.router("ip", "link", "set", "router"+strconv.Itoa(i), "up") }

// pull takes it out.
func (l *lan) pull(i int) { l.router("ip", "link", "set", "router"+strconv.Itoa(i), "down") }

// daemon is a server that runs until it is killed or the test ends.
type daemon struct {
	t       *testing.T
	command *exec.Cmd
	done    chan struct{}
	mu      sync.Mutex // guards what follows
	said    bytes.Buffer
	more    chan struct{} // closed and made anew when it says more
}

// Write implements io.Writer.
func (d *daemon) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.more)
	d.more = make(chan struct{})
	return d.said.Write(p)
}

// says waits until a daemon has said something.
func (d *daemon) says(text string) {
	d.t.Helper()
	limit := time.After(patience)
	for {
		d.mu.Lock()
		said, more := strings.Contains(d.said.String(), text), d.more
		d.mu.Unlock()
		if said {
			return
		}
		select {
		case <-more:
		case <-d.done:
			d.t.Fatalf("%s has ended: %s", d.command.Args, &d.said)
		case <-limit:
			d.t.Fatalf("%s does not say %q", d.command.Args, text)
		}
	}
}

// kill ends a daemon.
func (d *daemon) kill() {
	d.command.Process.Kill()
	<-d.done
}

// start starts a server. What it says is shown if the test fails.
func start(t *testing.T, args ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, command: exec.Command(args[0], args[1:]...), done: make(chan struct{}), more: make(chan struct{})}
	d.command.Stdout, d.command.Stderr = d, d
	d.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		d.command.Wait()
		close(d.done)
	}()
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("%s said\n%s", strings.Join(args, " "), &d.said)
		}
	})
	return d
}

// dnsmasq starts a router of a number with some of dnsmasq's options. Its process has the namespace of the router.
func (l *lan) dnsmasq(i int, options ...string) *daemon {
	l.t.Helper()
	program, err := findTool("dnsmasq")
	if err != nil {
		l.t.Fatal(err)
	}
	args := []string{program, "--keep-in-foreground", "--log-facility=-", "--log-dhcp", "--conf-file=/dev/null", "--port=0", "--user=root", "--pid-file=",
		"--dhcp-leasefile=" + filepath.Join(l.t.TempDir(), "leases"), "--interface=router" + strconv.Itoa(i)}
	d := start(l.t, l.there(append(args, options...))...)
	d.says("started")
	return d
}

// patience is how long what must happen may take.
const patience = 45 * time.Second

// box starts a Network, and returns it with what ends it.
func (l *lan) box() (*Network, func()) {
	l.t.Helper()
	n := New("hearth", filepath.Join(l.t.TempDir(), "resolv.conf"), l.sys, slog.New(slog.NewTextHandler(l.t.Output(), nil)))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Run(ctx)
	}()
	end := func() {
		cancel()
		<-done
	}
	l.t.Cleanup(end)
	return n, end
}

// poll waits until something holds that nobody tells.
func (l *lan) poll(what string, holds func() bool) {
	l.t.Helper()
	limit := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-limit:
			l.t.Fatalf("it does not happen that %s", what)
		}
	}
}

// until waits until something holds of a network.
func until(t *testing.T, n *Network, what string, holds func() bool) {
	t.Helper()
	limit := time.After(patience)
	for {
		changed := n.Changed()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-limit:
			text, _ := os.ReadFile(n.Resolvers)
			t.Fatalf("it does not happen that %s; addresses %v, clocks %v, resolvers %q", what, n.Addresses(), n.Clocks(), text)
		}
	}
}

// resolves returns a test whether the file of resolvers names these.
func resolves(n *Network, servers ...string) func() bool {
	var want strings.Builder
	for _, s := range servers {
		want.WriteString("nameserver " + s + "\n")
	}
	return func() bool {
		text, err := os.ReadFile(n.Resolvers)
		return err == nil && string(text) == want.String()
	}
}

// has returns a test whether the box has these addresses, and no other.
func has(n *Network, addresses ...string) func() bool {
	return func() bool { return slices.Equal(n.Addresses(), addresses) }
}
