package transport

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv6"
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

// listenUDP opens a socket that shares its port with others of this process.
func listenUDP(ctx context.Context, address string) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		controlErr := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			// Both of which a socket of the other family refuses: that is as well.
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
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

// datagrams serves one socket, in one goroutine.
type datagrams struct {
	conn    *ipv6.PacketConn // of either family: nothing of it is peculiar to IPv6
	service Service
	in, out []ipv6.Message
	replies [][]byte // memory of out
}

func newDatagrams(socket *net.UDPConn, service Service) *datagrams {
	d := &datagrams{conn: ipv6.NewPacketConn(socket), service: service, in: make([]ipv6.Message, batch), out: make([]ipv6.Message, 0, batch), replies: make([][]byte, batch)}
	for i := range d.in {
		d.in[i].Buffers, d.in[i].OOB = [][]byte{make([]byte, maxDatagram)}, make([]byte, oobSize)
	}
	return d
}

// run serves until the socket is closed.
func (d *datagrams) run() error {
	for {
		n, err := d.conn.ReadBatch(d.in, 0)
		if err != nil {
			return err
		}
		d.out = d.out[:0]
		for i := range d.in[:n] {
			d.answer(&d.in[i])
		}
		for sent := 0; sent < len(d.out); {
			n, err := d.conn.WriteBatch(d.out[sent:], 0)
			if err != nil {
				n = 1 // one that cannot be sent, to an address that is gone, say, does not stop the others
			}
			sent += n
		}
		for i := range d.in[:n] {
			d.in[i].OOB = d.in[i].OOB[:oobSize]
		}
	}
}

// answer serves one datagram and puts the reply, if there is one, with those to be sent.
func (d *datagrams) answer(m *ipv6.Message) {
	from, ok := m.Addr.(*net.UDPAddr)
	if !ok || m.N == 0 || m.N > maxDatagram || m.Flags&unix.MSG_TRUNC != 0 {
		return
	}
	peer := primary.Peer{Address: unmapped(from), Transport: primary.UDP}
	_ = d.service.Serve(m.Buffers[0][:m.N], peer, func(reply []byte) error {
		i := len(d.out)
		if i == batch {
			return errTooLong // one reply for each datagram
		}
		d.replies[i] = append(d.replies[i][:0], reply...)
		d.out = append(d.out, ipv6.Message{Buffers: [][]byte{d.replies[i]}, OOB: source(m.OOB[:m.NN]), Addr: from})
		return nil
	})
}

func unmapped(a *net.UDPAddr) netip.Addr { return a.AddrPort().Addr().Unmap() }

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
