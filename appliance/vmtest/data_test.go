package vmtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hearth/appliance/box"
	"hearth/appliance/fsck"
	"hearth/appliance/gpt"
	"hearth/appliance/health"
)

// dataPartition returns where a machine's data are on its disk.
func (m *machine) dataPartition(t *testing.T) gpt.Partition {
	t.Helper()
	f, err := os.Open(m.disk())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := gpt.Read(f, diskSize)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range table.Partitions {
		if p.Name == box.DataPartition {
			return p
		}
	}
	t.Fatal("there is no data partition")
	return gpt.Partition{}
}

// dataSound fails the test unless e2fsck finds nothing in a copy of the data once it has replayed the journal, nor does our own
// check then. It returns whether the box has to check them when it starts.
func (m *machine) dataSound(t *testing.T) (toCheck bool) {
	t.Helper()
	if _, err := exec.LookPath("e2fsck"); err != nil {
		t.Skip("e2fsck (package e2fsprogs) is not installed: make needs installs it on Debian")
	}
	name := filepath.Join(t.TempDir(), "data")
	size := m.copyData(t, name)
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if toCheck, err = fsck.State(f, size); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("e2fsck", "-fy", name).CombinedOutput()
	out = totals().ReplaceAll(out, nil)
	if err != nil && !strings.Contains(err.Error(), "exit status 1") || bytes.Contains(out, []byte("? yes")) {
		t.Errorf("e2fsck: %v\n%s", err, out)
	}
	if report, err := fsck.Check(f, size); err != nil || !report.Sound() {
		t.Errorf("our check: %v, %v", report, err)
	}
	return toCheck
}

// totals finds what e2fsck says of the superblock's own counts, which the kernel writes when it unmounts, and does not rely on.
func totals() *regexp.Regexp {
	return regexp.MustCompile(`Free (inodes|blocks) count wrong \(\d+, counted=\d+\)\.\nFix\? yes`)
}

// copyData copies the data partition without its zeros, and returns its size.
func (m *machine) copyData(t *testing.T, name string) int64 {
	t.Helper()
	p := m.dataPartition(t)
	disk, err := os.Open(m.disk())
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(p.Size); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64<<10)
	zeros := make([]byte, len(b))
	for at := int64(0); at < p.Size; at += int64(len(b)) {
		n, err := disk.ReadAt(b[:min(int64(len(b)), p.Size-at)], p.Start+at)
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if !bytes.Equal(b[:n], zeros[:n]) {
			if _, err := f.WriteAt(b[:n], at); err != nil {
				t.Fatal(err)
			}
		}
	}
	return p.Size
}

// note returns what the health tree of a machine says about its data.
func (m *machine) note(t *testing.T) string {
	t.Helper()
	out, err := m.appliance(t.Context(), "status", "--json", m.management)
	var s struct{ Health health.State }
	if jsonErr := json.Unmarshal([]byte(out), &s); jsonErr != nil {
		t.Fatalf("reading what status prints: %v, %v", err, jsonErr)
	}
	for _, child := range s.Health.Children {
		if child.Name == "data" {
			return child.Note
		}
	}
	t.Fatalf("the health tree does not speak of data: %s", out)
	return ""
}

// TestDamagedDataAreNotUsed starts boxes whose data are damaged: what can be derived is repaired, and of what cannot the box says so
// to everybody instead of serving.
func TestDamagedDataAreNotUsed(t *testing.T) {
	long(t)
	system := version(t, "qemu-arm64", "1.0", 10)
	debug := func(m *machine, commands ...string) {
		c := exec.Command("debugfs", "-w", "-f", "-", fmt.Sprintf("%s?offset=%d", m.disk(), m.dataPartition(t).Start))
		c.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\nssv state 3\nssv error_count 3\n")
		if out, err := c.CombinedOutput(); err != nil {
			t.Skipf("debugfs (package e2fsprogs): %v %s", err, out)
		}
	}

	m := newMachine(t, system)
	debug(m, "sif / links_count 9")
	m.boot(t)
	if note := m.note(t); !strings.Contains(note, "checked at the start: this was wrong and is repaired: /: it has") {
		t.Errorf("the data's state is: %s", note)
	}
	m.kill()
	m.boot(t)
	if note := m.note(t); !strings.Contains(note, "checked at the start: it is sound") {
		t.Errorf("after a loss of power the data's state is: %s", note)
	}
	m.kill()
	m.dataSound(t)

	m = newMachine(t, system)
	debug(m, "set_inode_field /lost+found block[3] 1")
	m.start(t)
	const want = "This Hearth does not serve: checking the file system of /dev/vda4: it is damaged, and nothing is written to it: /lost+found: it has no block 0."
	if answer := m.refusal(t); !strings.Contains(answer, want) {
		t.Errorf("the box answers %s", answer)
	}
}

// refusal returns what a box says that does not serve.
func (m *machine) refusal(t *testing.T) string {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for begun := time.Now(); time.Since(begun) < comesUp; <-again.C {
		response, err := client.Get(m.client + "/_matrix/client/versions")
		if err != nil {
			continue
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err == nil && response.StatusCode == http.StatusServiceUnavailable {
			return string(text)
		}
		t.Fatalf("the box answers %s %s, %v", response.Status, text, err)
	}
	t.Fatal("the box does not answer")
	return ""
}
