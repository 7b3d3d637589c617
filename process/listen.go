package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// maxSocketPath is the longest path that a unix socket can be bound to on Linux, in bytes.
const maxSocketPath = 107

// ListenUnix listens on a unix stream socket at path whose file has the permissions mode, of which write is
// the one that lets a user connect. A socket that a dead process left there is removed; one that answers is
// an error. At no moment do more users have access than mode says. Closing the listener removes the file.
func ListenUnix(path string, mode fs.FileMode) (*net.UnixListener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("listening on %s: the path of a socket has at most %d bytes, this has %d", path, maxSocketPath, len(path))
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	// The file takes its permissions from the socket as it is when bound (unix(7)): none, until mode is set.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		if err := c.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), 0) }); err != nil {
			return err
		}
		return failed
	}}
	listener, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listening on a local socket: %w", err)
	}
	if err := os.Chmod(path, mode.Perm()); err != nil {
		listener.Close()
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	return listener.(*net.UnixListener), nil
}

// removeStale removes the socket at path if nobody listens on it.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("there is a file here that is not a socket")
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return errors.New("another process listens here")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}
