package transport

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"hearth/dnsprimary/primary"
)

// How many datagrams are read at once, and how long one may be: questions are short, and an update that is longer than
// this is sent over TCP.
const (
	batch       = 32
	maxDatagram = 4096
	oobSize     = 64 // for the address that was asked
	bufferSize  = 1 << 20
)

// listenUDP opens a socket that shares its port with others of this process. Where a datagram came to is only asked for
// if that may be one of several addresses.
func listenUDP(ctx context.Context, address string) (*net.UDPConn, error) {
	everywhere := true
	if a, err := netip.ParseAddrPort(address); err == nil {
		everywhere = a.Addr().IsUnspecified()
	}
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		controlErr := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			// Both of which a socket of the other family refuses: that is as well.
			if everywhere {
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
			}
			// Replies are never fragmented by a path that somebody has lied about (RFC 9715).
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_OMIT)
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_OMIT)
		})
		if controlErr != nil {
			return controlErr
		}
		return err
	}}
	conn, err := config.ListenPacket(ctx, "udp", address)
	if err != nil {
		return nil, err
	}
	socket := conn.(*net.UDPConn)
	_ = socket.SetReadBuffer(bufferSize) // the system gives what it allows
	_ = socket.SetWriteBuffer(bufferSize)
	return socket, nil
}

// drops returns how many datagrams the kernel had no room for, since nobody read them fast enough.
func drops(socket *net.UDPConn) (n uint64) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0
	}
	const dropped = 8 // SK_MEMINFO_DROPS
	var info [dropped + 1]uint32
	size := uint32(unsafe.Sizeof(info))
	err = raw.Control(func(fd uintptr) {
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 {
			n = uint64(info[dropped])
		}
	})
	if err != nil {
		return 0
	}
	return n
}

// datagrams serves one socket, in one goroutine. Its memory is made once: nothing is allocated for a datagram.
type datagrams struct {
	raw     syscall.RawConn
	service Service
	in, out letters
	replies int                // letters of out that are to be sent
	current int                // letter of in that is being answered
	send    func([]byte) error // reply
}

func newDatagrams(socket *net.UDPConn, service Service) (*datagrams, error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := &datagrams{raw: raw, service: service}
	d.send = d.reply
	d.in.prepare()
	d.out.prepare()
	return d, nil
}

// run serves until the socket is closed, which is an error too.
func (d *datagrams) run() error {
	read := d.in.call(unix.SYS_RECVMMSG)
	write := d.out.call(unix.SYS_SENDMMSG)
	for {
		d.in.empty()
		if err := d.raw.Read(read); err != nil {
			return err
		}
		if d.in.failed != 0 {
			return d.in.failed
		}
		d.replies = 0
		for d.current = range d.in.done {
			d.answer(&d.in.headers[d.current])
		}
		for d.out.first, d.out.last = 0, d.replies; d.out.first < d.out.last; {
			if err := d.raw.Write(write); err != nil {
				return err
			}
			if d.out.failed != 0 {
				d.out.done = 1 // one that cannot be sent, to an address that is gone, say, does not stop the others
			}
			d.out.first += d.out.done
		}
	}
}

// answer serves one datagram.
func (d *datagrams) answer(h *header) {
	n := int(h.length)
	if n == 0 || n > maxDatagram || h.message.Flags&unix.MSG_TRUNC != 0 {
		return
	}
	from, ok := addressIn(&d.in.names[d.current])
	if ok {
		_ = d.service.Serve(d.in.buffers[d.current][:n], primary.Peer{Address: from, Transport: primary.UDP}, d.send)
	}
}

// reply puts the reply to the current datagram with those to be sent.
func (d *datagrams) reply(message []byte) error {
	i := d.replies
	if i == batch || len(message) > maxDatagram {
		return errTooLong // one reply for each datagram
	}
	d.replies++
	asked, h := &d.in.headers[d.current].message, &d.out.headers[i].message
	d.out.vectors[i].SetLen(copy(d.out.buffers[i][:], message))
	h.Name, h.Namelen = asked.Name, asked.Namelen
	control := source(d.in.controls[d.current][:min(int(asked.Controllen), oobSize)])
	h.Control, h.Controllen = nil, 0
	if len(control) > 0 {
		h.Control = &control[0]
		h.SetControllen(len(control))
	}
	return nil
}

// source turns what a datagram said of where it came to into what says where its reply comes from. The interface is
// left to the routes, but for link-local addresses, which are nothing without it. It changes oob.
func source(oob []byte) []byte {
	const header = unix.SizeofCmsghdr
	for rest := oob; len(rest) >= header; {
		size := int(binary.NativeEndian.Uint64(rest))
		level, typ := int(binary.NativeEndian.Uint32(rest[8:])), int(binary.NativeEndian.Uint32(rest[12:]))
		if size < header || size > len(rest) {
			return nil
		}
		data, whole := rest[header:size], rest[:min((size+7)&^7, len(rest))]
		switch {
		case level == unix.IPPROTO_IP && typ == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			clear(data[:4])
			return whole
		case level == unix.IPPROTO_IPV6 && typ == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			if address := netip.AddrFrom16([16]byte(data[:16])); !address.IsLinkLocalUnicast() {
				clear(data[16:20])
			}
			return whole
		}
		rest = rest[len(whole):]
	}
	return nil
}
