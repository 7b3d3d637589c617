package network

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/dhcpv6/nclient6"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/insomniacslk/dhcp/rfc1035label"
)

var errMute = errors.New("no answer")

// talk6 runs a client with a server for some time, and returns what happened, with the second at which it did.
func talk6(t *testing.T, managed bool, lasts time.Duration, server func(number int, asked *dhcpv6.Message) []dhcpv6.Modifier) string {
	t.Helper()
	var happened []string
	synctest.Test(t, func(t *testing.T) {
		begun, number := time.Now(), 0
		note := func(what string) {
			happened = append(happened, strconv.Itoa(int(time.Since(begun).Seconds()))+" "+what)
		}
		c := &client6{
			link: "eth0", hardware: net.HardwareAddr{2, 0, 0, 0, 0, 1}, managed: managed,
			give: func(b *binding) error { note("give " + b.address.String() + " " + b.valid.String()); return nil },
			take: func(a netip.Addr) { note("take " + a.String()) },
			tell: func(l *lease, _ *binding) { note("resolvers " + netipText(l.resolvers)) },
		}
		c.ask = func(_ context.Context, m *dhcpv6.Message, wanted nclient6.Matcher) (*dhcpv6.Message, error) {
			number++
			note(strings.ToLower(m.MessageType.String()))
			answer := server(number, m)
			if answer == nil {
				return nil, errMute
			}
			reply := &dhcpv6.Message{MessageType: dhcpv6.MessageTypeReply, TransactionID: m.TransactionID}
			if m.MessageType == dhcpv6.MessageTypeSolicit {
				reply.MessageType = dhcpv6.MessageTypeAdvertise
			}
			reply.AddOption(dhcpv6.OptClientID(m.Options.ClientID()))
			reply.AddOption(dhcpv6.OptServerID(&dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: net.HardwareAddr{2, 0, 0, 0, 0, 9}}))
			for _, modify := range answer {
				modify(reply)
			}
			read, err := dhcpv6.MessageFromBytes(reply.ToBytes())
			if err != nil || !wanted(read) {
				return nil, errMute
			}
			return read, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), lasts)
		defer cancel()
		err := c.run(ctx)
		if ctx.Err() == nil {
			note(err.Error())
		}
	})
	return strings.Join(happened, ", ")
}

// gives has a server give an address for some seconds.
func gives(address string, preferred, valid int) dhcpv6.Modifier {
	a := &dhcpv6.OptIAAddress{IPv6Addr: net.ParseIP(address), PreferredLifetime: time.Duration(preferred) * time.Second, ValidLifetime: time.Duration(valid) * time.Second}
	return dhcpv6.WithOption(&dhcpv6.OptIANA{IaId: [4]byte{0, 0, 0, 1}, Options: dhcpv6.IdentityOptions{Options: dhcpv6.Options{a}}})
}

func status(code iana.StatusCode) dhcpv6.Modifier {
	return dhcpv6.WithOption(&dhcpv6.OptIANA{IaId: [4]byte{0, 0, 0, 1}, Options: dhcpv6.IdentityOptions{Options: dhcpv6.Options{&dhcpv6.OptStatusCode{StatusCode: code}}}})
}

func TestInformation(t *testing.T) {
	dns := dhcpv6.WithDNS(net.ParseIP("2001:db8::53"), net.ParseIP("fe80::53"), net.ParseIP("ff02::1"), net.ParseIP("2001:db8::53"))
	got := talk6(t, false, 25*time.Hour, func(int, *dhcpv6.Message) []dhcpv6.Modifier { return []dhcpv6.Modifier{dns} })
	if want := "0 information-request, 0 resolvers 2001:db8::53+fe80::53%eth0, 86400 information-request, 86400 resolvers 2001:db8::53+fe80::53%eth0"; got != want {
		t.Errorf("got %s", got)
	}
	got = talk6(t, false, 15*time.Minute, func(int, *dhcpv6.Message) []dhcpv6.Modifier {
		return []dhcpv6.Modifier{dhcpv6.WithInformationRefreshTime(time.Second)}
	})
	if want := "0 information-request, 0 resolvers , 600 information-request, 600 resolvers "; got != want {
		t.Errorf("a server that wants to be asked each second: got %s", got)
	}
	got = talk6(t, false, time.Hour, func(int, *dhcpv6.Message) []dhcpv6.Modifier { return nil })
	if want := "0 information-request, 0 asking by DHCPv6: no answer"; got != want {
		t.Errorf("no server: got %s", got)
	}
}

