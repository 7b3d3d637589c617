package transport

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// header is the kernel's struct mmsghdr: a message and, once it is read, how long it is.
type header struct {
	message unix.Msghdr
	length  uint32
}

// letters is memory for a batch of datagrams as recvmmsg and sendmmsg take it.
type letters struct {
	headers  [batch]header
	vectors  [batch]unix.Iovec
	names    [batch]unix.RawSockaddrInet6 // large enough for IPv4 too
	buffers  [batch][maxDatagram]byte
	controls [batch][oobSize]byte

	first, last int // those that the next call is about
	done        int // how many the last call read or sent
	failed      syscall.Errno
}

// prepare makes the headers point to the memory of their messages.
func (l *letters) prepare() {
	for i := range l.headers {
		l.vectors[i].Base = &l.buffers[i][0]
		l.headers[i].message.Iov = &l.vectors[i]
		l.headers[i].message.SetIovlen(1)
	}
	l.last = batch
}

// empty makes all headers ready to be read into.
func (l *letters) empty() {
	for i := range l.headers {
		h := &l.headers[i].message
		l.vectors[i].SetLen(maxDatagram)
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&l.names[i])), unix.SizeofSockaddrInet6
		h.Control = &l.controls[i][0]
		h.SetControllen(oobSize)
	}
}

// call returns what a socket does as soon as it can: the call to the kernel for the letters from first to last. It
// reports whether that did not have to wait.
func (l *letters) call(trap uintptr) func(fd uintptr) bool {
	return func(fd uintptr) bool {
		for {
			var n uintptr
			n, _, l.failed = unix.Syscall6(trap, fd, uintptr(unsafe.Pointer(&l.headers[l.first])), uintptr(l.last-l.first), 0, 0, 0)
			l.done = int(n)
			switch l.failed {
			case 0:
				return true
			case unix.EINTR:
				continue
			case unix.EAGAIN:
				return false
			}
			l.done = 0
			return true
		}
	}
}

// addressIn reads the address of a name.
func addressIn(name *unix.RawSockaddrInet6) (a netip.Addr, ok bool) {
	switch name.Family {
	case unix.AF_INET:
		// The address stands where sockaddr_in6 has the flow.
		var four [4]byte
		binary.NativeEndian.PutUint32(four[:], name.Flowinfo)
		return netip.AddrFrom4(four), true
	case unix.AF_INET6:
		return netip.AddrFrom16(name.Addr).Unmap(), true
	}
	return netip.Addr{}, false
}
