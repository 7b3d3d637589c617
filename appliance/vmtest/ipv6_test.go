package vmtest_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hearth/appliance/network"
)

// TestIPv6Alone boots a box on a network of IPv6 alone, on which a real router announces itself and says whom to ask for names and, by
// DHCPv6, for nothing else. The box must have an address, know the time by names that it resolves, be found by its name, and serve.
func TestIPv6Alone(t *testing.T) {
	long(t)
	if !onANetworkOfItsOwn(t) {
		return
	}
	const router = "2001:db8:6::1"
	command6(t, "ip", "link", "set", "lo", "up")
	command6(t, "ip", "tuntap", "add", "box", "mode", "tap")
	command6(t, "ip", "address", "add", router+"/64", "dev", "box", "nodad")
	command6(t, "ip", "link", "set", "box", "up")
	daemon(t, "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--log-dhcp", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--interface=box", "--bind-dynamic",
		"--dhcp-leasefile="+filepath.Join(t.TempDir(), "leases"), "--enable-ra", "--dhcp-range=::,constructor:box,ra-stateless",
		"--no-resolv", "--no-hosts", "--address=/pool.ntp.org/"+router)
	daemon(t, "chronyd", "-x", "-d", "-u", "root", "-f", chronyConfig(t, router))

	m := newMachine(t, version(t, uefi, "1.0", 10))
	m.network = "tap,ifname=box,script=no,downscript=no"
	m.start(t)
	address := m.consoleSays(t, `at http://(\[2001:db8:6:[0-9a-f:]+\]):8008`)[1]
	m.client, m.management = "http://"+address+":8008", address+":8422"
	m.consoleSays(t, `network +well: 2001:db8:6:[0-9a-f:]+, hearth\.local\r?\n`)
	m.consoleSays(t, `clock +well: known by time servers`)
	k, err := register(t.Context(), m.client, "alice")
	if err != nil {
		t.Fatal(err)
	}
	client := k.connect()
	defer client.Close()
	if err := k.say(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if err := k.check(t.Context()); err != nil {
		t.Error(err)
	}
	found, err := network.Find(t.Context(), "hearth.local")
	if err != nil || net.JoinHostPort(found.String(), "8008") != address+":8008" {
		t.Errorf("hearth.local is found at %v, %v", found, err)
	}
	m.management = "hearth.local"
	if got := m.status(t); got != "1.0" {
		t.Errorf("by its name it says that version %s runs", got)
	}
}

// onANetworkOfItsOwn runs the test that calls it once more, as a process with a network of its own, and reports whether this is that process.
func onANetworkOfItsOwn(t *testing.T) bool {
	t.Helper()
	const key = "HEARTH_VMTEST_ALONE"
	if os.Getenv(key) != "" {
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("this test must run as root: only root can make networks")
	}
	for _, program := range []string{"ip", "dnsmasq", "chronyd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: make needs installs it on Debian", program)
		}
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	c.Env = append(os.Environ(), key+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := c.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	} else {
		t.Logf("%s", out)
	}
	return false
}

func command6(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// daemon runs a server until the test ends. What it says is shown if the test fails.
func daemon(t *testing.T, args ...string) {
	t.Helper()
	said := new(console)
	c := exec.Command(args[0], args[1:]...)
	c.Stdout, c.Stderr = said, said
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		if t.Failed() {
			t.Logf("%s said\n%s", args[0], said)
		}
	})
}

// chronyConfig writes the settings of a time server at an address, which says what time it is here.
func chronyConfig(t *testing.T, address string) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "chrony") // the path of its socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	text := strings.Join([]string{"local stratum 8", "allow", "bindaddress " + address, "cmdport 0", "bindcmdaddress " + folder + "/s", "pidfile " + folder + "/p"}, "\n")
	if err := os.WriteFile(folder+"/c", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder + "/c"
}

// consoleSays waits until the console has said something, and returns the parts of it.
func (m *machine) consoleSays(t *testing.T, pattern string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), comesUp, errors.New("the console does not say "+pattern))
	defer cancel()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for expression := regexp.MustCompile(pattern); ; {
		if found := expression.FindStringSubmatch(m.console.String()); found != nil {
			return found
		}
		select {
		case <-again.C:
		case <-m.vm.Done():
			t.Fatalf("the machine has ended: %v", m.vm.Err())
		case <-ctx.Done():
			t.Fatal(context.Cause(ctx))
		}
	}
}
