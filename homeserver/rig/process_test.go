package rig

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

func TestUsageOfThisProcess(t *testing.T) {
	p, ok := readProcess(strconv.Itoa(os.Getpid()))
	if !ok || p.PID != os.Getpid() || p.parent != os.Getppid() || p.Name == "" {
		t.Fatalf("got %+v, %v", p, ok)
	}
	u, err := p.Usage()
	if err != nil || u.Resident < 1<<20 || u.Own <= 0 || u.Own > u.Resident || u.CPU < 0 {
		t.Errorf("got %+v, %v", u, err)
	}
	if _, ok := readProcess("self"); ok {
		t.Error("self is no process id")
	}
}

func TestGone(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := Process{Name: "cat", PID: cmd.Process.Pid}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := p.gone(ctx); err == nil {
		t.Error("cat is gone before its input ends")
	}
	in.Close()
	if err := p.gone(context.Background()); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if err := p.gone(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestStatFields(t *testing.T) {
	got := statFields("12 (a) b (c) S 34 x")
	if len(got) != 3 || got[1] != "34" {
		t.Errorf("got %q", got)
	}
	if statFields("nonsense") != nil || lineValue("VmRSS:\t  12 kB\n", "VmRSS:") != 12 {
		t.Error("nonsense was read")
	}
}

func TestFailures(t *testing.T) {
	got := Failures("all well\n[storage] panic: oh\nWARNING: DATA RACE\n")
	if len(got) != 2 || got[0] != "[storage] panic: oh" {
		t.Errorf("got %q", got)
	}
}
