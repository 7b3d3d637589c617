package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/dhcpv6/nclient6"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The times of DHCPv6.
const (
	usualRefresh    = 24 * time.Hour   // RFC 8415 §21.23: if a server does not say
	shortestRefresh = 10 * time.Minute // a server that says less is not believed
	lastRetry6      = time.Hour        // RFC 8415 §18.2.6
)

// asker6 sends a message of DHCPv6 until the answer that is wanted comes, or none does.
type asker6 func(ctx context.Context, m *dhcpv6.Message, wanted nclient6.Matcher) (*dhcpv6.Message, error)

// client6 speaks DHCPv6 for an interface.
type client6 struct {
	ask      asker6
	link     string
	hardware net.HardwareAddr
	managed  bool // it asks for an address too

	give func(*binding) error       // gives the interface an address, or the same for longer
	take func(netip.Addr)           // takes it away
	tell func(l *lease, b *binding) // what the server said; nil for nothing any more
}

// binding is an address that DHCPv6 gave, and how long it holds.
type binding struct {
	address                              netip.Addr
	preferred, valid, renewal, rebinding time.Duration
}

// serve6 asks DHCPv6 on an interface until ctx ends.
func (n *Network) serve6(ctx context.Context, link netlink.Link, managed bool) {
	n.persist(ctx, "no answer by DHCPv6", link.Attrs().Name, lastRetry6, func() (bool, error) { return n.hold6(ctx, link, managed) })
}

// hold6 asks, and asks again in time, until there is no answer or ctx ends. It reports whether there was one at first.
func (n *Network) hold6(ctx context.Context, link netlink.Link, managed bool) (served bool, err error) {
	name := link.Attrs().Name
	conn, err := nclient6.New(name, nclient6.WithTimeout(answerWithin))
	if err != nil {
		return false, fmt.Errorf("speaking DHCPv6: %w", err)
	}
	defer conn.Close()
	c := &client6{
		ask: func(ctx context.Context, m *dhcpv6.Message, wanted nclient6.Matcher) (*dhcpv6.Message, error) {
			return conn.SendAndRead(ctx, conn.RemoteAddr(), m, wanted)
		},
		link: name, hardware: link.Attrs().HardwareAddr, managed: managed,
		give: func(b *binding) error { return give6(link, b) },
		take: func(a netip.Addr) { netlink.AddrDel(link, netlinkAddr6(a)) }, // if the interface is gone, so is the address
		tell: func(l *lease, b *binding) {
			served = true
			if b != nil {
				n.Log.Info("has an IPv6 address", "interface", name, "address", b.address)
			}
			n.set(origin{name, byDHCPv6}, l)
		},
	}
	defer n.set(origin{name, byDHCPv6}, nil)
	err = c.run(ctx)
	return served, err
}

// run asks until there is no answer or ctx ends.
func (c *client6) run(ctx context.Context) error {
	for {
		if c.managed {
			m, b, err := c.bind(ctx)
			if err == nil {
				return c.hold(ctx, m, b)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		m, err := c.inform(ctx) // RFC 8415 §18.2.9: a server that has no address may still have the rest
		if err != nil {
			return err
		}
		c.tell(c.read(m), nil)
		refresh := max(m.Options.InformationRefreshTime(usualRefresh), shortestRefresh)
		if c.managed {
			refresh = shortestRefresh // there may be an address by then
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(refresh):
		}
	}
}

// inform asks for all but an address.
func (c *client6) inform(ctx context.Context) (*dhcpv6.Message, error) {
	m, err := c.message(dhcpv6.MessageTypeInformationRequest, nil)
	if err != nil {
		return nil, err
	}
	m, err = c.ask(ctx, m, c.isFor(dhcpv6.MessageTypeReply))
	if err != nil {
		return nil, fmt.Errorf("asking by DHCPv6: %w", err)
	}
	return m, nil
}

// bind asks for an address.
func (c *client6) bind(ctx context.Context) (*dhcpv6.Message, *binding, error) {
	m, err := c.message(dhcpv6.MessageTypeSolicit, c.association())
	if err != nil {
		return nil, nil, err
	}
	offer, err := c.ask(ctx, m, c.isFor(dhcpv6.MessageTypeAdvertise))
	if err != nil {
		return nil, nil, fmt.Errorf("asking for an IPv6 address: %w", err)
	}
	if _, err := c.binding(offer); err != nil {
		return nil, nil, err
	}
	return c.request(ctx, dhcpv6.MessageTypeRequest, offer)
}

// request asks for the address that a message offered or gave, of its server unless that is to be rebound.
func (c *client6) request(ctx context.Context, kind dhcpv6.MessageType, got *dhcpv6.Message) (*dhcpv6.Message, *binding, error) {
	b, err := c.binding(got)
	if err != nil {
		return nil, nil, err
	}
	association := c.association()
	association.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: b.address.AsSlice()})
	m, err := c.message(kind, association)
	if err != nil {
		return nil, nil, err
	}
	if kind != dhcpv6.MessageTypeRebind {
		m.AddOption(dhcpv6.OptServerID(got.Options.ServerID()))
	}
	reply, err := c.ask(ctx, m, c.isFor(dhcpv6.MessageTypeReply))
	if err != nil {
		return nil, nil, fmt.Errorf("asking for %s: %w", b.address, err)
	}
	next, err := c.binding(reply)
	return reply, next, err
}

