package confinement

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The users of these tests, who are in no file and own nothing else.
const (
	own   = 52001
	other = 52002
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// scene is a folder with a program that was taken over and what it is after.
type scene struct {
	dir, intruder string
	policy        Policy
	victim        string // number of another user's process
	port          string // address at which somebody listens
}

func newScene(t *testing.T) *scene {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("this test must run as root: only root can be another user")
	}
	dir, err := os.MkdirTemp("/tmp", "confinement")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &scene{dir: dir, intruder: filepath.Join(dir, "intruder")}
	s.takeIntruder(t)
	must(t, os.Chmod(dir, 0o755))
	for folder, uid := range map[string]int{"own": own, "elsewhere": own, "other": other} {
		must(t, os.Mkdir(s.path(folder), 0o700))
		must(t, os.WriteFile(s.path(folder, "file"), []byte("secret"), 0o600))
		must(t, os.WriteFile(s.path(folder, "second"), []byte("secret"), 0o600))
		must(t, os.Chown(s.path(folder), uid, uid))
		must(t, os.Chown(s.path(folder, "file"), uid, uid))
		must(t, os.Chown(s.path(folder, "second"), uid, uid))
	}
	must(t, os.WriteFile(s.path("listed"), []byte("certificates"), 0o644))
	must(t, unix.Mknod(s.path("disk"), unix.S_IFBLK|0o660, int(someDisk(t))))
	s.policy = Policy{
		User: own, Disk: true, Read: []string{s.path("listed"), s.path("nosuch")}, Write: []string{s.path("own")}, Files: 128, Threads: 64,
	}
	s.victim = s.startVictim(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	s.port = listener.Addr().String()
	return s
}

// builtIntruder names the intruder where it cannot be built: in the virtual machine of the appliance's test, which runs this.
const builtIntruder = "HEARTH_TEST_INTRUDER"

// takeIntruder puts the intruder into the scene, and beside it a shell.
func (s *scene) takeIntruder(t *testing.T) {
	t.Helper()
	if built := os.Getenv(builtIntruder); built != "" {
		program, err := os.ReadFile(built)
		must(t, err)
		must(t, os.WriteFile(s.intruder, program, 0o755))
	} else {
		build := exec.Command("go", "build", "-o", s.intruder, "./testdata/intruder")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building the intruder: %v\n%s", err, out)
		}
	}
	program, err := os.ReadFile(s.intruder)
	must(t, err)
	must(t, os.WriteFile(s.path("sh"), program, 0o755))
}

// someDisk returns the number of a disk of this machine.
func someDisk(t *testing.T) uint64 {
	t.Helper()
	disks, err := filepath.Glob("/sys/class/block/*/dev")
	must(t, err)
	for _, disk := range disks {
		text, err := os.ReadFile(disk)
		must(t, err)
		var major, minor uint32
		if _, err := fmt.Sscanf(string(text), "%d:%d", &major, &minor); err == nil {
			return unix.Mkdev(major, minor)
		}
	}
	t.Fatal("this machine has no disk")
	return 0
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *scene) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

// startVictim starts a process of the other user, which is there when this returns.
func (s *scene) startVictim(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(s.intruder, "wait", "")
	policy := Policy{User: other, Files: 64, Threads: 64}
	must(t, policy.Wrap(cmd))
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "waiting\n" {
		t.Fatalf("the victim says %q, %v", line, err)
	}
	return strconv.Itoa(cmd.Process.Pid)
}

// attempt has the intruder do something, under the policy if there is one, and returns what it says.
func (s *scene) attempt(t *testing.T, p *Policy, what, target string) string {
	t.Helper()
	cmd := exec.Command(s.intruder, what, target)
	cmd.Dir = "/"
	if p != nil {
		must(t, p.Wrap(cmd))
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return strings.TrimSpace(string(out)) + " " + err.Error()
	}
	return strings.TrimSpace(string(out))
}

