package network

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
)

func TestRenew(t *testing.T) {
	refused := &nclient4.ErrNak{Nak: new(dhcpv4.DHCPv4)}
	for _, c := range []struct {
		name    string
		answers []error // of the server, the last again and again
		want    string  // the seconds at which it was asked, and how it ended
	}{
		{"at once", []error{nil}, "600 renewed"},
		{"the fourth time", []error{errMute, errMute, errMute, nil}, "600 630 660 690 renewed"},
		{"refused", []error{errMute, refused}, "600 630 server rejected request with Nak"},
		{"never", []error{errMute}, "600 630 660 690 renewing the lease: it is over"},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			var asked []string
			_, err := renew(t.Context(), nil, 600*time.Second, 700*time.Second, func(context.Context, *nclient4.Lease) (*nclient4.Lease, error) {
				answer := c.answers[min(len(asked), len(c.answers)-1)]
				asked = append(asked, strconv.Itoa(int(time.Since(begun).Seconds())))
				return new(nclient4.Lease), answer
			})
			got := strings.Join(asked, " ") + " renewed"
			if err != nil {
				got = strings.Join(asked, " ") + " " + err.Error()
			}
			if got != c.want {
				t.Errorf("%s: got %s", c.name, got)
			}
		})
	}
}

// What a server may do when a lease is to be renewed: each hour it is asked, gives this, and the box does that.
func TestKeep(t *testing.T) {
	gives := func(ip string, modifiers ...dhcpv4.Modifier) *nclient4.Lease {
		m := ack(t, ip, dhcpv4.OptIPAddressLeaseTime(2*time.Hour), dhcpv4.OptSubnetMask(net.CIDRMask(24, 32)))
		for _, modify := range modifiers {
			modify(m)
		}
		return &nclient4.Lease{ACK: m}
	}
	router := func(last byte) dhcpv4.Modifier { return dhcpv4.WithRouter(net.IPv4(192, 0, 2, last)) }
	for _, c := range []struct {
		name    string
		answers []*nclient4.Lease // then none
		want    string
	}{
		{"another router, and then none", []*nclient4.Lease{gives("192.0.2.7", router(2)), gives("192.0.2.7")},
			"1h0m0s 192.0.2.1 to 192.0.2.2, 2h0m0s 192.0.2.2 to invalid IP, 4h0m0s renewing the lease: it is over"},
		{"another address", []*nclient4.Lease{gives("192.0.2.8")}, "1h0m0s renewing the lease: the server gives 192.0.2.8/24 instead of 192.0.2.7/24"},
		{"another network", []*nclient4.Lease{gives("192.0.2.7", dhcpv4.WithNetmask(net.CIDRMask(16, 32)))},
			"1h0m0s renewing the lease: the server gives 192.0.2.7/16 instead of 192.0.2.7/24"},
		{"no address", []*nclient4.Lease{gives("0.0.0.0")}, "1h0m0s reading the lease: 0.0.0.0 is no address for a host"},
		{"a shorter lease", []*nclient4.Lease{gives("192.0.2.7", router(1), dhcpv4.WithLeaseTime(1))}, "1h0m0s 192.0.2.1 to 192.0.2.1, 1h1m0s renewing the lease: it is over"},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			var happened []string
			note := func(what string) { happened = append(happened, time.Since(begun).String()+" "+what) }
			first := gives("192.0.2.7", router(1))
			current, err := read(first.ACK)
			if err != nil {
				t.Fatal(err)
			}
			err = keep(t.Context(), first, current, func(before, next *lease) error {
				note(before.router.String() + " to " + next.router.String())
				return nil
			}, func(context.Context, *nclient4.Lease) (*nclient4.Lease, error) {
				if len(c.answers) == 0 {
					return nil, errMute
				}
				answer := c.answers[0]
				c.answers = c.answers[1:]
				return answer, nil
			})
			note(err.Error())
			if got := strings.Join(happened, ", "); got != c.want {
				t.Errorf("%s: got %s", c.name, got)
			}
		})
	}
}

// script answers a box's messages of DHCP one after the other: each step changes what would be right.
type script struct {
	steps []func(m *dhcpv4.DHCPv4) // used by one goroutine
}

// handle sends junk and the next answer.
func (s *script) handle(conn net.PacketConn, _ net.Addr, asked *dhcpv4.DHCPv4) {
	kind := dhcpv4.MessageTypeOffer
	if asked.MessageType() == dhcpv4.MessageTypeRequest {
		kind = dhcpv4.MessageTypeAck
	}
	server := net.IPv4(192, 0, 2, 1)
	reply, err := dhcpv4.NewReplyFromRequest(asked, dhcpv4.WithServerIP(server), dhcpv4.WithYourIP(net.IPv4(192, 0, 2, 7)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(server)), dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithMessageType(kind))
	if err != nil || len(s.steps) == 0 {
		return
	}
	s.steps[0](reply)
	s.steps = s.steps[1:]
	broadcast := &net.UDPAddr{IP: net.IPv4bcast, Port: dhcpv4.ClientPort}
	conn.WriteTo([]byte("junk"), broadcast)
	conn.WriteTo(reply.ToBytes(), broadcast)
}

