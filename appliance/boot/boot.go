// Package boot does what only the first process of a machine does: file systems, control groups, orphans, the watchdog, the end.
//
// Nothing here knows the box's programs. The kernel starts the first process with nothing mounted but the root, which is
// read-only; if it ends, the kernel stops the machine, and starts it again if its command line says so.
package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mounts are the file systems in memory, in the order in which they are mounted.
func mounts() []struct {
	kind, folder, options string
	flags                 uintptr
} {
	const plain = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	return []struct {
		kind, folder, options string
		flags                 uintptr
	}{
		{"proc", "/proc", "hidepid=invisible", plain}, // nobody sees the processes of others
		{"sysfs", "/sys", "", plain},
		{"devtmpfs", "/dev", "mode=755", unix.MS_NOSUID | unix.MS_NOEXEC},
		{"tmpfs", "/run", "mode=755,size=16m", plain},
		{"tmpfs", "/tmp", "mode=1777,size=16m", plain},
		{"cgroup2", "/sys/fs/cgroup", "", plain},
	}
}

// Mount mounts what every program needs. What the kernel has mounted already, or does not know, is left out, and said.
func Mount() error {
	var faults []error
	for _, m := range mounts() {
		err := unix.Mount(m.kind, m.folder, m.kind, m.flags, m.options)
		if err != nil && !errors.Is(err, unix.EBUSY) {
			faults = append(faults, fmt.Errorf("mounting %s: %w", m.folder, err))
		}
	}
	return errors.Join(faults...)
}

// Overlay mounts a new file over an empty one of the root, so that it can be written.
func Overlay(file, in string) (string, error) {
	own := filepath.Join(in, filepath.Base(file))
	if err := os.WriteFile(own, nil, 0o644); err != nil {
		return "", fmt.Errorf("replacing %s: %w", file, err)
	}
	if err := unix.Mount(own, file, "", unix.MS_BIND, ""); err != nil {
		return "", fmt.Errorf("replacing %s: %w", file, err)
	}
	return own, nil
}

// Parameter returns the value of a parameter of the kernel's command line, "" if it is not there.
func Parameter(key string) string {
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return ""
	}
	for word := range strings.FieldsSeq(string(text)) {
		if value, ok := strings.CutPrefix(word, key+"="); ok {
			return value
		}
	}
	return ""
}
