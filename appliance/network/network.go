// Package network connects the box: every Ethernet interface that has a cable gets its addresses by itself.
//
//	IPv4     by DHCP (RFC 2131): a lease on each interface, renewed at half its time, given up when it ends
//	IPv6     by the kernel, from what routers announce (RFC 4862); by DHCPv6 (RFC 8415) too if they say that it gives addresses
//	names    the resolvers that the leases, the routers (RFC 8106) and DHCPv6 name, of each interface and protocol the first
//	         before anyone's second, in a file like /etc/resolv.conf
//	itself   HOSTNAME.local by multicast DNS (RFC 6762), on all interfaces
//
// Interfaces may come and go at any time, as those on USB do, and cables too. No protocol waits for another: a network
// may have either or both. What others say is bounded in number, and what cannot be a host's address is passed over.
package network

import (
	"cmp"
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
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Network is the box's connection.
type Network struct {
	Hostname  string // without .local
	Resolvers string // the file that says where to ask for names; it is written in place, since it may be mounted
	Sys       string // where sysfs is mounted
	Log       *slog.Logger

	writing sync.Mutex // guards the file of resolvers, so that the last one who writes knows the most

	mu      sync.Mutex        // guards what follows
	leases  map[origin]*lease // what is in force
	changed chan struct{}     // closed and made anew when addresses, resolvers, clocks or the name change
	written string            // the file of resolvers
	last    string            // all that was so then
	name    string            // by which the box is found, without .local; empty until it has one
}

// New returns a Network that does nothing yet.
func New(hostname, resolvers, sys string, log *slog.Logger) *Network {
	return &Network{
		Hostname: hostname, Resolvers: resolvers, Sys: sys, Log: log,
		leases: make(map[origin]*lease), changed: make(chan struct{}),
	}
}

// lease is what an interface was given by one protocol.
type lease struct {
	address   netip.Prefix // of DHCP; the zero Prefix otherwise
	router    netip.Addr   // of DHCP; the zero Addr if there is none
	resolvers []netip.Addr
	clocks    []string // addresses or names
}

// origin is where a lease comes from.
type origin struct {
	link string
	by   protocol
}

// protocol is how the box learns of its network. What DHCPv6 says goes before what routers say (RFC 8106 §5.3.1).
type protocol int

const (
	byDHCP protocol = iota
	byDHCPv6
	byRouter
)

// Run connects the box until ctx ends.
func (n *Network) Run(ctx context.Context) {
	var serving sync.WaitGroup
	defer serving.Wait()
	serving.Go(func() { n.announce(ctx) })
	cables := newCables()
	for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
		err := n.watch(ctx, cables, &serving)
		if ctx.Err() != nil {
			return // all that serves ends with ctx
		}
		n.Log.Warn("interfaces are watched anew", "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry):
		}
	}
}

// errSilent is what watching ends with if the kernel had to tell more than it could.
var errSilent = errors.New("watching interfaces: the kernel tells no more")

// watch follows what the kernel tells of interfaces and addresses, until it tells no more or ctx ends.
func (n *Network) watch(ctx context.Context, cables *cables, serving *sync.WaitGroup) error {
	links, addresses, done := make(chan netlink.LinkUpdate, 16), make(chan netlink.AddrUpdate, 16), make(chan struct{})
	defer close(done)
	if err := netlink.AddrSubscribeWithOptions(addresses, done, netlink.AddrSubscribeOptions{}); err != nil {
		return fmt.Errorf("watching addresses: %w", err)
	}
	defer drain(addresses)
	if err := netlink.LinkSubscribeWithOptions(links, done, netlink.LinkSubscribeOptions{ListExisting: true}); err != nil {
		return fmt.Errorf("watching interfaces: %w", err)
	}
	defer drain(links)
	if err := n.forget(cables); err != nil {
		return err
	}
	n.compare()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case u, ok := <-links:
			if !ok {
				return errSilent
			}
			n.update(ctx, u, cables, serving)
		case _, ok := <-addresses:
			if !ok {
				return errSilent
			}
			n.compare()
		}
	}
}

// drain lets a subscription that is over end, which may wait to say one thing more.
func drain[T any](told <-chan T) {
	go func() { // until the subscription has closed it
		for range told {
		}
	}()
}

// cables are those that are in. They are used by one goroutine.
type cables struct {
	in   map[int]context.CancelFunc // what ends the serving of an interface, by its index
	last map[string]<-chan struct{} // closed when it has ended, by the interface's name, which another may have next
}

func newCables() *cables {
	return &cables{in: make(map[int]context.CancelFunc), last: make(map[string]<-chan struct{})}
}

// forget ends the serving of interfaces that were taken away while nobody watched.
func (n *Network) forget(cables *cables) error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("listing interfaces: %w", err)
	}
	for index, cancel := range cables.in {
		if !slices.ContainsFunc(links, func(l netlink.Link) bool { return l.Attrs().Index == index }) {
			cancel()
			delete(cables.in, index)
		}
	}
	return nil
}

