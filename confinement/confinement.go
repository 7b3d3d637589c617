// Package confinement starts a program so that, taken over, it can do no more than its work needs.
//
// A parent that runs as root calls Policy.Wrap on a command that it is about to start. The command then starts the
// parent's own executable, whose main calls Main first: as that shim it gives up, one after the other, what the policy
// does not grant, and becomes the program. What is taken away stays away: the program cannot ask for it back.
//
//	user          its own number for user and group, no other groups
//	privileges    none can be gained (no_new_privs); of the capabilities at most CAP_NET_BIND_SERVICE is left
//	files         by Landlock: what the policy lists, its own executable, and nothing else (kernel 5.13 or later)
//	network       none but unix sockets if the policy says so, by seccomp, and by Landlock's rules of TCP (6.7 or later)
//	others        it can signal and trace nobody but itself; Landlock scopes signals and abstract sockets (6.12 or later)
//	system calls  those that a Go program needs (see filter.go): no new process, no other program, no memory that is
//	              both filled and executed; all others fail with EPERM
//	resources     a bound on open files and threads; no core files; no locked memory; its control group's limits
//
// How a program can be started when starting programs is forbidden: the shim holds the executable open at a descriptor
// number that is just above the limit on open files, and the filter allows execveat of that number alone. The descriptor
// closes as the program starts, and the limit, which cannot be raised, forbids that the number is ever used again.
//
// Where a kernel has no Landlock the rest still holds, and Missing says what does not.
package confinement

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
)

// Policy is what a program may do. Paths that are not there when it starts are left out.
type Policy struct {
	User     uint32   // number of its user and its group; not 0
	Network  bool     // may use IPv4 and IPv6
	Disk     bool     // keeps files in the folders of Write; without it these are for unix sockets
	LowPorts bool     // may listen on ports below 1024
	Read     []string // files, and folders with all below them, that it may read
	Write    []string // folders in which, and below which, it may do what it likes with files, folders and unix sockets
	Files    uint64   // how many descriptors it may have open; at least 64
	Threads  uint64   // how many threads it may have
	Group    string   // folder of its control group (cgroups v2), which exists; "" for none
}

// name is what the shim is called as.
const name = "hearth-confinement"

// order is what the shim is told.
type order struct {
	Policy Policy
	Parent int // must still be there once the shim has asked to die with it
}

// Wrap changes cmd, which has not started, so that it runs its program under the policy.
func (p Policy) Wrap(cmd *exec.Cmd) error {
	switch {
	case os.Geteuid() != 0:
		return fmt.Errorf("confining %s: only root can", cmd.Path)
	case p.User == 0:
		return fmt.Errorf("confining %s: root cannot be confined", cmd.Path)
	case p.Files < 64 || p.Threads == 0:
		return fmt.Errorf("confining %s: too few files or threads", cmd.Path)
	}
	text, err := json.Marshal(order{p, os.Getpid()})
	if err != nil {
		return fmt.Errorf("confining %s: %w", cmd.Path, err)
	}
	cmd.Args = append([]string{name, string(text), cmd.Path}, cmd.Args...)
	cmd.Path = "/proc/self/exe" // read in the child before it is another, so this program, even if its file was replaced
	return nil
}

// Main is the first that a program's main calls which wraps commands. It returns if the process is not a shim.
func Main() {
	if len(os.Args) < 4 || os.Args[0] != name {
		return
	}
	err := become(os.Args[1], os.Args[2], os.Args[3:])
	fmt.Fprintf(os.Stderr, "confinement: %v\n", err)
	os.Exit(1)
}

// become turns this process into the program at path, with the arguments given, of which the first is its name.
func become(text, path string, args []string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return fmt.Errorf("reading what %s may do: %w", path, err)
	}
	if err := o.run(path, args); err != nil {
		return fmt.Errorf("confining %s: %w", path, err)
	}
	return nil
}
