package clock

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// chrony starts Chrony as a server that says what time it is here, plus something, and returns its address.
func chrony(t *testing.T, plus time.Duration) string {
	t.Helper()
	port := freePort(t)
	folder, err := os.MkdirTemp("", "chrony") // the path of its socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	socket, config := filepath.Join(folder, "s"), filepath.Join(folder, "c")
	text := strings.Join([]string{"local stratum 8", "allow", "manual", "port " + port, "bindaddress 127.0.0.1", "cmdport 0", "bindcmdaddress " + socket, "pidfile " + socket + ".pid"}, "\n")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c := exec.Command("chronyd", "-x", "-d", "-u", "root", "-f", config) // -x: it leaves the clock alone
	c.Stdout, c.Stderr = &said, &said
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		c.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		c.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("chronyd said\n%s", &said)
		}
	})
	address := net.JoinHostPort("127.0.0.1", port)
	until(t, ended, func() error { _, err := queryAddress(address); return err })
	if plus != 0 {
		at := time.Now().Add(plus).UTC().Format("Jan 02, 2006 15:04:05")
		until(t, ended, func() error { return exec.Command("chronyc", "-h", socket, "settime", at).Run() })
		until(t, ended, func() error {
			offset, err := queryAddress(address)
			if err == nil && (offset-plus).Abs() > 10*time.Second {
				err = errors.New("it has not got its time yet")
			}
			return err
		})
	}
	return address
}

// until repeats something until it is done.
func until(t *testing.T, ended <-chan struct{}, done func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := done()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ended:
			t.Fatalf("chronyd has ended: %v", err)
		case <-ctx.Done():
			t.Fatal(err)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, port, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Against real servers: what is far off is set at once, what is near is led there, and a liar is outvoted.
func TestChrony(t *testing.T) {
	for _, program := range []string{"chronyd", "chronyc"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s (package chrony) is not installed: make needs installs it on Debian", program)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("this test must run as root: chronyd starts as root only")
	}
	right, alsoRight, ahead := chrony(t, 0), chrony(t, 0), chrony(t, 2*time.Hour)
	nobody := net.JoinHostPort("127.0.0.1", freePort(t))
	for _, c := range []struct {
		name    string
		servers []string
		want    time.Duration // far ones within some seconds, since Chrony is told whole ones
		err     string
	}{
		{"far off", []string{ahead, ahead}, 2 * time.Hour, ""},
		{"nearly right", []string{right, alsoRight}, 0, ""},
		{"a liar", []string{right, alsoRight, ahead}, 0, ""},
		{"one who is right", []string{ahead, ahead, right}, 2 * time.Hour, ""},
		{"two against two", []string{ahead, ahead, right, alsoRight}, 0, "4 time servers answer and do not agree"},
		{"one who is not there", []string{right, alsoRight, nobody}, 0, ""},
		{"one alone", []string{right}, 0, ""},
		{"one who answers of two", []string{right, nobody}, 0, "1 time servers answer and do not agree"},
	} {
		var stepped, led []time.Duration
		clock := &Clock{
			File: filepath.Join(t.TempDir(), "clock"), Built: at("2025-01-01T00:00:00Z"), Log: slog.New(slog.DiscardHandler),
			Servers: func() []string { return c.servers }, Now: time.Now,
			Step: func(by time.Duration) error { stepped = append(stepped, by); return nil },
			Lead: func(by time.Duration) error { led = append(led, by); return nil },
		}
		if err := clock.Start(false); err != nil {
			t.Fatal(err)
		}
		err := clock.Round(t.Context())
		_, known := clock.Note()
		switch {
		case c.err != "":
			if err == nil || err.Error() != c.err || known || len(stepped)+len(led) > 0 {
				t.Errorf("%s: got %v, stepped %v, led %v, known %v", c.name, err, stepped, led, known)
			}
		case err != nil || !known:
			t.Errorf("%s: %v, known %v", c.name, err, known)
		case c.want == 0:
			if len(stepped) > 0 || len(led) != 1 || led[0].Abs() > far {
				t.Errorf("%s: stepped %v, led %v", c.name, stepped, led)
			}
		case len(led) > 0 || len(stepped) != 1 || (stepped[0]-c.want).Abs() > 10*time.Second:
			t.Errorf("%s: stepped %v, led %v", c.name, stepped, led)
		}
	}
}