// update follows a change of an interface.
func (n *Network) update(ctx context.Context, u netlink.LinkUpdate, cables *cables, serving *sync.WaitGroup) {
	link, a := u.Link, u.Link.Attrs()
	there := u.Header.Type != unix.RTM_DELLINK
	ours := there && n.isEthernet(a.Name)
	if (ours || there && a.Name == "lo") && a.RawFlags&unix.IFF_UP == 0 {
		if err := netlink.LinkSetUp(link); err != nil {
			n.Log.Warn("an interface cannot be turned on", "interface", a.Name, "err", err)
		}
	}
	cancel, served := cables.in[a.Index]
	wanted := ours && a.RawFlags&unix.IFF_LOWER_UP != 0
	switch {
	case wanted && !served:
		n.Log.Info("a cable is in", "interface", a.Name)
		n.plug(ctx, link, cables, serving)
	case !wanted && served:
		n.Log.Info("a cable is out", "interface", a.Name)
		cancel()
		delete(cables.in, a.Index)
		if there {
			n.clear(link)
		}
	}
}

// plug has an interface served, once nothing is done any more for the cable that was in before: it would take away what this one brings.
func (n *Network) plug(ctx context.Context, link netlink.Link, cables *cables, serving *sync.WaitGroup) {
	ctx, cancel := context.WithCancel(ctx)
	before, done := cables.last[link.Attrs().Name], make(chan struct{})
	cables.in[link.Attrs().Index], cables.last[link.Attrs().Name] = cancel, done
	serving.Go(func() {
		defer close(done)
		if before != nil {
			<-before // it was told to end
		}
		var both sync.WaitGroup
		both.Go(func() { n.serve(ctx, link) })
		both.Go(func() { n.heed(ctx, link) })
		both.Wait()
	})
}

// clear takes from an interface what the kernel learnt from routers and would keep for hours: the next cable may be of another network.
func (n *Network) clear(link netlink.Link) {
	addresses, addressesErr := netlink.AddrList(link, netlink.FAMILY_V6)
	routes, routesErr := netlink.RouteList(link, netlink.FAMILY_V6)
	err := errors.Join(addressesErr, routesErr)
	for _, r := range routes {
		if r.Protocol == unix.RTPROT_RA {
			err = errors.Join(err, netlink.RouteDel(&r))
		}
	}
	for _, a := range addresses {
		if a.IP.IsGlobalUnicast() {
			err = errors.Join(err, netlink.AddrDel(link, &a))
		}
	}
	if err != nil {
		n.Log.Info("something of the network is kept", "interface", link.Attrs().Name, "err", err)
	}
}

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

// complaints says once what fails again and again: a network of IPv6 alone has no DHCP server for as long as it lasts.
type complaints struct {
	log  *slog.Logger
	last string
}

// say logs why something fails, unless it failed for the same reason before. Used by one goroutine.
func (c *complaints) say(what, link string, err error) {
	if err.Error() != c.last {
		c.last = err.Error()
		c.log.Info(what, "interface", link, "err", err)
	}
}

// set remembers what an interface was given, nil if it has that no more, and tells who waits.
func (n *Network) set(from origin, l *lease) {
	n.mu.Lock()
	if l == nil {
		delete(n.leases, from)
	} else {
		n.leases[from] = l
	}
	n.mu.Unlock()
	n.writeResolvers()
	n.compare()
}

// all returns what is in force in the order of the interfaces, and then of the protocols. n.mu must be held.
func (n *Network) all() []*lease {
	var from []origin
	for o := range n.leases {
		from = append(from, o)
	}
	slices.SortFunc(from, func(a, b origin) int { return cmp.Or(strings.Compare(a.link, b.link), cmp.Compare(a.by, b.by)) })
	var all []*lease
	for _, o := range from {
		all = append(all, n.leases[o])
	}
	return all
}

// Changed is closed when addresses, resolvers, clocks or the name have changed after the call.
func (n *Network) Changed() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed
}

// compare tells who waits if addresses, resolvers, clocks or the name have changed.
func (n *Network) compare() {
	held, err := kernelAddresses()
	if err != nil {
		n.Log.Warn("addresses cannot be listed", "err", err)
		return
	}
	clocks := n.Clocks()
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := fmt.Sprint(held, clocks, n.written, n.name); now != n.last {
		n.last = now
		close(n.changed)
		n.changed = make(chan struct{})
	}
}

// Clocks returns the time servers that the network offers.
func (n *Network) Clocks() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var clocks []string
	for _, l := range n.all() {
		for _, c := range l.clocks {
			if !slices.Contains(clocks, c) {
				clocks = append(clocks, c)
			}
		}
	}
	return clocks
}
