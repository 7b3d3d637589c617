package boot

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// End says how the machine is to end.
type End int

// The ends of a machine.
const (
	Reboot End = iota
	PowerOff
)

// Down ends the machine: what still runs is killed, the folders are unmounted, the disks written. It does not return
// unless the kernel refuses. An argument, if there is one, is for the firmware: what it is to start.
func Down(end End, argument string, folders ...string) error {
	unix.Kill(-1, unix.SIGKILL) // all but the first process
	unix.Sync()
	for _, folder := range folders {
		if err := unix.Unmount(folder, 0); err != nil && err != unix.EINVAL { // it is not mounted
			fmt.Fprintf(os.Stderr, "unmounting %s: %v; it is made read-only\n", folder, err)
			unix.Mount("", folder, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
		}
	}
	unix.Sync()
	if end == PowerOff {
		return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	if argument == "" {
		return unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	}
	text, err := syscall.BytePtrFromString(strings.TrimSpace(argument))
	if err != nil {
		return err
	}
	_, _, errno := unix.Syscall6(unix.SYS_REBOOT, unix.LINUX_REBOOT_MAGIC1, unix.LINUX_REBOOT_MAGIC2,
		unix.LINUX_REBOOT_CMD_RESTART2, uintptr(unsafe.Pointer(text)), 0, 0)
	return errno
}
