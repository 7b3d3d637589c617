package confinement

import "golang.org/x/sys/unix"

// ofMachine returns the calls that only this kind of machine has, or names so.
func ofMachine() []uint32 {
	return []uint32{unix.SYS_ARCH_PRCTL, unix.SYS_NEWFSTATAT}
}
