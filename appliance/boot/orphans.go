package boot

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// everyOrphan is how often Reap looks.
const everyOrphan = 10 * time.Second

// Reap takes the status of processes that nobody else waits for, until ctx ends. Who starts a process waits for it, so one
// that has been dead at two looks in a row was left behind by its parent.
func Reap(ctx context.Context) {
	tick := time.NewTicker(everyOrphan)
	defer tick.Stop()
	seen := make(map[int]bool)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			seen = reap("/proc", os.Getpid(), seen, func(pid int) { unix.Wait4(pid, nil, unix.WNOHANG, nil) })
		}
	}
}

// reap waits for the dead children that were seen before, and returns the others.
func reap(proc string, self int, seen map[int]bool, wait func(pid int)) map[int]bool {
	dead := make(map[int]bool)
	files, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "stat")) // the pattern is well formed
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil { // gone meanwhile
			continue
		}
		pid, state, parent, ok := parseStat(string(text))
		switch {
		case !ok || state != "Z" || parent != self:
		case seen[pid]:
			wait(pid)
		default:
			dead[pid] = true
		}
	}
	return dead
}

// parseStat reads the first fields of proc_pid_stat(5): 42 (any name) Z 1 ...
func parseStat(text string) (pid int, state string, parent int, ok bool) {
	number, rest, found := strings.Cut(text, " (")
	end := strings.LastIndex(rest, ") ")
	if !found || end < 0 {
		return 0, "", 0, false
	}
	fields := strings.Fields(rest[end+2:])
	if len(fields) < 2 {
		return 0, "", 0, false
	}
	pid, err := strconv.Atoi(number)
	if err != nil {
		return 0, "", 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return pid, fields[0], parent, err == nil
}
