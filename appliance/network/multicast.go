package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// multicast speaks multicast DNS on some interfaces. One of its halves may be nil, for a machine without that protocol.
type multicast struct {
	over4 *ipv4.PacketConn
	over6 *ipv6.PacketConn
}

// arrived is a message, and where it came from.
type arrived struct {
	link    int // the interface's index
	from    netip.AddrPort
	direct  bool // it was sent to us alone
	message dnsmessage.Message
}

// openMulticast opens a port, 0 for any, and hears the groups on interfaces if it is that of multicast DNS.
func openMulticast(port uint16, links []int) (*multicast, error) {
	config := net.ListenConfig{Control: share}
	m := new(multicast)
	conn4, err4 := config.ListenPacket(context.Background(), "udp4", net.JoinHostPort("0.0.0.0", strconv.Itoa(int(port))))
	if err4 == nil {
		m.over4 = ipv4.NewPacketConn(conn4)
		err4 = errors.Join(m.over4.SetControlMessage(ipv4.FlagInterface|ipv4.FlagDst, true), m.over4.SetMulticastTTL(255))
	}
	conn6, err6 := config.ListenPacket(context.Background(), "udp6", net.JoinHostPort("::", strconv.Itoa(int(port))))
	if err6 == nil {
		m.over6 = ipv6.NewPacketConn(conn6)
		err6 = errors.Join(m.over6.SetControlMessage(ipv6.FlagInterface|ipv6.FlagDst, true), m.over6.SetMulticastHopLimit(255))
	}
	if err4 != nil && err6 != nil {
		m.Close()
		return nil, fmt.Errorf("speaking multicast DNS: %w", errors.Join(err4, err6))
	}
	if port == mdnsPort {
		m.join(links)
	}
	return m, nil
}

// share lets others of this machine speak it too.
func share(_, _ string, c syscall.RawConn) error {
	var err error
	controlErr := c.Control(func(fd uintptr) {
		err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
	})
	return errors.Join(controlErr, err)
}

// join hears the groups on interfaces. One that has not got a protocol cannot hear its group.
func (m *multicast) join(links []int) {
	group4, group6 := mdnsGroups()
	for _, link := range links {
		if m.over4 != nil {
			_ = m.over4.JoinGroup(&net.Interface{Index: link}, net.UDPAddrFromAddrPort(group4))
		}
		if m.over6 != nil {
			_ = m.over6.JoinGroup(&net.Interface{Index: link}, net.UDPAddrFromAddrPort(group6))
		}
	}
}

// Close makes listen return.
func (m *multicast) Close() {
	if m.over4 != nil {
		m.over4.Close()
	}
	if m.over6 != nil {
		m.over6.Close()
	}
}

// send sends a message by an interface. What does not arrive is asked for again.
func (m *multicast) send(link int, to netip.AddrPort, message *dnsmessage.Message) error {
	b, err := message.Pack()
	if err != nil {
		return fmt.Errorf("making a message of multicast DNS: %w", err)
	}
	address := net.UDPAddrFromAddrPort(to)
	switch {
	case to.Addr().Is4() && m.over4 != nil:
		_, err = m.over4.WriteTo(b, &ipv4.ControlMessage{IfIndex: link}, address)
	case to.Addr().Is6() && m.over6 != nil:
		_, err = m.over6.WriteTo(b, &ipv6.ControlMessage{IfIndex: link}, address)
	}
	return err
}

// listen hands on what comes, until m is closed or ctx ends; then it closes heard.
func (m *multicast) listen(ctx context.Context, heard chan<- arrived) {
	defer close(heard)
	var reading sync.WaitGroup
	defer reading.Wait()
	if m.over4 != nil {
		reading.Go(func() {
			m.read(ctx, heard, func(b []byte) (int, net.Addr, int, net.IP, error) {
				size, control, from, err := m.over4.ReadFrom(b)
				if control == nil {
					return size, from, 0, nil, err
				}
				return size, from, control.IfIndex, control.Dst, err
			})
		})
	}
	if m.over6 != nil {
		reading.Go(func() {
			m.read(ctx, heard, func(b []byte) (int, net.Addr, int, net.IP, error) {
				size, control, from, err := m.over6.ReadFrom(b)
				if control == nil {
					return size, from, 0, nil, err
				}
				return size, from, control.IfIndex, control.Dst, err
			})
		})
	}
}

// read hands on what one protocol brings: its size, sender, interface and destination.
func (m *multicast) read(ctx context.Context, heard chan<- arrived, next func([]byte) (int, net.Addr, int, net.IP, error)) {
	buffer := make([]byte, maxMDNS)
	for {
		size, sender, link, destination, err := next(buffer)
		if err != nil {
			return
		}
		from, ok := sender.(*net.UDPAddr)
		a := arrived{link: link, direct: !destination.IsMulticast()}
		if !ok || link == 0 || a.message.Unpack(buffer[:size]) != nil {
			continue
		}
		a.from = netip.AddrPortFrom(from.AddrPort().Addr().Unmap(), from.AddrPort().Port())
		select {
		case heard <- a:
		case <-ctx.Done():
			return
		}
	}
}
