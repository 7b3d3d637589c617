package confinement

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The filter is a list of tests of what the kernel lays before it (seccomp_data: the call's number at byte 0, the
// machine at 4, six arguments of 8 bytes from 16 on). It was found by running the programs and their tests under it.
// What is not listed fails with EPERM, so that a program that tries out what its kernel can do goes on.

// test is one condition: the argument, masked, has the value. All arguments that are tested are 32 bits wide for the kernel,
// or bits of the lower half, so that the upper half need not be looked at.
type test struct {
	argument uint32
	mask     uint32
	value    uint32
}

// rule allows a system call if all its tests hold. Several rules of one call are alternatives.
type rule struct {
	call  uint32
	tests []test
}

// isThread is what clone is asked for when a thread is wanted, and not a process.
const isThread = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD

// filter returns the rules for a program whose process has the number pid.
func (p *Policy) filter(pid uint32) []rule {
	calls := slices.Concat(everywhere(), ofMachine())
	if p.Disk {
		calls = append(calls, ofDisk()...)
	}
	var rules []rule
	for _, call := range calls {
		rules = append(rules, rule{call: call})
	}
	rules = append(rules,
		rule{unix.SYS_EXECVEAT, []test{equal(0, uint32(p.Files)), equal(4, unix.AT_EMPTY_PATH)}},
		rule{unix.SYS_CLONE, []test{{argument: 0, mask: isThread, value: isThread}}},
		rule{unix.SYS_MMAP, []test{{argument: 2, mask: unix.PROT_EXEC}}},
		rule{unix.SYS_MPROTECT, []test{{argument: 2, mask: unix.PROT_EXEC}}},
		rule{unix.SYS_TGKILL, []test{equal(0, pid)}},
		rule{unix.SYS_KILL, []test{equal(0, pid)}},
		rule{unix.SYS_PRCTL, []test{equal(0, unix.PR_SET_VMA)}},
		rule{unix.SYS_PRLIMIT64, []test{equal(0, 0)}}, // its own, which it cannot raise
	)
	for _, family := range p.families() {
		rules = append(rules, socket(family, unix.SOCK_STREAM), socket(family, unix.SOCK_DGRAM))
	}
	if p.Network {
		rules = append(rules, socket(unix.AF_NETLINK, unix.SOCK_RAW)) // asks for the interfaces' addresses
	}
	return rules
}

func (p *Policy) families() []uint32 {
	if p.Network {
		return []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6}
	}
	return []uint32{unix.AF_UNIX}
}

// socket allows sockets of a family and a type, whose protocol is the usual one of the type or multipath TCP.
func socket(family, kind uint32) rule {
	const flags = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	return rule{unix.SYS_SOCKET, []test{equal(0, family), {argument: 1, mask: ^uint32(flags), value: kind}}}
}

func equal(argument, value uint32) test {
	return test{argument: argument, mask: ^uint32(0), value: value}
}

// assemble makes a program for the kernel of the rules.
func assemble(rules []rule) ([]bpf.Instruction, error) {
	machine, ok := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	if !ok {
		return nil, fmt.Errorf("no filter is known for %s", runtime.GOARCH)
	}
	deny := bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: 4, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: machine, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS}, // 32-bit code has other numbers
		bpf.LoadAbsolute{Off: 0, Size: 4},
	}
	for _, r := range rules {
		if len(r.tests) == 0 {
			program = append(program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: r.call, SkipTrue: 1}, bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW})
		}
	}
	for _, r := range rules { // those with tests last, since they forget the call's number
		if len(r.tests) > 0 {
			program = append(program, r.assemble()...)
		}
	}
	return append(program, deny), nil
}

// assemble returns instructions that allow the call, or go on with its number loaded again.
func (r rule) assemble() []bpf.Instruction {
	var tests []bpf.Instruction
	for i, t := range r.tests {
		left := uint8(3 * (len(r.tests) - i - 1)) // instructions of the tests that follow
		tests = append(tests,
			bpf.LoadAbsolute{Off: 16 + 8*t.argument, Size: 4}, // the lower half: all machines here are little-endian
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: t.mask},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: t.value, SkipTrue: left + 1},
		)
	}
	body := append(tests, bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}, bpf.LoadAbsolute{Off: 0, Size: 4})
	return append([]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: r.call, SkipTrue: uint8(len(body))}}, body...)
}

// install has the kernel apply the rules to the calling thread and to whatever it becomes.
func install(rules []rule) error {
	program, err := assemble(rules)
	if err != nil {
		return err
	}
	raw, err := bpf.Assemble(program)
	if err != nil {
		return err
	}
	filters := make([]unix.SockFilter, len(raw))
	for i, in := range raw {
		filters[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filters)), Filter: &filters[0]}
	if _, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return errno
	}
	return nil
}
