package boot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestReap(t *testing.T) {
	proc := t.TempDir()
	for pid, stat := range map[string]string{
		"1":  "1 (appliance) S 0 1 1",
		"7":  "7 (a (dead) one) Z 1 7 7",
		"8":  "8 (alive) S 1 8 8",
		"9":  "9 (another's) Z 8 8 8",
		"10": "10 (cut",
	} {
		folder := filepath.Join(proc, pid)
		if err := errors.Join(os.Mkdir(folder, 0o755), os.WriteFile(filepath.Join(folder, "stat"), []byte(stat), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	var waited []int
	wait := func(pid int) { waited = append(waited, pid) }
	seen := reap(proc, 1, nil, wait)
	if len(waited) > 0 || !maps.Equal(seen, map[int]bool{7: true}) {
		t.Errorf("at first sight: waited for %v, saw %v", waited, seen)
	}
	if seen = reap(proc, 1, seen, wait); !slices.Equal(waited, []int{7}) || len(seen) != 0 {
		t.Errorf("at second sight: waited for %v, saw %v", waited, seen)
	}
}

func TestGroup(t *testing.T) {
	root := t.TempDir()
	if _, err := Group(root, "storage", 1<<20, 9); err == nil {
		t.Error("a group is made where there are none")
	}
	if err := os.WriteFile(filepath.Join(root, "cgroup.controllers"), []byte("cpu pids\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	folder, err := Group(root, "storage", 1<<20, 9)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "pids.max")); err != nil || string(text) != "9" {
		t.Errorf("the limit is %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(folder, "memory.max")); err == nil {
		t.Error("memory is limited without its controller")
	}
}

func TestPowerButton(t *testing.T) {
	event := func(kind, code uint16, value uint32) []byte {
		e := make([]byte, eventSize)
		binary.NativeEndian.PutUint16(e[16:], kind)
		binary.NativeEndian.PutUint16(e[18:], code)
		binary.NativeEndian.PutUint32(e[20:], value)
		return e
	}
	pressed := 0
	stream := bytes.NewReader(slices.Concat(event(eventKey, 30, 1), event(eventKey, keyPower, 1), event(0, 0, 0), event(eventKey, keyPower, 0), []byte{1, 2}))
	listen(stream, func() { pressed++ })
	if pressed != 1 {
		t.Errorf("it was pressed %d times, want once", pressed)
	}
}