// hold uses an address and has it renewed, until it cannot be or ctx ends.
func (c *client6) hold(ctx context.Context, m *dhcpv6.Message, b *binding) error {
	for {
		if err := c.give(b); err != nil {
			return err
		}
		c.tell(c.read(m), b)
		next, got, err := c.renew(ctx, m, b)
		if err != nil || got.address != b.address {
			c.take(b.address)
		}
		if err != nil {
			return err
		}
		m, b = next, got
	}
}

// renew waits for the time to renew, asks this server and then any, until the address is renewed or over.
func (c *client6) renew(ctx context.Context, m *dhcpv6.Message, b *binding) (*dhcpv6.Message, *binding, error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, b.valid, errOver)
	defer cancel()
	for wait := b.renewal; ; {
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(wait):
		}
		kind, end := dhcpv6.MessageTypeRenew, b.rebinding
		if time.Since(begun) >= b.rebinding {
			kind, end = dhcpv6.MessageTypeRebind, b.valid
		}
		next, got, err := c.request(ctx, kind, m)
		switch {
		case err == nil:
			return next, got, nil
		case errors.Is(err, errRefused):
			return nil, nil, err
		}
		wait = max((end-time.Since(begun))/2, shortest/2)
	}
}

// identity is what servers know the interface by: the same after each start.
func (c *client6) identity() dhcpv6.DUID {
	return &dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: c.hardware}
}

// association is the IA_NA of which an interface has one.
func (c *client6) association() *dhcpv6.OptIANA {
	return &dhcpv6.OptIANA{IaId: [4]byte{0, 0, 0, 1}}
}

func (c *client6) message(kind dhcpv6.MessageType, association *dhcpv6.OptIANA) (*dhcpv6.Message, error) {
	m, err := dhcpv6.NewMessage()
	if err != nil {
		return nil, fmt.Errorf("making a message of DHCPv6: %w", err)
	}
	m.MessageType = kind
	m.AddOption(dhcpv6.OptClientID(c.identity()))
	m.AddOption(dhcpv6.OptElapsedTime(0))
	wanted := []dhcpv6.OptionCode{dhcpv6.OptionDNSRecursiveNameServer, dhcpv6.OptionNTPServer, dhcpv6.OptionSNTPServerList}
	if association != nil {
		m.AddOption(association)
	} else {
		wanted = append(wanted, dhcpv6.OptionInformationRefreshTime)
	}
	m.AddOption(dhcpv6.OptRequestedOption(wanted...))
	return m, nil
}

// isFor tells answers to us, of a server that says who it is (RFC 8415 §16).
func (c *client6) isFor(kind dhcpv6.MessageType) nclient6.Matcher {
	return func(m *dhcpv6.Message) bool {
		id := m.Options.ClientID()
		return m.MessageType == kind && id != nil && id.Equal(c.identity()) && m.Options.ServerID() != nil
	}
}

