package process

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// PeerUser returns the user id that the peer of a unix socket had when it connected, as the kernel knows it.
func PeerUser(conn *net.UnixConn) (uint32, error) {
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

// Private returns a listener that accepts only connections of root and of this process's own user, whatever the
// socket's permissions say. Others are hung up on; refused, if not nil, is told who they are.
func Private(l *net.UnixListener, refused func(uid uint32, err error)) net.Listener {
	return &private{UnixListener: l, own: uint32(os.Getuid()), refused: refused}
}

type private struct {
	*net.UnixListener
	own     uint32
	refused func(uid uint32, err error)
}

// Accept waits for the next connection that may be made.
func (p *private) Accept() (net.Conn, error) {
	for {
		conn, err := p.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := PeerUser(conn)
		if err == nil && (uid == 0 || uid == p.own) {
			return conn, nil
		}
		conn.Close()
		if p.refused != nil {
			p.refused(uid, err)
		}
	}
}
