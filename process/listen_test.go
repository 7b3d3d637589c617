package process_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearth/process"
)

func TestListenUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := process.ListenUnix(path, 0o620)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o620 {
		t.Errorf("the socket's file is %v, %v; want mode 0620", info.Mode(), err)
	}
	if _, err := process.ListenUnix(path, 0o600); err == nil || !strings.HasSuffix(err.Error(), "another process listens here") {
		t.Errorf("listening twice: %v", err)
	}
	listener.Close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("closing leaves the file: %v", err)
	}
}

func TestListenUnixReplacesWhatTheDeadLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := process.ListenUnix(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	listener, err := process.ListenUnix(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestListenUnixRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:                                  "there is a file here that is not a socket",
		filepath.Join(dir, "no", "such"):      "no such file or directory",
		"/tmp/" + strings.Repeat("long", 100): "the path of a socket has at most 107 bytes, this has 405",
	} {
		listener, err := process.ListenUnix(path, 0o600)
		if err == nil {
			listener.Close()
		}
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file in the way is %q, %v", text, err)
	}
}