// Threat 16: a process that is taken over reads another's data, opens a shell, or reaches what it has no business with.
// Each attempt is made twice: free, as root, where it must succeed, so that the attempt is known to be one, and confined.
func TestIntruder(t *testing.T) {
	s := newScene(t)
	for _, c := range []struct{ what, target string }{
		{"read", s.path("other", "file")},
		{"list", s.path("other")},
		{"write", s.path("other", "file")},
		{"read", s.path("elsewhere", "file")}, // its user could
		{"list", s.path("elsewhere")},
		{"write", s.path("elsewhere", "new")},
		{"truncate", s.path("elsewhere", "second")},
		{"rename", s.path("elsewhere", "second")},
		{"mkdir", s.path("elsewhere", "folder")},
		{"write", s.path("listed")},
		{"write", "/dev/null"},
		{"read", "/etc/hosts"},
		{"list", "/"},
		{"list", "/proc"},
		{"read", s.path("disk")},
		{"device", s.path("own", "device")},
		{"spawn", s.path("sh")},
		{"exec", s.path("sh")},
		{"exec", s.intruder},
		{"signal", s.victim},
		{"signal", strconv.Itoa(os.Getpid())},
		{"peek", s.victim},
		{"memory", s.victim},
		{"trace", s.victim},
		{"dial", s.port},
		{"listen", "127.0.0.1:0"},
		{"socket", strconv.Itoa(unix.AF_INET)},
		{"socket", strconv.Itoa(unix.AF_INET6)},
		{"raw", strconv.Itoa(unix.AF_INET)},
		{"machine", ""},
		{"mount", s.path("own")},
		{"root", ""},
		{"namespace", ""},
		{"files", "256"},
		{"raise", "4096"},
		{"reuse", "128"},
	} {
		confined := s.attempt(t, &s.policy, c.what, c.target)
		free := s.attempt(t, nil, c.what, c.target)
		if c.what == "mount" {
			syscall.Unmount(c.target, 0)
		}
		if free != "done" && !(c.what == "exec" && c.target == s.intruder) { // which ends with its own complaint
			t.Errorf("%s %s: free, it says %q: that is no attempt", c.what, c.target, free)
		}
		if !strings.Contains(confined, "not permitted") && !strings.Contains(confined, "denied") && !strings.Contains(confined, "too many open files") &&
			!strings.Contains(confined, "bad file descriptor") {
			t.Errorf("%s %s: confined, it says %q", c.what, c.target, confined)
		}
	}
}

func TestWorkGoesOn(t *testing.T) {
	s := newScene(t)
	network, plain := s.policy, s.policy
	network.Network, network.LowPorts = true, true
	plain.Disk = false
	for _, c := range []struct {
		policy       *Policy
		what, target string
	}{
		{&s.policy, "read", s.path("own", "file")},
		{&s.policy, "list", s.path("own")},
		{&s.policy, "write", s.path("own", "new")},
		{&s.policy, "mkdir", s.path("own", "folder")},
		{&s.policy, "rename", s.path("own", "second")},
		{&s.policy, "unix", s.path("own", "socket")},
		{&s.policy, "read", s.path("listed")},
		{&s.policy, "files", "100"},
		{&plain, "unix", s.path("own", "socket")},
		{&network, "dial", s.port},
		{&network, "listen", "127.0.0.1:0"},
		{&network, "listen", "127.0.0.1:979"},
	} {
		if got := s.attempt(t, c.policy, c.what, c.target); got != "done" {
			t.Errorf("%s %s: it says %q", c.what, c.target, got)
		}
	}
	for _, c := range []struct{ policy, what, target, want string }{
		{"plain", "mkdir", s.path("own", "second folder"), "operation not permitted"},
		{"network", "raw", strconv.Itoa(unix.AF_INET), "operation not permitted"},
		{"network", "socket", strconv.Itoa(unix.AF_VSOCK), "operation not permitted"},
	} {
		p := map[string]*Policy{"plain": &plain, "network": &network}[c.policy]
		if got := s.attempt(t, p, c.what, c.target); !strings.HasSuffix(got, c.want) {
			t.Errorf("%s %s: it says %q, want %q", c.what, c.target, got, c.want)
		}
	}
	network.LowPorts = false
	if got := s.attempt(t, &network, "listen", "127.0.0.1:979"); !strings.Contains(got, "denied") {
		t.Errorf("listening on a low port without leave: it says %q", got)
	}
}

