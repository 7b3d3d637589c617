package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
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
	n.persist(ctx, "no IPv4 address", link.Attrs().Name, lastRetry, func() (bool, error) { return n.hold(ctx, link) })
}

// persist holds something of an interface again and again until ctx ends. After each failure it waits longer, up to a time, and
// begins anew once it was served.
func (n *Network) persist(ctx context.Context, lacking, link string, longest time.Duration, hold func() (served bool, err error)) {
	retry, failed := firstRetry, complaints{log: n.Log}
	for ctx.Err() == nil {
		served, err := hold()
		if ctx.Err() != nil {
			return
		}
		if served {
			retry, failed.last = firstRetry, ""
		}
		failed.say(lacking, link, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry):
		}
		retry = min(2*retry, longest)
	}
}

// hold gets a lease, uses it and renews it, until it cannot be renewed or ctx ends. It reports whether there was one at first.
func (n *Network) hold(ctx context.Context, link netlink.Link) (served bool, err error) {
	name := link.Attrs().Name
	client, err := nclient4.New(name, nclient4.WithTimeout(answerWithin))
	if err != nil {
		return false, fmt.Errorf("speaking DHCP: %w", err)
	}
	defer client.Close()
	got, err := client.Request(ctx, n.modifiers()...)
	if err != nil {
		return false, fmt.Errorf("asking for a lease: %w", err)
	}
	current, err := read(got.ACK)
	if err != nil {
		return false, err
	}
	use := func(before, next *lease) error {
		if err := n.apply(link, before, next); err != nil {
			return err
		}
		n.set(origin{name, byDHCP}, next)
		return nil
	}
	if err := use(nil, current); err != nil {
		return false, err
	}
	n.Log.Info("has an IPv4 address", "interface", name, "address", current.address, "router", current.router)
	defer func() {
		n.set(origin{name, byDHCP}, nil)
		remove(link, current)
	}()
	return true, keep(ctx, got, current, use, func(ctx context.Context, l *nclient4.Lease) (*nclient4.Lease, error) {
		return client.Renew(ctx, l, n.modifiers()...)
	})
}

// asker4 asks the server to renew a lease.
type asker4 func(context.Context, *nclient4.Lease) (*nclient4.Lease, error)

// keep has a lease renewed and uses what is new in it, until it cannot be renewed, is of another address, or ctx ends.
func keep(ctx context.Context, got *nclient4.Lease, current *lease, use func(before, next *lease) error, ask asker4) error {
	for {
		var err error
		renewal, end := times(got.ACK)
		if got, err = renew(ctx, got, renewal, end, ask); err != nil {
			return err
		}
		next, err := read(got.ACK)
		if err != nil {
			return err
		}
		if next.address != current.address {
			return fmt.Errorf("renewing the lease: the server gives %s instead of %s", next.address, current.address)
		}
		if err := use(current, next); err != nil {
			return err
		}
		current = next
	}
}

// renew waits for the time to renew and asks until the lease is renewed, or over.
func renew(ctx context.Context, l *nclient4.Lease, renewal, end time.Duration, ask asker4) (*nclient4.Lease, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, end, errOver)
	defer cancel()
	for wait := renewal; ; wait = max((end-renewal)/8, shortest/2) {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
		}
		next, err := ask(ctx, l)
		var refused *nclient4.ErrNak
		if err == nil || errors.As(err, &refused) {
			return next, err
		}
	}
}

// errOver is what a lease ends with that nobody renewed.
var errOver = errors.New("renewing the lease: it is over")

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
	l := &lease{address: netip.PrefixFrom(address, bits), resolvers: addresses(ack.DNS()), clocks: texts(addresses(ack.NTPServers()))}
	for _, router := range addresses(ack.Router()) {
		if router != address {
			l.router = router
			break
		}
	}
	return l, nil
}

// maxOffered is how many servers of a kind are taken from one answer.
const maxOffered = 4

// addresses returns those of a list that can be a host's, each once, at most 4.
func addresses(list []net.IP) []netip.Addr {
	var all []netip.Addr
	for _, ip := range list {
		if a, ok := netip.AddrFromSlice(ip.To4()); ok && a.IsGlobalUnicast() {
			all = appendNew(all, a, maxOffered)
		}
	}
	return all
}

// texts returns addresses as they are written.
func texts(addresses []netip.Addr) []string {
	var all []string
	for _, a := range addresses {
		all = append(all, a.String())
	}
	return all
}

// appendNew appends what is not there yet, as long as there are fewer than limit.
func appendNew(all []netip.Addr, a netip.Addr, limit int) []netip.Addr {
	if len(all) >= limit || slices.Contains(all, a) {
		return all
	}
	return append(all, a)
}

func (l *lease) netlinkAddr() *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: l.address.Addr().AsSlice(), Mask: net.CIDRMask(l.address.Bits(), 32)}}
}

// apply gives an interface its address, and the way out of the network by its router, which may be another than before. Without that way
// the box still serves its own network.
func (n *Network) apply(link netlink.Link, before, l *lease) error {
	if err := netlink.AddrReplace(link, l.netlinkAddr()); err != nil {
		return fmt.Errorf("setting the address %s: %w", l.address, err)
	}
	if !l.router.IsValid() {
		if before != nil && before.router.IsValid() {
			netlink.RouteDel(before.route(link)) // if it is gone, so much the better
		}
		return nil
	}
	if err := netlink.RouteReplace(l.route(link)); err != nil {
		n.Log.Warn("there is no way out of the network", "interface", link.Attrs().Name, "router", l.router, "err", err)
	}
	return nil
}

// route is the way out of the network. If there are several, that of the interface which is first is taken.
func (l *lease) route(link netlink.Link) *netlink.Route {
	index := link.Attrs().Index
	return &netlink.Route{LinkIndex: index, Gw: l.router.AsSlice(), Priority: 100 + index, Flags: int(netlink.FLAG_ONLINK)}
}

// remove takes the address away again; the kernel takes the routes with it. If the interface is gone, so is the address.
func remove(link netlink.Link, l *lease) { netlink.AddrDel(link, l.netlinkAddr()) }
