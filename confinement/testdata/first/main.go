// Command first is the first process of a virtual machine that runs this package's tests on a box's kernel, and turns itself off.
package main

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

func main() {
	for kind, folder := range map[string]string{"proc": "/proc", "sysfs": "/sys", "devtmpfs": "/dev", "tmpfs": "/tmp"} {
		if err := unix.Mount(kind, folder, kind, 0, ""); err != nil && err != unix.EBUSY {
			fmt.Println("mounting", folder, err)
		}
	}
	if err := loopback(); err != nil {
		fmt.Println("turning on the loopback interface:", err)
	}
	tests := exec.Command("/bin/tests", "-test.v")
	tests.Env = []string{"HEARTH_TEST_INTRUDER=/bin/intruder"}
	tests.Stdout, tests.Stderr = os.Stdout, os.Stdout
	fmt.Println("the tests ended:", tests.Run())
	fmt.Println(unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
}

func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}
