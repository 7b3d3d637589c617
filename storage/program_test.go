package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth/process"
	"hearth/settings"
	"hearth/storage/blob"
	"hearth/storage/socket"
)

// programEnv makes the test binary the program.
const programEnv = "HEARTH_STORAGE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		main()
	}
	os.Exit(m.Run())
}

// program is the program under test, in a process of its own.
type program struct {
	dir    string // holds its data, socket and readiness socket
	path   string // of its file
	cmd    *exec.Cmd
	notify *net.UnixConn
	stderr bytes.Buffer
}

func newProgram(tb testing.TB) *program {
	tb.Helper()
	dir, err := os.MkdirTemp("", "hearth") // tb.TempDir may be too long for a socket
	if err != nil {
		tb.Fatal(err)
	}
	p := &program{dir: dir, path: os.Args[0]}
	p.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		p.notify.Close()
		if p.cmd != nil {
			p.kill(tb)
		}
		os.RemoveAll(dir)
	})
	return p
}

func (p *program) socket() string { return filepath.Join(p.dir, "socket") }
func (p *program) data() string   { return filepath.Join(p.dir, "data") }
func (p *program) args() []string {
	return []string{"-set", "data=" + p.data(), "-set", "socket=" + p.socket()}
}

// start starts the program and waits until it says that it serves.
func (p *program) start(tb testing.TB) {
	tb.Helper()
	p.stderr.Reset()
	p.cmd = exec.Command(p.path, p.args()...)
	p.cmd.Env = append(os.Environ(), programEnv+"=1", "GORACE=atexit_sleep_ms=0", "NOTIFY_SOCKET="+filepath.Join(p.dir, "notify"))
	p.cmd.Stderr = &p.stderr
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	p.hear(tb, "READY=1")
}

// hear waits until the program tells its supervisor this.
func (p *program) hear(tb testing.TB, want string) {
	tb.Helper()
	p.notify.SetReadDeadline(time.Now().Add(time.Minute))
	text := make([]byte, 100)
	if n, err := p.notify.Read(text); err != nil || string(text[:n]) != want {
		p.kill(tb)
		tb.Fatalf("it says %q, %v; on stderr: %s", text[:n], err, p.stderr.String())
	}
}

// kill ends the program as a lost power line would.
func (p *program) kill(tb testing.TB) {
	tb.Helper()
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.cmd = nil
}

// stop ends the program as a supervisor would.
func (p *program) stop(tb testing.TB) {
	tb.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Fatal(err)
	}
	p.hear(tb, "STOPPING=1")
	if err := p.cmd.Wait(); err != nil {
		tb.Fatalf("it ended with %v; on stderr: %s", err, p.stderr.String())
	}
	p.cmd = nil
}

