package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Process is one of the programs.
type Process struct {
	Name   string
	PID    int
	parent int
}

// Usage is what a process has used since it started.
type Usage struct {
	Resident int64         // bytes of memory now
	Own      int64         // of these, what is no file's and so cannot be taken back
	Written  int64         // bytes sent to the disk
	CPU      time.Duration // in user and kernel mode
}

// ticks is what the kernel counts CPU time in for user space (USER_HZ).
const ticks = 10 * time.Millisecond

// Launch starts a command in a process group of its own that dies with the
// caller's process. The channel is closed when it has ended and was waited for.
func Launch(cmd *exec.Cmd) (exited <-chan struct{}, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	go func() { // until the command ends
		// The death signal is sent when the thread that started the process
		// ends, so this one is kept for as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return ended, <-started
}

// Usage reads the kernel's accounts of the process.
func (p Process) Usage() (Usage, error) {
	dir := "/proc/" + strconv.Itoa(p.PID) + "/"
	var u Usage
	for _, from := range []struct {
		file, key string
		scale     int64
		into      *int64
	}{
		{"status", "VmRSS:", 1024, &u.Resident},
		{"status", "RssAnon:", 1024, &u.Own},
		{"io", "write_bytes:", 1, &u.Written},
	} {
		content, err := os.ReadFile(dir + from.file)
		if err != nil {
			return Usage{}, fmt.Errorf("reading the accounts of %s: %w", p.Name, err)
		}
		*from.into = from.scale * lineValue(string(content), from.key)
	}
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return Usage{}, fmt.Errorf("reading the accounts of %s: %w", p.Name, err)
	}
	fields := statFields(string(stat))
	if len(fields) > 12 {
		user, _ := strconv.ParseInt(fields[11], 10, 64)
		system, _ := strconv.ParseInt(fields[12], 10, 64)
		u.CPU = time.Duration(user+system) * ticks
	}
	return u, nil
}

// lineValue returns the number after key in lines of "key  number unit".
func lineValue(content, key string) int64 {
	for line := range strings.Lines(content) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				n, _ := strconv.ParseInt(f[0], 10, 64)
				return n
			}
		}
	}
	return 0
}

// statFields returns the fields of /proc/PID/stat after the process's name,
// which may itself hold spaces and brackets: state, parent, ...
func statFields(stat string) []string {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return nil
	}
	return strings.Fields(stat[end+1:])
}

// readProcess reads the entry of /proc with that name. Not ok means that it is
// no process, or has ended.
func readProcess(entry string) (Process, bool) {
	pid, err := strconv.Atoi(entry)
	if err != nil {
		return Process{}, false
	}
	stat, err := os.ReadFile("/proc/" + entry + "/stat")
	if err != nil {
		return Process{}, false
	}
	fields := statFields(string(stat))
	if len(fields) < 2 || fields[0] == "Z" {
		return Process{}, false
	}
	parent, _ := strconv.Atoi(fields[1])
	_, name, _ := strings.Cut(string(stat), "(")
	name = name[:strings.LastIndexByte(name, ')')]
	return Process{Name: name, PID: pid, parent: parent}, true
}

// gone returns when the process has ended.
func (p Process) gone(ctx context.Context) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return nil // it has ended and nobody remembers it
	}
	defer unix.Close(fd)
	for ctx.Err() == nil {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 100); n == 1 || err != nil && err != unix.EINTR {
			return nil
		}
	}
	return fmt.Errorf("waiting for %s to end: %w", p.Name, ctx.Err())
}
