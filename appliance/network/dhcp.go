package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/vishvananda/netlink"
)

// The times of leases.
const (
	firstRetry   = time.Second
	lastRetry    = time.Minute
	shortest     = time.Minute // a server that says less is not believed
	usual        = time.Hour   // if a server does not say
	answerWithin = 2 * time.Second
)

// serve keeps an IPv4 address on an interface until ctx ends.
func (n *Network) serve(ctx context.Context, link netlink.Link) {
	name := link.Attrs().Name
	retry := firstRetry
	for ctx.Err() == nil {
		err := n.hold(ctx, link)
		if ctx.Err() != nil {
			return
		}
		n.Log.Info("no IPv4 address", "interface", name, "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry):
		}
		retry = min(2*retry, lastRetry)
	}
}

// hold gets a lease, uses it and renews it, until it cannot be renewed or ctx ends.
func (n *Network) hold(ctx context.Context, link netlink.Link) error {
	name := link.Attrs().Name
	client, err := nclient4.New(name, nclient4.WithTimeout(answerWithin))
	if err != nil {
		return fmt.Errorf("speaking DHCP: %w", err)
	}
	defer client.Close()
	got, err := client.Request(ctx, n.modifiers()...)
	if err != nil {
		return fmt.Errorf("asking for a lease: %w", err)
	}
	current, err := read(got.ACK)
	if err != nil {
		return err
	}
	if err := apply(link, current); err != nil {
		return err
	}
	n.Log.Info("has an IPv4 address", "interface", name, "address", current.address, "router", current.router)
	n.set(name, current)
	defer func() {
		n.set(name, nil)
		remove(link, current)
	}()
	for {
		renewal, end := times(got.ACK)
		got, err = n.renew(ctx, client, got, renewal, end)
		if err != nil {
			return err
		}
		next, err := read(got.ACK)
		if err != nil {
			return err
		}
		if next.address != current.address {
			return fmt.Errorf("renewing the lease: the server gives %s instead of %s", next.address, current.address)
		}
		current = next
		n.set(name, current)
	}
}

// renew waits for the time to renew and asks until the lease is renewed, or over.
func (n *Network) renew(ctx context.Context, client *nclient4.Client, l *nclient4.Lease, renewal, end time.Duration) (*nclient4.Lease, error) {
	over := time.NewTimer(end)
	defer over.Stop()
	for wait := renewal; ; wait = max((end-renewal)/8, shortest/2) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-over.C:
			return nil, errors.New("renewing the lease: it is over")
		case <-time.After(wait):
		}
		next, err := client.Renew(ctx, l, n.modifiers()...)
		var refused *nclient4.ErrNak
		if err == nil || errors.As(err, &refused) {
			return next, err
		}
	}
}

func (n *Network) modifiers() []dhcpv4.Modifier {
	return []dhcpv4.Modifier{
		dhcpv4.WithOption(dhcpv4.OptHostName(n.Hostname)),
		dhcpv4.WithRequestedOptions(dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionNTPServers),
	}
}

// times returns after what time a lease is to be renewed and ends.
func times(ack *dhcpv4.DHCPv4) (renewal, end time.Duration) {
	end = max(ack.IPAddressLeaseTime(usual), shortest)
	renewal = ack.IPAddressRenewalTime(end / 2)
	if renewal < shortest/2 || renewal >= end {
		renewal = end / 2
	}
	return renewal, end
}

// read takes from a server's answer what we use.
func read(ack *dhcpv4.DHCPv4) (*lease, error) {
	address, ok := netip.AddrFromSlice(ack.YourIPAddr.To4())
	if !ok || !address.IsGlobalUnicast() {
		return nil, fmt.Errorf("reading the lease: %v is no address for a host", ack.YourIPAddr)
	}
	bits, size := ack.SubnetMask().Size()
	if size != 32 || bits == 0 {
		bits, _ = net.IP(address.AsSlice()).DefaultMask().Size()
	}
	l := &lease{address: netip.PrefixFrom(address, bits), resolvers: addresses(ack.DNS()), clocks: addresses(ack.NTPServers())}
	if routers := addresses(ack.Router()); len(routers) > 0 {
		l.router = routers[0]
	}
	return l, nil
}

// addresses returns those of a list that can be a host's, at most 4.
func addresses(list []net.IP) []netip.Addr {
	var all []netip.Addr
	for _, ip := range list {
		if a, ok := netip.AddrFromSlice(ip.To4()); ok && a.IsGlobalUnicast() && len(all) < 4 {
			all = append(all, a)
		}
	}
	return all
}

func (l *lease) netlinkAddr() *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: l.address.Addr().AsSlice(), Mask: net.CIDRMask(l.address.Bits(), 32)}}
}

// apply gives an interface its address, and the way out of the network by its router.
func apply(link netlink.Link, l *lease) error {
	if err := netlink.AddrReplace(link, l.netlinkAddr()); err != nil {
		return fmt.Errorf("setting the address %s: %w", l.address, err)
	}
	if !l.router.IsValid() {
		return nil
	}
	index := link.Attrs().Index
	route := &netlink.Route{LinkIndex: index, Gw: l.router.AsSlice(), Priority: 100 + index, Flags: int(netlink.FLAG_ONLINK)}
	if err := netlink.RouteReplace(route); err != nil {
		return fmt.Errorf("setting the router %s: %w", l.router, err)
	}
	return nil
}

// remove takes the address away again; the kernel takes the routes with it. If the interface is gone, so is the address.
func remove(link netlink.Link, l *lease) { netlink.AddrDel(link, l.netlinkAddr()) }
