package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// The times between questions for routers, until one answers (RFC 7559).
const (
	firstSolicitation = time.Second
	lastSolicitation  = time.Hour
)

// maxAdvertisement is longer than any packet of Ethernet.
const maxAdvertisement = 9 << 10

// heed follows what routers say on an interface, until ctx ends.
func (n *Network) heed(ctx context.Context, link netlink.Link) {
	name, retry, failed := link.Attrs().Name, firstRetry, complaints{log: n.Log}
	for {
		err := n.heedRouters(ctx, link)
		if ctx.Err() != nil {
			return
		}
		failed.say("routers are not heard", name, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry):
		}
		retry = min(2*retry, lastRetry)
	}
}

// heedRouters opens what routers are heard by, and follows them until it breaks or ctx ends.
func (n *Network) heedRouters(ctx context.Context, link netlink.Link) error {
	conn, err := openRouters(link)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	heard, broken := make(chan *advertisement), make(chan error, 1)
	running.Go(func() { broken <- conn.listen(ctx, heard) }) // until conn is closed
	name := link.Attrs().Name
	defer n.set(origin{name, byRouter}, nil)
	f := &follower{
		solicit: conn.solicit,
		tell:    func(l *lease) { n.set(origin{name, byRouter}, l) },
		start:   func(managed bool) context.CancelFunc { return n.start6(ctx, link, managed, &running) },
	}
	return f.run(ctx, heard, broken)
}

// start6 starts DHCPv6, and returns what ends it.
func (n *Network) start6(ctx context.Context, link netlink.Link, managed bool, running *sync.WaitGroup) context.CancelFunc {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	running.Go(func() {
		defer close(done)
		n.serve6(ctx, link, managed)
	})
	return func() {
		cancel()
		<-done
	}
}

// follower does what routers say.
type follower struct {
	solicit func() error                          // asks routers to speak
	tell    func(*lease)                          // the resolvers have changed
	start   func(managed bool) context.CancelFunc // starts DHCPv6

	known   []timed
	stop    context.CancelFunc // of DHCPv6; nil if it does not run
	managed bool               // what it does
}

// run follows until ctx ends or nothing can be heard any more.
func (f *follower) run(ctx context.Context, heard <-chan *advertisement, broken <-chan error) error {
	solicitation, expiry := time.NewTimer(0), time.NewTimer(forever)
	defer solicitation.Stop()
	defer expiry.Stop()
	pause := firstSolicitation
	for {
		var said []timed
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-broken:
			return err
		case <-solicitation.C:
			_ = f.solicit() // while the interface is being set up nothing can be sent
			solicitation.Reset(pause)
			pause = min(2*pause, lastSolicitation)
			continue
		case a := <-heard:
			solicitation.Stop()
			f.heed(a)
			said = a.resolvers
		case <-expiry.C:
		}
		f.learn(said)
		if len(f.known) > 0 {
			expiry.Reset(time.Until(f.end()))
		}
	}
}

// heed starts DHCPv6 if a router says that there is some. One that says less than another does not stop it.
func (f *follower) heed(a *advertisement) {
	if !a.managed && !a.other || f.stop != nil && (f.managed || !a.managed) {
		return
	}
	if f.stop != nil {
		f.stop()
	}
	f.managed = a.managed
	f.stop = f.start(a.managed)
}

// learn takes what a router said, and tells if that changes something.
func (f *follower) learn(said []timed) {
	before := addressesOf(f.known)
	f.known = merge(f.known, said, time.Now())
	after := addressesOf(f.known)
	if !slices.Equal(before, after) {
		f.tell(&lease{resolvers: after})
	}
}

// end returns when the first of what is known ends.
func (f *follower) end() time.Time {
	end := f.known[0].until
	for _, k := range f.known {
		if k.until.Before(end) {
			end = k.until
		}
	}
	return end
}

func addressesOf(all []timed) []netip.Addr {
	var addresses []netip.Addr
	for _, t := range all {
		addresses = append(addresses, t.address)
	}
	return addresses
}

// routers is what an interface's routers are heard by.
type routers struct {
	raw  net.PacketConn
	conn *ipv6.PacketConn
	link string
}

func openRouters(link netlink.Link) (*routers, error) {
	name := link.Attrs().Name
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if controlErr := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), name) }); controlErr != nil {
			return controlErr
		}
		return err
	}}
	raw, err := config.ListenPacket(context.Background(), "ip6:ipv6-icmp", "::")
	if err != nil {
		return nil, fmt.Errorf("listening for routers: %w", err)
	}
	r := &routers{raw, ipv6.NewPacketConn(raw), name}
	filter := new(ipv6.ICMPFilter)
	filter.SetAll(true)
	filter.Accept(ipv6.ICMPTypeRouterAdvertisement)
	err = errors.Join(r.conn.SetICMPFilter(filter), r.conn.SetMulticastHopLimit(255),
		r.conn.SetControlMessage(ipv6.FlagHopLimit, true), r.conn.JoinGroup(&net.Interface{Index: link.Attrs().Index}, &net.IPAddr{IP: net.IPv6linklocalallnodes}))
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("listening for routers: %w", err)
	}
	return r, nil
}

// Close makes listen return.
func (r *routers) Close() error { return r.raw.Close() }

// solicit asks routers to speak.
func (r *routers) solicit() error {
	_, err := r.conn.WriteTo([]byte{typeSolicitation, 0, 0, 0, 0, 0, 0, 0}, nil, &net.IPAddr{IP: net.IPv6linklocalallrouters, Zone: r.link})
	return err
}

// listen hands on what routers of this network say, until it is closed or ctx ends. From further away nothing comes with a hop limit of 255.
func (r *routers) listen(ctx context.Context, heard chan<- *advertisement) error {
	buffer := make([]byte, maxAdvertisement)
	for {
		size, control, from, err := r.conn.ReadFrom(buffer)
		if err != nil {
			return fmt.Errorf("listening for routers: %w", err)
		}
		source, ok := from.(*net.IPAddr)
		if !ok || control == nil || control.HopLimit != 255 || !source.IP.IsLinkLocalUnicast() {
			continue
		}
		a, err := parseAdvertisement(buffer[:size], r.link, time.Now())
		if err != nil {
			continue
		}
		select {
		case heard <- a:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
