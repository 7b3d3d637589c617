package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth/confinement"
	"hearth/process"
	"hearth/settings"
)

// TestMain lets the test binary be appliance and the programs that it runs, by the name it is called by.
func TestMain(m *testing.M) {
	confinement.Main()
	if target := os.Getenv(askNamespace); target != "" {
		if err := ask(target); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	switch filepath.Base(os.Args[0]) {
	case "appliance":
		main()
	case "storage":
		process.Main("storage", storage)
	case "dnsprimary":
		process.Main("dnsprimary", dnsprimary)
	case "homeserver":
		process.Main("homeserver", homeserver)
	}
	os.Exit(m.Run())
}

// storage stands for the program: it has the settings that up uses, and serves nothing.
func storage(ctx context.Context, args []string, std process.Streams) error {
	var cfg struct {
		Data   string `toml:"data" doc:"Its folder."`
		Socket string `toml:"socket" doc:"Its socket."`
	}
	if _, err := settings.Load("storage", &cfg, args, std.Out); err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return err
	}
	listener, err := process.ListenUnix(cfg.Socket, 0o600)
	if err != nil {
		return err
	}
	defer listener.Close()
	fmt.Fprintln(std.Err, "storing in", cfg.Data)
	if err := process.Ready(); err != nil {
		return err
	}
	<-ctx.Done()
	fmt.Fprintln(std.Err, "stored")
	return nil
}

// dnsprimary stands for the program: it needs storage, and has the settings that up uses.
func dnsprimary(ctx context.Context, args []string, std process.Streams) error {
	var cfg struct {
		Storage string   `toml:"storage_socket" doc:"Where storage is."`
		Admin   string   `toml:"admin_socket" doc:"Its own socket."`
		Socket  string   `toml:"socket" doc:"Where DNS is."`
		Key     string   `toml:"local_key_file" doc:"The key for it."`
		Listen  []string `toml:"listen" doc:"Its address."`
	}
	if _, err := settings.Load("dnsprimary", &cfg, args, std.Out); err != nil {
		return err
	}
	store, err := net.Dial("unix", cfg.Storage)
	if err != nil {
		return err
	}
	defer store.Close()
	listener, err := process.ListenUnix(cfg.Socket, 0o600)
	if err != nil {
		return err
	}
	defer listener.Close()
	if err := process.Ready(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// homeserver stands for the program: it needs storage, and answers GET / with its settings.
func homeserver(ctx context.Context, args []string, std process.Streams) error {
	var cfg struct {
		Name         string `toml:"server_name" doc:"Its name."`
		Listen       string `toml:"listen" doc:"Its address."`
		Federation   string `toml:"federation_listen" doc:"Its address for servers."`
		Registration string `toml:"registration" doc:"Who may register."`
		Storage      string `toml:"storage_socket" doc:"Where storage is."`
		Admin        string `toml:"admin_socket" doc:"Its own socket."`
		TLS          struct {
			Socket string `toml:"dns_socket" doc:"Where DNS is."`
			Key    string `toml:"dns_key_file" doc:"The key for it."`
		} `toml:"tls"`
	}
	if _, err := settings.Load("homeserver", &cfg, args, std.Out); err != nil {
		return err
	}
	store, err := net.Dial("unix", cfg.Storage)
	if err != nil {
		return err
	}
	defer store.Close()
	dns, err := net.Dial("unix", cfg.TLS.Socket)
	if err != nil {
		return err
	}
	defer dns.Close()
	if key, err := os.ReadFile(cfg.TLS.Key); err != nil || len(strings.Fields(string(key))) != 3 {
		return fmt.Errorf("the key is %q, %w", key, err)
	}
	admin, err := process.ListenUnix(cfg.Admin, 0o600)
	if err != nil {
		return err
	}
	defer admin.Close()
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return err
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("PID", strconv.Itoa(os.Getpid()))
		fmt.Fprintf(w, "%s|%s|%s", cfg.Name, cfg.Registration, cfg.Federation)
	})}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := process.Ready(); err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// programs returns a folder with appliance, storage and homeserver.
