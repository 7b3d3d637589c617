package socket

import (
	"fmt"
	"net"
	"syscall"
)

// peerUser returns the user id that the peer had when it connected, as the kernel knows it.
func peerUser(conn *net.UnixConn) (uint32, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("reading peer's credentials: %w", err)
	}
	var cred *syscall.Ucred
	var fail error
	err = raw.Control(func(fd uintptr) {
		cred, fail = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err == nil {
		err = fail
	}
	if err != nil {
		return 0, fmt.Errorf("reading peer's credentials: %w", err)
	}
	return cred.Uid, nil
}
