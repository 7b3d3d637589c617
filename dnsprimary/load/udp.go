package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// How many questions are under way over UDP, and how many are sent or read by one call to the kernel.
const (
	window = 256
	batch  = 64
)

// patience is after how long without any answer the questions under way count as lost.
const patience = 2 * time.Second

// header is the kernel's struct mmsghdr.
type header struct {
	message unix.Msghdr
	length  uint32
	_       [4]byte
}

// letters is memory for a batch of datagrams.
type letters struct {
	headers [batch]header
	vectors [batch]unix.Iovec
	buffers [batch][]byte
}

func newLetters() *letters {
	l := new(letters)
	for i := range l.headers {
		l.buffers[i] = make([]byte, 4096)
		l.vectors[i].Base = &l.buffers[i][0]
		l.headers[i].message.Iov, l.headers[i].message.Iovlen = &l.vectors[i], 1
	}
	return l
}

// call sends or reads the first n.
func (l *letters) call(trap uintptr, fd, n int, flags uintptr) (int, error) {
	done, _, errno := unix.Syscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&l.headers[0])), uintptr(n), flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(done), nil
}

// askUDP asks for a time, or until ctx ends.
func askUDP(ctx context.Context, server netip.AddrPort, all []question, length time.Duration) (answered int, f faults, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, f, fmt.Errorf("opening a socket: %w", err)
	}
	defer unix.Close(fd)
	wait := unix.NsecToTimeval(patience.Nanoseconds())
	for _, err := range []error{
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.Connect(fd, &unix.SockaddrInet4{Port: int(server.Port()), Addr: server.Addr().As4()}),
	} {
		if err != nil {
			return 0, f, fmt.Errorf("preparing a socket: %w", err)
		}
	}
	u := &underWay{questions: all}
	in, out := newLetters(), newLetters()
	for end := time.Now().Add(length); err == nil; {
		err = u.exchange(fd, in, out)
		if ctx.Err() != nil || !time.Now().Before(end) {
			break
		}
	}
	return u.answered, u.faults, err
}

// exchange fills the window and takes what has come.
func (u *underWay) exchange(fd int, in, out *letters) error {
	for u.count+batch <= window {
		for i := range batch {
			out.buffers[i] = u.ask(out.buffers[i][:0])
			out.vectors[i].SetLen(len(out.buffers[i]))
		}
		if n, err := out.call(unix.SYS_SENDMMSG, fd, batch, 0); err != nil || n < batch {
			return fmt.Errorf("sending questions: %d of %d, %w", n, batch, err)
		}
	}
	for i := range in.vectors {
		in.vectors[i].SetLen(len(in.buffers[i]))
	}
	n, err := in.call(unix.SYS_RECVMMSG, fd, batch, unix.MSG_WAITFORONE)
	switch err {
	case nil:
	case unix.EINTR:
		return nil
	case unix.EAGAIN:
		u.giveUp()
		return nil
	default:
		return fmt.Errorf("reading answers: %w", err)
	}
	for i := range in.headers[:n] {
		u.take(in.buffers[i][:in.headers[i].length])
	}
	return nil
}
