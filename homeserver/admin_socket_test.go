package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// Threat 16: another program's user reaches neither accounts nor metrics by the admin socket, even if its file lets
// everybody in; and its file does not.
func TestAdminSocketIsPrivate(t *testing.T) {
	w := newWorld(t)
	info, err := os.Stat(w.socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's file has mode %v, %v", info.Mode(), err)
	}
	if os.Getuid() != 0 {
		t.Skip("this test must run as root: only root can be another user")
	}
	for at := w.socket; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = 65534
	if got := asks(t, w.socket, nobody); got != "" {
		t.Errorf("a stranger is told %q", got)
	}
	if got := asks(t, w.socket, 0); got == "" {
		t.Error("root is told nothing")
	}
	if _, err := w.admin("", "user", "list"); err != nil {
		t.Error(err)
	}
}

// asks connects to a socket as a user and returns what is answered to a request.
func asks(t *testing.T, socket string, uid int) string {
	t.Helper()
	conns := make(chan net.Conn, 1)
	go func() {
		// Users belong to threads: this one is never given back, and ends with its goroutine.
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			t.Error(errno)
		}
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Error(err)
		}
		conns <- conn
	}()
	conn := <-conns
	if conn == nil {
		return ""
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /admin/v1/users HTTP/1.0\r\n\r\n") // the other side may have hung up
	answer, _ := io.ReadAll(conn)
	return string(answer)
}
