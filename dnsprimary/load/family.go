package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ticks is what the kernel counts CPU time in for user space (USER_HZ).
const ticks = 10 * time.Millisecond

// family is a process that was started here, with its children.
type family struct {
	cmd    *exec.Cmd
	log    bytes.Buffer
	exited chan struct{} // closed when the process has ended
}

// start runs a command on one processor. It dies with this program.
func start(processor int, env []string, command ...string) (*family, error) {
	f := &family{exited: make(chan struct{})}
	f.cmd = exec.Command("taskset", append([]string{"-c", strconv.Itoa(processor)}, command...)...)
	f.cmd.Stdout, f.cmd.Stderr, f.cmd.Env = io.Discard, &f.log, append(os.Environ(), env...)
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() { // until the process has ended
		runtime.LockOSThread() // the death signal comes when the thread ends that started the process
		defer runtime.UnlockOSThread()
		err := f.cmd.Start()
		started <- err
		if err == nil {
			_ = f.cmd.Wait()
		}
		close(f.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", command[0], err)
	}
	return f, nil
}

// stop ends the processes, and returns when the first has ended.
func (f *family) stop() {
	_ = f.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-f.exited:
	case <-time.After(5 * time.Second):
	}
	_ = syscall.Kill(-f.cmd.Process.Pid, syscall.SIGKILL) // what is left of the group
	<-f.exited
}

// members returns the ids of the processes that are alive.
func (f *family) members() []int {
	all := []int{f.cmd.Process.Pid}
	for i := 0; i < len(all); i++ {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, file := range files {
			text, _ := os.ReadFile(file)
			for _, field := range strings.Fields(string(text)) {
				if pid, err := strconv.Atoi(field); err == nil {
					all = append(all, pid)
				}
			}
		}
	}
	return all
}

// cpu returns the time that the processes have used in user and kernel mode.
func (f *family) cpu() (used time.Duration) {
	for _, pid := range f.members() {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		end := bytes.LastIndexByte(stat, ')') // of the name
		if fields := strings.Fields(string(stat[end+1:])); len(fields) > 12 {
			user, _ := strconv.ParseInt(fields[11], 10, 64)
			system, _ := strconv.ParseInt(fields[12], 10, 64)
			used += time.Duration(user+system) * ticks
		}
	}
	return used
}

// resident returns the memory of the processes in bytes. What several share is divided among them.
func (f *family) resident() (bytes int64) {
	for _, pid := range f.members() {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Pss:" {
				kilobytes, _ := strconv.ParseInt(fields[1], 10, 64)
				bytes += kilobytes << 10
			}
		}
	}
	return bytes
}

// settle puts this program on one processor, with all threads that it has and will have.
func settle(processor int) error {
	var set unix.CPUSet
	set.Set(processor)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		if id, err := strconv.Atoi(task.Name()); err == nil {
			if err := unix.SchedSetaffinity(id, &set); err != nil && err != unix.ESRCH {
				return fmt.Errorf("choosing a processor: %w", err)
			}
		}
	}
	return nil
}

// await asks a server until it answers.
func (f *family) await(ctx context.Context, b *bench) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !b.answers(ctx) {
		select {
		case <-f.exited:
			return fmt.Errorf("%s ended: %s", f.cmd.Args[3], strings.TrimSpace(f.log.String()))
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer", f.cmd.Args[3])
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}
