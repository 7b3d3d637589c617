// Command intruder is a program that was taken over: it does what its arguments say and prints "done" or why it could not.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if filepath.Base(os.Args[0]) == "sh" { // it is also the shell that it looks for
		fmt.Println("done")
		return
	}
	if err := attempt(os.Args[1], os.Args[2]); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("done")
}

func attempt(what, target string) error {
	number, _ := strconv.Atoi(target)
	switch what {
	case "read":
		file, err := os.Open(target)
		if err != nil {
			return err
		}
		defer file.Close()
		if _, err = file.Read(make([]byte, 512)); err == io.EOF {
			return nil
		}
		return err
	case "list":
		_, err := os.ReadDir(target)
		return err
	case "write":
		return os.WriteFile(target, []byte("x"), 0o600)
	case "mkdir":
		return os.Mkdir(target, 0o700)
	case "rename":
		return os.Rename(target, target+".new")
	case "truncate":
		return os.Truncate(target, 0)
	case "device":
		return unix.Mknod(target, unix.S_IFBLK|0o600, int(unix.Mkdev(7, 0)))
	case "spawn":
		return exec.Command(target, "-c", "true").Run()
	case "exec": // succeeds by printing done itself
		return syscall.Exec(target, []string{target, "-c", "echo done"}, nil)
	case "signal":
		return syscall.Kill(number, 0)
	case "trace":
		return unix.PtraceAttach(number)
	case "peek":
		local := make([]byte, 8)
		_, err := unix.ProcessVMReadv(number, []unix.Iovec{{Base: &local[0], Len: 8}}, []unix.RemoteIovec{{Base: 1, Len: 8}}, 0)
		if err == unix.EFAULT { // it was allowed to look, there is nothing there
			return nil
		}
		return err
	case "memory": // of another process
		_, err := os.Open("/proc/" + target + "/mem")
		return err
	case "dial":
		conn, err := net.DialTimeout("tcp", target, time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	case "listen":
		l, err := net.Listen("tcp", target)
		if err == nil {
			l.Close()
		}
		return err
	case "unix":
		l, err := net.Listen("unix", target)
		if err == nil {
			l.Close()
		}
		return err
	case "socket":
		_, err := unix.Socket(number, unix.SOCK_STREAM, 0)
		return err
	case "raw":
		_, err := unix.Socket(number, unix.SOCK_RAW, 1)
		return err
	case "machine": // code made at run time
		page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		return unix.Mprotect(page, unix.PROT_READ|unix.PROT_EXEC)
	case "mount":
		return unix.Mount("none", target, "tmpfs", 0, "")
	case "root":
		return unix.Setuid(0)
	case "namespace":
		return unix.Unshare(unix.CLONE_NEWNET)
	case "files":
		for range number {
			if _, err := unix.Dup(0); err != nil {
				return err
			}
		}
		return nil
	case "raise":
		limit := unix.Rlimit{Cur: uint64(number), Max: uint64(number)}
		return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	case "reuse": // the descriptor by which the shim started this program, to start another
		fd, err := unix.Open("/proc/self/exe", unix.O_PATH, 0)
		if err != nil {
			return err
		}
		return unix.Dup3(fd, number, 0)
	case "wait":
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGTERM)
		fmt.Println("waiting")
		<-ended
		return nil
	}
	return fmt.Errorf("unknown attempt %s", what)
}