func programs(t *testing.T) string {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"appliance", "storage", "dnsprimary", "homeserver"} {
		if err := os.WriteFile(filepath.Join(dir, name), self, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// started is a running up.
type started struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr bytes.Buffer
}

func start(t *testing.T, args ...string) *started {
	t.Helper()
	s := &started{t: t, cmd: exec.Command(filepath.Join(programs(t), "appliance"), append([]string{"up"}, args...)...)}
	s.cmd.Stderr = &s.stderr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout = w
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	s.stdout = bufio.NewReader(r)
	t.Cleanup(func() { s.cmd.Process.Kill(); s.cmd.Wait(); r.Close() })
	return s
}

// welcome reads what up says when all is ready.
func (s *started) welcome() string {
	s.t.Helper()
	var text strings.Builder
	for {
		line, err := s.stdout.ReadString('\n')
		if err != nil {
			s.cmd.Wait()
			s.t.Fatalf("up ends before it is ready: %s", &s.stderr)
		}
		text.WriteString(line)
		if strings.HasPrefix(line, "  connect") {
			return text.String()
		}
	}
}

// wait returns up's exit code and log when it has ended.
func (s *started) wait() (code int, log string) {
	s.t.Helper()
	s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode(), s.stderr.String()
}

func get(t *testing.T, address string) string {
	t.Helper()
	body, _, err := request(address)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// request returns what the homeserver says, and which process it is.
func request(address string) (body, pid string, err error) {
	answer, err := http.Get("http://" + address)
	if err != nil {
		return "", "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), answer.Header.Get("PID"), err
}

const welcome = `
Hearth is running: server name example.org:8448, data in DATA. Ctrl-C ends it.

  homeserver  http://ADDRESS
  register    in a client, or: curl http://ADDRESS/_matrix/client/v3/register -d \
              '{"username":"alice","password":"change me","auth":{"type":"m.login.dummy"}}'
  connect     in any Matrix client: choose another homeserver, http://ADDRESS
`

func TestUp(t *testing.T) {
	data, address := filepath.Join(t.TempDir(), "new"), freeAddress(t)
	s := start(t, "--data", data, "--set", "homeserver.server_name=example.org:8448", "--set", "client_address="+address)
	want := strings.NewReplacer("DATA", data, "ADDRESS", address).Replace(welcome)
	if got := s.welcome(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := get(t, address); got != "example.org:8448|open|" {
		t.Errorf("the homeserver has the settings %s", got)
	}

	second, log := start(t, "--set", "data="+data).wait()
	if second != process.ExitFailed || log != "appliance: another appliance up runs on the data folder "+data+"\n" {
		t.Errorf("a second up on the same folder exits %d saying %s", second, log)
	}

	s.cmd.Process.Signal(syscall.SIGTERM)
	code, log := s.wait()
	if code != process.ExitOK {
		t.Errorf("it exits %d", code)
	}
	for _, line := range []string{"storage: storing in " + filepath.Join(data, "storage"), "storage: stored"} {
		if !strings.Contains(log, line+"\n") {
			t.Errorf("the log lacks %q:\n%s", line, log)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(data, "run", "*")); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}

func TestUpAgainAfterKill(t *testing.T) {
	data, address := t.TempDir(), freeAddress(t)
	args := []string{"--data", data, "--set", "client_address=" + address}
	for range 3 {
		s := start(t, args...)
		s.welcome()
		get(t, address)
		s.cmd.Process.Kill()
		s.wait()
	}
}

func TestUpGivesUp(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct {
		set, log, last string
		code           int
	}{
		{"storage.nosuch=1", "storage: storage: setting nosuch: there is no such setting", "appliance: storage does not start: exit status 78", 1},
		{"nosuch=1", "homeserver: homeserver: setting nosuch: there is no such setting", "appliance: homeserver does not start: exit status 78", 1},
		{"client_address=" + busy.Addr().String(), "address already in use", "appliance: homeserver does not start: exit status 1", 1},
		{"client_address=8008", "", `appliance: setting homeserver.listen: "8008" is not host:port`, process.ExitSettings},
		{"homeserver.listen=127.0.0.1:0", "", "appliance: setting homeserver.listen: choose a port: up must know where to find the homeserver", process.ExitSettings},
		{"dns.x=1", "", `appliance: invalid value "dns.x=1" for flag -set: there is no program dns; there are storage, dnsprimary and homeserver (appliance up -h shows the flags)`, process.ExitSettings},
		{"x", "", `appliance: invalid value "x" for flag -set: want key=value (appliance up -h shows the flags)`, process.ExitSettings},
	} {
		code, log := start(t, "--data", t.TempDir(), "--set", c.set).wait()
		if code != c.code || !strings.Contains(log, c.log) || !strings.HasSuffix(log, c.last+"\n") {
			t.Errorf("--set %s: exits %d saying\n%s\nwant %d and ... %s ...\n%s", c.set, code, log, c.code, c.log, c.last)
		}
	}
}

func TestUpWithADeepDataFolder(t *testing.T) {
	data := filepath.Join(t.TempDir(), strings.Repeat("deep/", 30))
	s := start(t, "--data", data, "--set", "client_address="+freeAddress(t))
	s.welcome()
	s.cmd.Process.Signal(syscall.SIGTERM)
	if code, log := s.wait(); code != process.ExitOK {
		t.Errorf("it exits %d: %s", code, log)
	}
	folder, err := socketFolder(data, 0o700)
	if err != nil || len(folder) > longestFolder {
		t.Errorf("the folder for sockets is %s, %v", folder, err)
	}
	os.Remove(folder)
}

func TestAComebackWithinTwoSeconds(t *testing.T) {
	address := freeAddress(t)
	s := start(t, "--data", t.TempDir(), "--set", "client_address="+address)
	s.welcome()
	_, first, err := request(address)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for second := first; second == first || err != nil; {
		if time.Since(begun) > 2*time.Second {
			t.Fatal("the homeserver does not come back within 2 s")
		}
		_, second, err = request(address)
	}
	t.Logf("back after %v", time.Since(begun))
}
