package supervise

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
)

// readiness is the socket on which one started program says that it is ready.
type readiness struct {
	conn *net.UnixConn
	path string
}

// listenReadiness makes the socket anew, so that nobody speaks for a predecessor. Any user may send to it,
// since the program may have its own; what counts is the sender's process, of which the kernel tells.
func listenReadiness(path string) (*readiness, error) {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("replacing the readiness socket: %w", err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("making the readiness socket: %w", err)
	}
	r := &readiness{conn, path}
	if err := r.open(); err != nil {
		r.close()
		return nil, fmt.Errorf("making the readiness socket: %w", err)
	}
	return r, nil
}

// open has the kernel name senders, then lets everybody send.
func (r *readiness) open() error {
	raw, err := r.conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1) })
	if err == nil {
		err = failed
	}
	if err == nil {
		err = os.Chmod(r.path, 0o666)
	}
	return err
}

// wait returns true when the process pid has said READY=1, and false when the socket was closed before.
func (r *readiness) wait(pid int) bool {
	message := make([]byte, 4096)
	control := make([]byte, syscall.CmsgSpace(syscall.SizeofUcred))
	for {
		n, nc, _, _, err := r.conn.ReadMsgUnix(message, control)
		if err != nil {
			return false
		}
		lines := strings.Split(string(message[:n]), "\n")
		if sender(control[:nc]) == pid && slices.Contains(lines, "READY=1") {
			return true
		}
	}
}

// sender returns the process that sent a message, 0 if it is unknown.
func sender(control []byte) int {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil || len(messages) == 0 {
		return 0
	}
	credentials, err := syscall.ParseUnixCredentials(&messages[0])
	if err != nil {
		return 0
	}
	return int(credentials.Pid)
}

// close also removes the socket's file.
func (r *readiness) close() {
	r.conn.Close()
	os.Remove(r.path) // if it cannot be removed, the next start says so
}