func TestManaged(t *testing.T) {
	for _, c := range []struct {
		name   string
		lasts  time.Duration
		server func(number int, asked *dhcpv6.Message) []dhcpv6.Modifier
		want   string
	}{
		{"it is renewed", 10 * time.Minute, func(int, *dhcpv6.Message) []dhcpv6.Modifier {
			return []dhcpv6.Modifier{gives("2001:db8::7", 500, 1000)}
		}, "0 solicit, 0 request, 0 give 2001:db8::7 16m40s, 0 resolvers , 250 renew, 250 give 2001:db8::7 16m40s, 250 resolvers , " +
			"500 renew, 500 give 2001:db8::7 16m40s, 500 resolvers , 600 take 2001:db8::7"},
		{"another is given", 5 * time.Minute, func(number int, _ *dhcpv6.Message) []dhcpv6.Modifier {
			if number > 2 {
				return []dhcpv6.Modifier{gives("2001:db8::8", 500, 1000)}
			}
			return []dhcpv6.Modifier{gives("2001:db8::7", 500, 1000)}
		}, "0 solicit, 0 request, 0 give 2001:db8::7 16m40s, 0 resolvers , 250 renew, 250 take 2001:db8::7, 250 give 2001:db8::8 16m40s, 250 resolvers , 300 take 2001:db8::8"},
		{"the server is gone, and then any", 20 * time.Minute, func(number int, _ *dhcpv6.Message) []dhcpv6.Modifier {
			if number > 2 {
				return nil
			}
			return []dhcpv6.Modifier{gives("2001:db8::7", 500, 600)}
		}, "0 solicit, 0 request, 0 give 2001:db8::7 10m0s, 0 resolvers , 250 renew, 325 renew, 362 renew, 392 renew, 422 rebind, 511 rebind, 555 rebind, 585 rebind, " +
			"600 take 2001:db8::7, 600 renewing the lease: it is over"},
		{"it is refused when it is to be renewed", 20 * time.Minute, func(number int, _ *dhcpv6.Message) []dhcpv6.Modifier {
			if number > 2 {
				return []dhcpv6.Modifier{status(iana.StatusNoBinding)}
			}
			return []dhcpv6.Modifier{gives("2001:db8::7", 500, 600)}
		}, "0 solicit, 0 request, 0 give 2001:db8::7 10m0s, 0 resolvers , 250 renew, 250 take 2001:db8::7, 250 the server gives no address: NoBinding"},
		{"no address, and yet the rest", 11 * time.Minute, func(_ int, m *dhcpv6.Message) []dhcpv6.Modifier {
			if m.MessageType == dhcpv6.MessageTypeSolicit {
				return []dhcpv6.Modifier{status(iana.StatusNoAddrsAvail)}
			}
			return []dhcpv6.Modifier{dhcpv6.WithDNS(net.ParseIP("2001:db8::53"))}
		}, "0 solicit, 0 information-request, 0 resolvers 2001:db8::53, 600 solicit, 600 information-request, 600 resolvers 2001:db8::53"},
	} {
		if got := talk6(t, true, c.lasts, c.server); got != c.want {
			t.Errorf("%s: got\n%s, want\n%s", c.name, got, c.want)
		}
	}
}

