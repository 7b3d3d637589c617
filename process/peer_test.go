package process_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"hearth/process"
)

// nobody is a user id that this test does not run as.
const nobody = 65534

// Threat 16: who is neither root nor the server's user gets nothing from its socket, even if its file lets everybody in.
func TestPrivate(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	dir, err := os.MkdirTemp("", "private")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	socket, err := process.ListenUnix(path, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	strangers := make(chan uint32, 1)
	listener := process.Private(socket, func(uid uint32, err error) {
		if err != nil {
			t.Error(err)
		}
		strangers <- uid
	})
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "welcome")
			conn.Close()
		}
	}()
	if got := ask(t, path, 0); got != "welcome" {
		t.Errorf("root is told %q", got)
	}
	if got := ask(t, path, nobody); got != "" {
		t.Errorf("a stranger is told %q", got)
	}
	if uid := <-strangers; uid != nobody {
		t.Errorf("%d was refused", uid)
	}
}

// ask connects to a socket as another user and returns what it is told.
func ask(t *testing.T, path string, uid uint32) string {
	t.Helper()
	// A copy of this program where anybody may run it.
	program := filepath.Join(filepath.Dir(path), "program")
	self, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(program, self, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "HEARTH_TEST_CONNECT="+path)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// connect prints what is said at a socket.
func connect(path string) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		os.Exit(1)
	}
	io.Copy(os.Stdout, conn)
}
