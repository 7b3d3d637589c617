package confinement

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// run gives up everything on one thread, from which the program then starts: the kernel ends the others.
// That is why it calls the kernel itself where Go's functions would change all threads.
func (o *order) run(path string, args []string) error {
	runtime.LockOSThread()
	p := &o.Policy
	program, err := p.hold(path)
	if err != nil {
		return err
	}
	steps := []struct {
		what string
		do   func() error
	}{
		{"joining the control group", p.join},
		{"limiting resources", p.limit},
		{"forbidding new privileges", func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }},
		{"changing the user", p.changeUser},
		{"tying its life to its parent's", o.tie},
		{"restricting files", func() error { return p.restrict(path) }},
		{"filtering system calls", func() error { return install(p.filter(uint32(os.Getpid()))) }},
	}
	argv, err := syscall.SlicePtrFromStrings(args)
	if err != nil {
		return err
	}
	envv, err := syscall.SlicePtrFromStrings(os.Environ())
	if err != nil {
		return err
	}
	syscall.Umask(0o077)
	for _, step := range steps {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	empty := new(byte)
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, program, uintptr(unsafe.Pointer(empty)),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envv[0])), unix.AT_EMPTY_PATH, 0)
	return fmt.Errorf("starting it: %w", errno)
}

// hold opens the program at the first descriptor that will be beyond the limit.
func (p *Policy) hold(path string) (uintptr, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("opening it: %w", err)
	}
	enough := unix.Rlimit{Cur: p.Files + 1, Max: p.Files + 1}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &enough); err != nil {
		return 0, fmt.Errorf("raising the limit on open files to %d: %w", p.Files+1, err)
	}
	if err := unix.Dup3(fd, int(p.Files), unix.O_CLOEXEC); err != nil {
		return 0, fmt.Errorf("holding it open: %w", err)
	}
	unix.Close(fd)
	return uintptr(p.Files), nil
}

// join makes the process a member of its control group.
func (p *Policy) join() error {
	if p.Group == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(p.Group, "cgroup.procs"), []byte("0"), 0)
}

// limit bounds what is counted by process or user.
func (p *Policy) limit() error {
	for resource, most := range map[int]uint64{
		unix.RLIMIT_NOFILE: p.Files, unix.RLIMIT_NPROC: p.Threads, unix.RLIMIT_CORE: 0, unix.RLIMIT_MEMLOCK: 0,
	} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return err
		}
	}
	return nil
}

// changeUser leaves root and its capabilities.
func (p *Policy) changeUser() error {
	for c := range uintptr(unix.CAP_LAST_CAP + 1) {
		if c == unix.CAP_NET_BIND_SERVICE && p.LowPorts {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && err != unix.EINVAL { // unknown to this kernel
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	id := uintptr(p.User)
	for _, call := range [][4]uintptr{{unix.SYS_SETGROUPS, 0, 0, 0}, {unix.SYS_SETRESGID, id, id, id}, {unix.SYS_SETRESUID, id, id, id}} {
		if _, _, errno := unix.RawSyscall(call[0], call[1], call[2], call[3]); errno != 0 {
			return errno
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if p.LowPorts {
		const bind = 1 << unix.CAP_NET_BIND_SERVICE
		sets[0] = unix.CapUserData{Effective: bind, Permitted: bind, Inheritable: bind}
	}
	if err := unix.Capset(&header, &sets[0]); err != nil {
		return err
	}
	if p.LowPorts {
		return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_NET_BIND_SERVICE, 0, 0)
	}
	return nil
}

// tie asks again for the death signal, which the kernel forgets when the user changes.
func (o *order) tie() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	if parent := os.Getppid(); parent != o.Parent {
		return fmt.Errorf("the process %d that started it is gone", o.Parent)
	}
	return nil
}
