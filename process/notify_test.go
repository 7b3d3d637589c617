package process_test

import (
	"net"
	"path/filepath"
	"testing"

	"hearth/process"
)

func TestNotify(t *testing.T) {
	for name, address := range map[string]string{
		"file":     filepath.Join(t.TempDir(), "n"),
		"abstract": "@hearth-process-test-" + filepath.Base(t.TempDir()) + t.Name(),
	} {
		t.Run(name, func(t *testing.T) {
			socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer socket.Close()
			t.Setenv("NOTIFY_SOCKET", address)
			for want, send := range map[string]func() error{"READY=1": process.Ready, "STOPPING=1": process.Stopping} {
				if err := send(); err != nil {
					t.Fatal(err)
				}
				buf := make([]byte, 100)
				n, err := socket.Read(buf)
				if err != nil || string(buf[:n]) != want {
					t.Errorf("got %q, %v, want %q", buf[:n], err, want)
				}
			}
		})
	}
}

func TestNotifyWithoutSupervisor(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := process.Ready(); err != nil {
		t.Error(err)
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	if err := process.Ready(); err == nil {
		t.Error("telling a supervisor that is gone succeeds")
	}
}