// errRefused is wrapped by what a server has answered without giving an address.
var errRefused = errors.New("the server gives no address")

// binding reads which address a message gives.
func (c *client6) binding(m *dhcpv6.Message) (*binding, error) {
	for _, association := range m.Options.IANA() {
		if association.IaId != c.association().IaId {
			continue
		}
		if status := association.Options.Status(); status != nil && status.StatusCode != iana.StatusSuccess {
			return nil, fmt.Errorf("%w: %v", errRefused, status.StatusCode)
		}
		for _, a := range association.Options.Addresses() {
			address, _ := netip.AddrFromSlice(a.IPv6Addr)
			usable := hostAddress6(address, c.link).IsValid() && address.IsGlobalUnicast()
			if usable && a.ValidLifetime > 0 && a.PreferredLifetime <= a.ValidLifetime {
				return newBinding(address, a, association), nil
			}
		}
	}
	return nil, errRefused
}

// newBinding puts the times in order, of which a server may leave some open (RFC 8415 §21.4).
func newBinding(address netip.Addr, a *dhcpv6.OptIAAddress, association *dhcpv6.OptIANA) *binding {
	b := &binding{address: address, preferred: a.PreferredLifetime, valid: max(a.ValidLifetime, shortest), renewal: association.T1, rebinding: association.T2}
	b.preferred = min(max(b.preferred, shortest), b.valid)
	if b.rebinding <= 0 || b.rebinding > b.valid {
		b.rebinding = b.preferred * 4 / 5
	}
	if b.renewal <= 0 || b.renewal > b.rebinding {
		b.renewal = b.rebinding * 5 / 8
	}
	b.rebinding = max(b.rebinding, shortest/2)
	b.renewal = max(b.renewal, shortest/2)
	return b
}

// read takes from an answer what we use beside the address.
func (c *client6) read(m *dhcpv6.Message) *lease {
	clocks := append(texts(c.hosts(append(m.Options.NTPServers(), m.Options.SNTP()...))), clockNames(m)...)
	return &lease{resolvers: c.hosts(m.Options.DNS()), clocks: clocks[:min(len(clocks), maxOffered)]}
}

// clockNames returns the names of time servers in an answer (RFC 5908 §4.3).
func clockNames(m *dhcpv6.Message) []string {
	var names []string
	for _, option := range m.Options.Get(dhcpv6.OptionNTPServer) {
		servers, ok := option.(*dhcpv6.OptNTPServer)
		if !ok {
			continue
		}
		for _, server := range servers.Suboptions {
			if named, ok := server.(*dhcpv6.NTPSuboptionSrvFQDN); ok {
				names = append(names, slices.DeleteFunc(slices.Clone(named.Labels.Labels), notHostname)...)
			}
		}
	}
	return names
}

// notHostname reports whether a name cannot be that of a host (RFC 1123 §2.1).
func notHostname(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
	return name == "" || len(name) > 253 || strings.Trim(name, letters) != "" || strings.HasPrefix(name, "-")
}

// hosts returns those of a list that can be a host's, each once, at most 4.
func (c *client6) hosts(list []net.IP) []netip.Addr {
	var all []netip.Addr
	for _, ip := range list {
		a, _ := netip.AddrFromSlice(ip)
		if a = hostAddress6(a, c.link); a.IsValid() {
			all = appendNew(all, a, maxOffered)
		}
	}
	return all
}

func netlinkAddr6(a netip.Addr) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(128, 128)}}
}

// give6 gives an interface an address, which the kernel takes away when its time is over. What else is on its network is for
// routers to say.
func give6(link netlink.Link, b *binding) error {
	a := netlinkAddr6(b.address)
	a.Flags = unix.IFA_F_NOPREFIXROUTE
	a.PreferedLft, a.ValidLft = lifetime(b.preferred), lifetime(b.valid)
	if err := netlink.AddrReplace(link, a); err != nil {
		return fmt.Errorf("setting the address %s: %w", b.address, err)
	}
	return nil
}

// lifetime returns the kernel's form of how long an address holds.
func lifetime(d time.Duration) int {
	return int(min(d/time.Second, 1<<32-1))
}
