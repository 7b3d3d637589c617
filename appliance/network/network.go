// Package network connects the box: every Ethernet interface that has a cable gets its addresses by itself.
//
//	IPv4     by DHCP (RFC 2131): a lease on each interface, renewed at half its time, given up when it ends
//	IPv6     by the kernel, from what routers announce (RFC 4862)
//	names    the resolvers that the leases name, in the order of the interfaces, in a file like /etc/resolv.conf
//	itself   HOSTNAME.local by multicast DNS (RFC 6762), on all interfaces
//
// Interfaces may come and go at any time, as those on USB do, and cables too.
package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
)

// Network is the box's connection.
type Network struct {
	Hostname  string // without .local
	Resolvers string // the file that says where to ask for names; it is written in place, since it may be mounted
	Sys       string // where sysfs is mounted
	Log       *slog.Logger

	mu      sync.Mutex        // guards what follows
	leases  map[string]*lease // by interface
	changed chan struct{}     // closed and made anew when addresses change
}

// New returns a Network that does nothing yet.
func New(hostname, resolvers, sys string, log *slog.Logger) *Network {
	return &Network{
		Hostname: hostname, Resolvers: resolvers, Sys: sys, Log: log,
		leases: make(map[string]*lease), changed: make(chan struct{}),
	}
}

// lease is what DHCP gave an interface.
type lease struct {
	address   netip.Prefix
	router    netip.Addr // the zero Addr if there is none
	resolvers []netip.Addr
	clocks    []netip.Addr
}

// Run connects the box until ctx ends.
func (n *Network) Run(ctx context.Context) error {
	updates, done := make(chan netlink.LinkUpdate, 16), make(chan struct{})
	defer close(done)
	if err := netlink.LinkSubscribeWithOptions(updates, done, netlink.LinkSubscribeOptions{ListExisting: true}); err != nil {
		return fmt.Errorf("watching interfaces: %w", err)
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	serving.Go(func() { n.announce(ctx) })
	cables := make(map[int]context.CancelFunc) // what ends an interface's DHCP, by its index
	for {
		select {
		case <-ctx.Done():
			for _, cancel := range cables {
				cancel()
			}
			return nil
		case u, ok := <-updates:
			if !ok {
				return errors.New("watching interfaces: the kernel tells no more")
			}
			n.update(ctx, u.Link, cables, &serving)
		}
	}
}

// update follows a change of an interface.
func (n *Network) update(ctx context.Context, link netlink.Link, cables map[int]context.CancelFunc, serving *sync.WaitGroup) {
	a := link.Attrs()
	if (a.Name == "lo" || n.isEthernet(a.Name)) && a.RawFlags&flagUp == 0 {
		if err := netlink.LinkSetUp(link); err != nil {
			n.Log.Warn("an interface cannot be turned on", "interface", a.Name, "err", err)
		}
	}
	cancel, served := cables[a.Index]
	wanted := n.isEthernet(a.Name) && a.RawFlags&flagLowerUp != 0
	switch {
	case wanted && !served:
		n.Log.Info("a cable is in", "interface", a.Name)
		ctx, cancel := context.WithCancel(ctx)
		cables[a.Index] = cancel
		serving.Go(func() { n.serve(ctx, link) })
	case !wanted && served:
		n.Log.Info("a cable is out", "interface", a.Name)
		cancel()
		delete(cables, a.Index)
	}
}

// Of <linux/if.h>.
const (
	flagUp      = 0x1
	flagLowerUp = 0x10000
)

// isEthernet tells Ethernet from what only looks like it.
func (n *Network) isEthernet(name string) bool {
	folder := filepath.Join(n.Sys, "class/net", name)
	kind, err := os.ReadFile(filepath.Join(folder, "type"))
	if err != nil || strings.TrimSpace(string(kind)) != "1" { // ARPHRD_ETHER
		return false
	}
	_, virtual := os.Stat(filepath.Join(folder, "device"))
	_, wireless := os.Stat(filepath.Join(folder, "phy80211"))
	return virtual == nil && wireless != nil
}

// set remembers an interface's lease, nil if it has none any more, and tells who waits.
func (n *Network) set(name string, l *lease) {
	n.mu.Lock()
	if l == nil {
		delete(n.leases, name)
	} else {
		n.leases[name] = l
	}
	text := resolvConf(n.all())
	close(n.changed)
	n.changed = make(chan struct{})
	n.mu.Unlock()
	if err := os.WriteFile(n.Resolvers, []byte(text), 0o644); err != nil {
		n.Log.Warn("names cannot be resolved", "err", err)
	}
}

// all returns the leases in the order of their interfaces. n.mu must be held.
func (n *Network) all() []*lease {
	var names []string
	for name := range n.leases {
		names = append(names, name)
	}
	slices.Sort(names)
	var all []*lease
	for _, name := range names {
		all = append(all, n.leases[name])
	}
	return all
}

// maxResolvers is how many the resolver of Go, like those of others, looks at.
const maxResolvers = 3

// resolvConf returns the text of resolv.conf(5) for some leases.
func resolvConf(leases []*lease) string {
	var b strings.Builder
	var seen []netip.Addr
	for _, l := range leases {
		for _, r := range l.resolvers {
			if !slices.Contains(seen, r) && len(seen) < maxResolvers {
				seen = append(seen, r)
				fmt.Fprintf(&b, "nameserver %s\n", r)
			}
		}
	}
	return b.String()
}

// Changed is closed when addresses have changed after the call.
func (n *Network) Changed() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed
}

// Clocks returns the time servers that the network offers.
func (n *Network) Clocks() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var clocks []string
	for _, l := range n.all() {
		for _, c := range l.clocks {
			clocks = append(clocks, c.String())
		}
	}
	return clocks
}

// Addresses returns the addresses at which the box can be reached, those of DHCP first.
func (n *Network) Addresses() []string {
	n.mu.Lock()
	var addresses []string
	for _, l := range n.all() {
		addresses = append(addresses, l.address.Addr().String())
	}
	n.mu.Unlock()
	all, err := netlink.AddrList(nil, netlink.FAMILY_V6)
	if err != nil {
		return addresses
	}
	for _, a := range all {
		if a.IP.IsGlobalUnicast() {
			addresses = append(addresses, a.IP.String())
		}
	}
	return addresses
}