// Threat of a hostile server: addresses that cannot be a host's, and times that make no sense.
func TestBindings(t *testing.T) {
	c := &client6{link: "eth0", hardware: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
	for _, x := range []struct {
		address          string
		preferred, valid int
		want             string // renewal, rebinding, preferred, valid; "" if it is refused
	}{
		{"2001:db8::7", 500, 1000, "4m10s 6m40s 8m20s 16m40s"},
		{"2001:db8::7", 0, 1, "30s 48s 1m0s 1m0s"},
		{"2001:db8::7", 0, 0, ""},
		{"2001:db8::7", 1000, 500, ""},
		{"fe80::7", 500, 1000, ""},
		{"ff02::7", 500, 1000, ""},
		{"::1", 500, 1000, ""},
		{"::", 500, 1000, ""},
		{"192.0.2.1", 500, 1000, ""},
	} {
		m := new(dhcpv6.Message)
		gives(x.address, x.preferred, x.valid)(m)
		got := ""
		if b, err := c.binding(m); err == nil {
			got = strings.Join([]string{b.renewal.String(), b.rebinding.String(), b.preferred.String(), b.valid.String()}, " ")
		}
		if got != x.want {
			t.Errorf("%s for %d and %d: got %s", x.address, x.preferred, x.valid, got)
		}
	}
	if got := lifetime(forever); got != 3153600000 {
		t.Errorf("for ever is %d", got)
	}
}

func TestClocksByDHCPv6(t *testing.T) {
	address := dhcpv6.NTPSuboptionSrvAddr(net.ParseIP("2001:db8::123"))
	name := func(labels ...string) *dhcpv6.NTPSuboptionSrvFQDN {
		return &dhcpv6.NTPSuboptionSrvFQDN{Labels: rfc1035label.Labels{Labels: labels}}
	}
	m := new(dhcpv6.Message)
	m.AddOption(&dhcpv6.OptNTPServer{Suboptions: dhcpv6.Options{name("time.example"), &address, name("-x", "a b", "")}})
	m.AddOption(&dhcpv6.OptNTPServer{Suboptions: dhcpv6.Options{name("b.example", "c.example", "d.example", "e.example")}})
	if got := strings.Join((&client6{link: "eth0"}).read(m).clocks, " "); got != "2001:db8::123 time.example b.example c.example" {
		t.Errorf("the clocks are %s", got)
	}
}

func FuzzReadDHCPv6(f *testing.F) {
	m := &dhcpv6.Message{MessageType: dhcpv6.MessageTypeReply}
	for _, modify := range []dhcpv6.Modifier{gives("2001:db8::7", 500, 1000), dhcpv6.WithDNS(net.ParseIP("2001:db8::53")), status(iana.StatusNoBinding),
		dhcpv6.WithOption(&dhcpv6.OptNTPServer{Suboptions: dhcpv6.Options{new(dhcpv6.NTPSuboptionSrvAddr),
			&dhcpv6.NTPSuboptionSrvFQDN{Labels: rfc1035label.Labels{Labels: []string{"time.example"}}}}})} {
		modify(m)
	}
	f.Add(m.ToBytes())
	f.Fuzz(func(t *testing.T, packet []byte) {
		c := &client6{link: "eth0", hardware: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
		m, err := dhcpv6.MessageFromBytes(packet)
		if err != nil {
			return
		}
		c.isFor(dhcpv6.MessageTypeReply)(m)
		l := c.read(m)
		if len(l.resolvers) > maxOffered || len(l.clocks) > maxOffered {
			t.Errorf("too much is taken: %+v", l)
		}
		b, err := c.binding(m)
		if err == nil && (b.renewal < shortest/2 || b.rebinding < b.renewal || b.valid < b.rebinding || b.preferred > b.valid || !b.address.IsGlobalUnicast()) {
			t.Errorf("the binding is %+v", b)
		}
	})
}