// Threat: a server that refuses, that gives what is no address, and whose options are junk. The box asks again, and takes what it can use.
func TestHostileDHCP(t *testing.T) {
	if !alone(t) {
		return
	}
	l := newLAN(t, 1)
	usual := func(*dhcpv4.DHCPv4) {}
	junk := func(m *dhcpv4.DHCPv4) {
		m.UpdateOption(dhcpv4.Option{Code: dhcpv4.OptionSubnetMask, Value: dhcpv4.IPMask{255, 0, 255, 0}})
		m.UpdateOption(dhcpv4.OptRouter(net.IPv4zero, net.IPv4(192, 0, 2, 7), net.IPv4(127, 0, 0, 1)))
		m.UpdateOption(dhcpv4.OptDNS(net.IPv4(127, 0, 0, 1), net.IPv4(224, 0, 0, 1), net.IPv4(192, 0, 2, 53), net.IPv4bcast, net.IPv4(192, 0, 2, 53)))
		m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionNTPServers, []byte{192, 0, 2}))
		m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionIPAddressLeaseTime, []byte{1}))
		m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionDomainName, []byte(strings.Repeat("\x00\n%", 80))))
	}
	s := &script{steps: []func(*dhcpv4.DHCPv4){
		usual, func(m *dhcpv4.DHCPv4) { m.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak)) },
		usual, func(m *dhcpv4.DHCPv4) { m.YourIPAddr = net.IPv4bcast },
		usual, junk,
	}}
	var server *server4.Server
	var err error
	l.inside(func() { server, err = server4.NewServer("router0", &net.UDPAddr{Port: dhcpv4.ServerPort}, s.handle) })
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve()
	}()
	defer func() {
		server.Close()
		<-served
	}()
	n, _ := l.box()
	l.plug(0)
	until(t, n, "it has the address and the resolver", func() bool { return has(n, "192.0.2.7")() && resolves(n, "192.0.2.53")() })
	if len(n.Clocks()) > 0 {
		t.Errorf("the clocks are %v", n.Clocks())
	}
}

// Two cables, of which one goes out and in again, and whose interfaces are turned off by somebody.
func TestTwoCables(t *testing.T) {
	if !alone(t, dnsmasq) {
		return
	}
	l := newLAN(t, 2)
	for i, network := range []string{"192.0.2.", "198.51.100."} {
		l.plug(i)
		l.router("ip", "address", "add", network+"1/24", "dev", "router"+strconv.Itoa(i))
		l.dnsmasq(i, "--bind-interfaces", "--dhcp-range="+network+"7,"+network+"7,1h", "--dhcp-option=option:dns-server,"+network+"53,"+network+"54")
	}
	n, _ := l.box()
	both := func() bool {
		return has(n, "192.0.2.7", "198.51.100.7")() && resolves(n, "192.0.2.53", "198.51.100.53", "192.0.2.54")()
	}
	until(t, n, "both have addresses", both)
	l.pull(0)
	until(t, n, "the second serves alone", func() bool {
		return has(n, "198.51.100.7")() && resolves(n, "198.51.100.53", "198.51.100.54")()
	})
	l.plug(0)
	until(t, n, "both have addresses again", both)
	l.do("ip", "link", "set", "box1", "down")
	l.poll("the interface that was turned off is turned on again", func() bool {
		out, err := exec.Command("ip", "link", "show", "dev", "box1", "up").Output()
		return err == nil && len(out) > 0
	})
	until(t, n, "it has its address again", both)
	l.do("ip", "link", "delete", "box1")
	until(t, n, "the one that was taken away is forgotten", func() bool { return has(n, "192.0.2.7")() && resolves(n, "192.0.2.53", "192.0.2.54")() })
	routes, err := exec.Command("ip", "route", "show", "default").Output()
	if err != nil || !strings.HasPrefix(string(routes), "default via 192.0.2.1 dev box0") {
		t.Errorf("the way out is %q, %v", routes, err)
	}
}

func FuzzReadDHCP(f *testing.F) {
	m, err := dhcpv4.New(dhcpv4.WithYourIP(net.IPv4(192, 0, 2, 7)), dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithRouter(net.IPv4(192, 0, 2, 1)),
		dhcpv4.WithDNS(net.IPv4(192, 0, 2, 53)), dhcpv4.WithOption(dhcpv4.OptNTPServers(net.IPv4(192, 0, 2, 123))))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.ToBytes())
	f.Fuzz(func(t *testing.T, packet []byte) {
		m, err := dhcpv4.FromBytes(packet)
		if err != nil {
			return
		}
		if renewal, end := times(m); renewal < shortest/2 || end < shortest || renewal >= end {
			t.Errorf("it is renewed after %v and ends after %v", renewal, end)
		}
		l, err := read(m)
		if err != nil {
			return
		}
		if !l.address.IsValid() || l.address.Bits() == 0 || l.router == l.address.Addr() || len(l.resolvers) > maxOffered || len(l.clocks) > maxOffered {
			t.Errorf("the lease is %+v", l)
		}
	})
}

// frame is a packet socket on which one frame comes.
type frame struct {
	net.PacketConn // never used
	data           []byte
}

// ReadFrom implements net.PacketConn.
func (f *frame) ReadFrom(b []byte) (int, net.Addr, error) {
	if f.data == nil {
		return 0, nil, net.ErrClosed
	}
	size := copy(b, f.data)
	f.data = nil
	return size, nil, nil
}

// Whoever is on the cable can send any frame to what gets leases, which is the first process of a box.
func FuzzFrame(f *testing.F) {
	f.Add(append([]byte{0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 255, 255, 255, 255, 0, 67, 0, 68, 0, 12, 0, 0}, "junk"...))
	f.Add([]byte{0x40, 0, 0, 20})
	f.Fuzz(func(t *testing.T, data []byte) {
		conn := nclient4.NewBroadcastUDPConn(&frame{data: data}, &net.UDPAddr{Port: nclient4.ClientPort})
		buffer := make([]byte, nclient4.MaxMessageSize)
		if size, _, err := conn.ReadFrom(buffer); err == nil && size > len(data) {
			t.Errorf("of %d bytes %d are handed on", len(data), size)
		}
	})
}