func (p *program) dial(tb testing.TB, namespace string) *socket.Client {
	tb.Helper()
	c, err := socket.Dial(context.Background(), p.socket(), namespace, socket.ClientOptions{Outage: time.Minute})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// verb runs a command of the program in this process.
func (p *program) verb(tb testing.TB, args ...string) (string, error) {
	tb.Helper()
	var out, stderr bytes.Buffer
	err := run(tb.Context(), append(p.args(), args...), process.Streams{Out: &out, Err: &stderr})
	if stderr.Len() > 0 {
		tb.Errorf("on stderr: %s", stderr.String())
	}
	return out.String(), err
}

func put(tb testing.TB, s blob.Applier, data string) blob.Hash {
	tb.Helper()
	var b blob.Batch
	h := b.Put([]byte(data))
	b.Set("t", []byte(data), []byte(data))
	if err := s.Apply(context.Background(), &b); err != nil {
		tb.Fatal(err)
	}
	return h
}

func TestServesUntilItIsTold(t *testing.T) {
	p := newProgram(t)
	p.start(t)
	c := p.dial(t, "homeserver")
	h := put(t, c, "hello")
	p.stop(t)
	if p.stderr.Len() > 0 {
		t.Errorf("on stderr: %s", p.stderr.String())
	}
	if _, err := os.Lstat(p.socket()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
	p.start(t)
	got, err := c.Get(t.Context(), h) // the same client
	if err != nil || string(got[0]) != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
	if got, err := p.dial(t, "dnsprimary").Get(t.Context(), h); err != nil || got[0] != nil {
		t.Fatalf("another namespace has %q, %v", got, err)
	}
	if _, err := socket.Dial(t.Context(), p.socket(), "other", socket.ClientOptions{}); blob.KindOf(err) != blob.Denied {
		t.Fatalf("got %v", err)
	}
	p.stop(t)
}

func TestVerbsWithAndWithoutTheProgram(t *testing.T) {
	p := newProgram(t)
	for _, verb := range []string{"verify", "stats"} {
		if _, err := p.verb(t, verb); err == nil || !strings.Contains(err.Error(), "there is no store in") {
			t.Errorf("%s of nothing: %v", verb, err)
		}
	}
	p.start(t)
	put(t, p.dial(t, "homeserver"), "hello")
	for _, running := range []bool{true, false} {
		if !running {
			p.stop(t)
		}
		out, err := p.verb(t, "verify")
		want := "dnsprimary: 0 blobs, 0 rows, 0 roots, 0 bytes, 0 damaged\nhomeserver: 1 blobs, 1 rows, 0 roots, "
		if err != nil || !strings.HasPrefix(out, want) {
			t.Errorf("running %v: verify: %q, %v", running, out, err)
		}
		out, err = p.verb(t, "stats")
		if err != nil || !strings.HasPrefix(out, "store: ") || strings.Count(out, "\n") != 3 {
			t.Errorf("running %v: stats: %q, %v", running, out, err)
		}
		out, err = p.verb(t, "stats", "-prometheus")
		want = fmt.Sprintf("\nstorage_batches_total{namespace=\"homeserver\"} %d\n", map[bool]int{true: 1}[running])
		if err != nil || !strings.Contains(out, want) || !strings.Contains(out, "\n# TYPE storage_size_bytes gauge\nstorage_size_bytes ") {
			t.Errorf("running %v: stats -prometheus: %q, %v", running, out, err)
		}
	}
}

func TestVerifyNamesDamage(t *testing.T) {
	p := newProgram(t)
	p.start(t)
	c := p.dial(t, "homeserver")
	for i := range 100 {
		put(t, c, strings.Repeat(fmt.Sprint(i%10), 500+i))
	}
	p.stop(t)
	tables, err := filepath.Glob(filepath.Join(p.data(), "lsm", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables in %s, %v", p.data(), err)
	}
	data, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/3] ^= 1
	if err := os.WriteFile(tables[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := p.verb(t, "verify")
	if err == nil || !strings.Contains(out+err.Error(), "damaged") || !strings.Contains(out+err.Error(), filepath.Base(tables[0])) {
		t.Fatalf("verify prints %q, and %v", out, err)
	}
}

func TestFaultsOfSettings(t *testing.T) {
	for set, want := range map[string]string{
		"data=":                       "name a folder",
		"socket=":                     "name a path",
		"group_delay=1s":              "want 0s to 10ms",
		"memory_limit=1MiB":           "want at least 32MiB",
		"namespaces=Big":              "is no name",
		"namespaces=a:x":              "is no user id",
		"namespaces=a,b,a:7":          "named twice",
		"unknown=1":                   "unknown",
		"namespaces=a:99999999999999": "is no user id",
	} {
		err := run(t.Context(), []string{"-set", set}, process.Streams{})
		var fault *settings.Error
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", set, err, want)
		}
	}
	for _, args := range [][]string{{"sweep"}, {"stats", "-x"}, {"stats", "x"}, {"verify", "x"}} {
		var fault *settings.Error
		if err := run(t.Context(), args, process.Streams{}); !errors.As(err, &fault) {
			t.Errorf("%v: got %v", args, err)
		}
	}
}

func TestUsersOfNamespaces(t *testing.T) {
	cfg := defaultSettings()
	cfg.Namespaces = []string{"a", "b:1001:1002"}
	users, err := cfg.users()
	me := uint32(os.Getuid())
	if want := map[string][]uint32{"a": {me}, "b": {me, 1001, 1002}}; err != nil || fmt.Sprint(users) != fmt.Sprint(want) {
		t.Fatalf("got %v, %v", users, err)
	}
	if mode := socketMode(users); mode != 0o666 {
		t.Errorf("others cannot connect: %v", mode)
	}
	if mode := socketMode(map[string][]uint32{"a": {me}}); mode != 0o600 {
		t.Errorf("others can connect: %v", mode)
	}
}

func TestStartsOnce(t *testing.T) {
	p := newProgram(t)
	p.start(t)
	err := run(t.Context(), p.args(), process.Streams{Err: &bytes.Buffer{}})
	if blob.KindOf(err) != blob.Unavailable {
		t.Fatalf("got %v", err)
	}
	p.stop(t)
}
