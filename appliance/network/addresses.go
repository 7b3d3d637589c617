package network

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Addresses returns the addresses at which the box can be reached: those of DHCP first, then those of IPv6 that hold in the
// whole world, then those that hold in this network only (RFC 4193).
func (n *Network) Addresses() []string {
	n.mu.Lock()
	var addresses []string
	for _, l := range n.all() {
		if l.address.IsValid() {
			addresses = append(addresses, l.address.Addr().String())
		}
	}
	n.mu.Unlock()
	held, err := kernelAddresses()
	if err != nil {
		return addresses
	}
	var public, private []string
	for _, h := range held {
		switch a := h.prefix.Addr(); {
		case !a.Is6() || !a.IsGlobalUnicast():
		case a.IsPrivate():
			private = append(private, a.String())
		default:
			public = append(public, a.String())
		}
	}
	return slices.Concat(addresses, public, private)
}

// held is an address that an interface has.
type held struct {
	link   int // the interface's index
	prefix netip.Prefix
}

// ifaUnusable are the flags of addresses that are not in use yet, any more, or for long.
const ifaUnusable = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED

// kernelAddresses returns which addresses the interfaces have, without those of the loopback, in an order that lasts.
func kernelAddresses() ([]held, error) {
	all, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	for range 3 {
		if errors.Is(err, netlink.ErrDumpInterrupted) { // something has changed meanwhile
			all, err = netlink.AddrList(nil, netlink.FAMILY_ALL)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listing addresses: %w", err)
	}
	var found []held
	for _, a := range all {
		ip, ok := netip.AddrFromSlice(a.IP)
		bits, _ := a.Mask.Size()
		if ok && !ip.IsLoopback() && a.Flags&ifaUnusable == 0 {
			found = append(found, held{a.LinkIndex, netip.PrefixFrom(ip.Unmap(), bits)})
		}
	}
	slices.SortFunc(found, func(a, b held) int {
		return cmp.Or(cmp.Compare(a.link, b.link), a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()))
	})
	return found, nil
}