func TestWrapRefuses(t *testing.T) {
	for _, p := range []Policy{
		{User: 0, Files: 64, Threads: 1},
		{User: own, Files: 63, Threads: 1},
		{User: own, Files: 64},
	} {
		if err := p.Wrap(exec.Command("/bin/true")); err == nil {
			t.Errorf("%+v is taken", p)
		}
	}
}

func TestShimFailsWhole(t *testing.T) {
	s := newScene(t)
	s.policy.Group = s.path("nosuch")
	if got := s.attempt(t, &s.policy, "read", s.path("own", "file")); !strings.Contains(got, "joining the control group") || strings.Contains(got, "done") {
		t.Errorf("without its control group: %q", got)
	}
	s.policy.Group = ""
	cmd := exec.Command(s.path("nosuch"))
	must(t, s.policy.Wrap(cmd))
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "opening it: no such file") {
		t.Errorf("a program that is not there: %q, %v", out, err)
	}
}

// What the filter says of calls is read here without a kernel.
func TestFilter(t *testing.T) {
	p := Policy{User: own, Files: 64, Threads: 1}
	program, err := assemble(p.filter(77))
	must(t, err)
	vm, err := bpf.NewVM(program)
	must(t, err)
	for _, c := range []struct {
		what    string
		call    uint32
		args    []uint32
		allowed bool
	}{
		{"read", unix.SYS_READ, nil, true},
		{"ptrace", unix.SYS_PTRACE, nil, false},
		{"execve", unix.SYS_EXECVE, nil, false},
		{"fsync without a disk", unix.SYS_FSYNC, nil, false},
		{"execveat of the shim", unix.SYS_EXECVEAT, []uint32{64, 0, 0, 0, unix.AT_EMPTY_PATH}, true},
		{"execveat of another", unix.SYS_EXECVEAT, []uint32{63, 0, 0, 0, unix.AT_EMPTY_PATH}, false},
		{"execveat of a path", unix.SYS_EXECVEAT, []uint32{64, 0, 0, 0, 0}, false},
		{"a thread", unix.SYS_CLONE, []uint32{isThread | unix.CLONE_SYSVSEM}, true},
		{"a process", unix.SYS_CLONE, []uint32{unix.CLONE_VM | unix.CLONE_VFORK}, false},
		{"unix socket", unix.SYS_SOCKET, []uint32{unix.AF_UNIX, unix.SOCK_STREAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK}, true},
		{"unix socket of another type", unix.SYS_SOCKET, []uint32{unix.AF_UNIX, unix.SOCK_RAW}, false},
		{"inet socket", unix.SYS_SOCKET, []uint32{unix.AF_INET, unix.SOCK_STREAM}, false},
		{"netlink", unix.SYS_SOCKET, []uint32{unix.AF_NETLINK, unix.SOCK_RAW}, false},
		{"signal to itself", unix.SYS_TGKILL, []uint32{77}, true},
		{"signal to another", unix.SYS_TGKILL, []uint32{78}, false},
		{"signal to all", unix.SYS_KILL, []uint32{^uint32(0)}, false},
		{"memory that is filled", unix.SYS_MMAP, []uint32{0, 0, unix.PROT_READ | unix.PROT_WRITE}, true},
		{"memory that is run", unix.SYS_MMAP, []uint32{0, 0, unix.PROT_READ | unix.PROT_EXEC}, false},
	} {
		data := make([]byte, 64)
		put := func(at int, v uint32) { binary.BigEndian.PutUint32(data[at:], v) } // as the simulation reads, unlike the kernel
		put(0, c.call)
		put(4, map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH])
		for i, a := range c.args {
			put(16+8*i, a)
		}
		got, err := vm.Run(data)
		must(t, err)
		if allowed := uint32(got) == unix.SECCOMP_RET_ALLOW; allowed != c.allowed {
			t.Errorf("%s: allowed is %v (%#x)", c.what, allowed, got)
		}
	}
}
