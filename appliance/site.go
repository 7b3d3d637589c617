package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"hearth/appliance/box"
	"hearth/confinement"
)

// site is where the programs are to run: on somebody's machine, or on a box, each as its own user.
type site struct {
	programs string // folder of their executables
	storage  string // folder of the store
	sockets  string // folder in which they meet
	users    bool   // each runs as its own user, confined, and has a folder of its own among the sockets
	groups   string // folder of control groups that are named like the programs; "" for none
}

// path returns where a program has a file among the sockets.
func (s *site) path(program, file string) string {
	if s.users {
		return filepath.Join(s.sockets, program, file)
	}
	return filepath.Join(s.sockets, file)
}

// prepare makes the folders that confined programs have.
func (s *site) prepare() error {
	if !s.users {
		return nil
	}
	for _, u := range box.Users() {
		if err := own(filepath.Join(s.sockets, u.Name), 0o711, u.ID); err != nil {
			return err
		}
	}
	return own(s.storage, 0o700, box.StorageID)
}

// own makes a folder a user's.
func own(folder string, mode os.FileMode, user uint32) error {
	if err := os.MkdirAll(folder, mode); err != nil {
		return fmt.Errorf("making the folder of a program: %w", err)
	}
	if err := os.Chmod(folder, mode); err != nil {
		return fmt.Errorf("making the folder of a program: %w", err)
	}
	if err := os.Chown(folder, int(user), int(user)); err != nil {
		return fmt.Errorf("making the folder of a program: %w", err)
	}
	return nil
}

// ownNamespace is the namespace of the box itself, which root opens to see that storage answers.
const ownNamespace = "box"

// admitted is the setting by which storage lets each program's user open that program's namespace, and no other.
func (s *site) admitted() []string {
	if !s.users {
		return nil
	}
	names := []string{ownNamespace + ":0"}
	for _, u := range box.Users() {
		if u.ID != box.StorageID {
			names = append(names, u.Name+":"+strconv.Itoa(int(u.ID)))
		}
	}
	return []string{"namespaces=" + strings.Join(names, ",")}
}

// confine returns what starts a program as its user; nil if programs are not confined.
func (s *site) confine(program string) func(*exec.Cmd) error {
	if !s.users {
		return nil
	}
	policy := s.policy(program)
	return policy.Wrap
}

// policy returns what a program may do.
func (s *site) policy(program string) confinement.Policy {
	p := confinement.Policy{
		Read:  []string{"/proc/self", "/proc/sys/net/core/somaxconn", "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "/dev/null"},
		Write: []string{filepath.Join(s.sockets, program)},
		Files: 4096, Threads: 512,
	}
	for _, u := range box.Users() {
		if u.Name == program {
			p.User = u.ID
		}
	}
	if s.groups != "" {
		p.Group = filepath.Join(s.groups, program)
	}
	if program == "storage" {
		p.Disk = true
		p.Write = append(p.Write, s.storage)
		return p
	}
	p.Network, p.LowPorts, p.Files = true, true, 16384
	p.Read = append(p.Read, box.Resolvers, "/etc/hosts", "/etc/nsswitch.conf", "/etc/services", "/etc/ssl", "/etc/localtime", "/usr/share/zoneinfo")
	return p
}
