package vmtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"hearth/appliance/image"
	"hearth/appliance/vm"
)

// diskSize is that of a box's disk, to which its data grow.
const diskSize = 1 << 30

// comesUp is how long a box may take until it serves, after whatever.
const comesUp = 4 * time.Minute

// machine is a box in a virtual machine, with what its owner has beside it.
type machine struct {
	program    string  // the owner's command
	folder     string  // the disk, UEFI's variables, the owner's settings
	client     string  // URL of its homeserver
	management string  // address of its agent
	volume     *volume // its disk, if that is of the kind that loses power; nil for a mere file
	socket     string  // of the volume
	network    string  // what it is connected to, as vm.Machine says; "" if it is reached through ports of this machine
	console    console
	vm         *vm.VM
}

// console keeps what a machine said lately.
type console struct {
	mu   sync.Mutex // guards text
	text []byte
}

// Write implements io.Writer.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, p...)
	c.text = c.text[max(0, len(c.text)-64<<10):]
	return len(p), nil
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(bytes.ToValidUTF8(c.text, nil))
}

// newMachine makes a machine that is off, with an image of a system on its disk. All of it ends with the test.
func newMachine(t *testing.T, system *image.System) *machine {
	t.Helper()
	m := &machine{program: command(t), folder: t.TempDir()}
	ignore := func(int64) {}
	if _, err := system.WriteImage(m.disk(), ignore, ignore); err != nil {
		t.Fatal(err)
	}
	client, clientErr := vm.FreeAddress()
	management, managementErr := vm.FreeAddress()
	err := errors.Join(clientErr, managementErr, os.Truncate(m.disk(), diskSize))
	if err != nil {
		t.Fatal(err)
	}
	m.client, m.management = "http://"+client, management
	t.Cleanup(func() {
		m.kill()
		if t.Failed() {
			t.Logf("the console says\n%s", &m.console)
		}
	})
	return m
}

func (m *machine) disk() string { return filepath.Join(m.folder, "disk") }

// withVolume gives a machine a disk whose power can fail.
func (m *machine) withVolume(t *testing.T) {
	t.Helper()
	v, err := openVolume(m.disk())
	if err != nil {
		t.Fatal(err)
	}
	m.volume, m.socket = v, filepath.Join(m.folder, "nbd")
	listener, err := net.Listen("unix", m.socket)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { // until the machine is killed
				if err := v.serve(conn); err != nil {
					t.Errorf("serving the disk: %v", err)
				}
			})
		}
	})
	t.Cleanup(func() {
		m.kill()
		listener.Close()
		serving.Wait()
		v.file.Close()
	})
}

// start turns the machine on.
func (m *machine) start(t *testing.T) {
	t.Helper()
	drive := ""
	if m.volume != nil {
		drive = "nbd+unix:///?socket=" + m.socket
	}
	var err error
	m.vm, err = vm.Start(t.Context(), vm.Machine{Disk: m.disk(), Drive: drive, Folder: m.folder, Console: &m.console, Network: m.network,
		Ports: map[int]string{8008: m.client[len("http://"):], 8422: m.management}})
	if errors.Is(err, vm.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// kill takes the machine's power away.
func (m *machine) kill() {
	if m.vm != nil {
		m.vm.Kill()
		m.vm = nil
	}
}

// await returns nil when the homeserver answers.
func (m *machine) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, comesUp, fmt.Errorf("the box does not serve within %v", comesUp))
	defer cancel()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.client+"/_matrix/client/versions", nil)
		if err != nil {
			return err
		}
		if response, err := client.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.vm.Done():
			return fmt.Errorf("the machine has ended: %w", m.vm.Err())
		case <-again.C:
		}
	}
}

// boot starts the machine and returns when it serves.
func (m *machine) boot(t *testing.T) {
	t.Helper()
	begin := time.Now()
	m.start(t)
	if err := m.await(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("the box serves %.1f s after it was turned on", time.Since(begin).Seconds())
}

// appliance runs a verb of the owner's command, and returns what it prints.
func (m *machine) appliance(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, m.program, args...)
	c.Env = append(os.Environ(), "XDG_CONFIG_HOME="+m.folder)
	var diagnosis bytes.Buffer
	c.Stderr = &diagnosis
	out, err := c.Output()
	if err != nil {
		err = fmt.Errorf("appliance %s: %w: %s", args[0], err, bytes.TrimSpace(diagnosis.Bytes()))
	}
	return string(out), err
}
