package network

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var dnsmasq, radvd = [2]string{"dnsmasq", "dnsmasq-base"}, [2]string{"radvd", "radvd"}

// A network of IPv6 alone, whose router says all itself: the kernel takes the address, we the resolvers, also one that has an address of this link only.
func TestRouterAlone(t *testing.T) {
	if !alone(t, radvd) {
		return
	}
	l := newLAN(t, 1)
	n, _ := l.box()
	l.plug(0)
	r := l.radvd(`prefix 2001:db8:1::/64 { }; RDNSS 2001:db8:1::53 fe80::53 { };`)
	until(t, n, "it has an address and resolvers", func() bool {
		return len(n.Addresses()) == 1 && resolves(n, "2001:db8:1::53", "fe80::53%box0")()
	})
	if !n.Resolves() {
		t.Error("it says that nobody resolves names")
	}
	if a := n.Addresses()[0]; !strings.HasPrefix(a, "2001:db8:1:") {
		t.Errorf("the address is %s", a)
	}
	r.kill()
	l.radvd(`prefix 2001:db8:9::/64 { }; prefix 2001:db8:1::/64 { AdvPreferredLifetime 0; }; RDNSS fe80::53 { AdvRDNSSLifetime 0; };`)
	until(t, n, "a resolver is taken back, and the network gets another number", func() bool {
		return resolves(n, "2001:db8:1::53")() && len(n.Addresses()) == 1 && strings.HasPrefix(n.Addresses()[0], "2001:db8:9:")
	})
	l.pull(0)
	until(t, n, "nothing is left when the cable is out", func() bool { return resolves(n)() && has(n)() && !n.Resolves() })
}

// radvd starts a router that says this of itself.
func (l *lan) radvd(text string) *daemon {
	l.t.Helper()
	program, err := findTool("radvd")
	if err != nil {
		l.t.Fatal(err)
	}
	file := filepath.Join(l.t.TempDir(), "radvd.conf")
	text = "interface router0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; " + text + " };\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return start(l.t, l.there([]string{program, "--nodaemon", "--logmethod", "stderr", "--config", file, "--pidfile", file + ".pid"})...)
}

// A router that leaves all but the addresses to DHCPv6.
func TestStatelessDHCPv6(t *testing.T) {
	if !alone(t, dnsmasq) {
		return
	}
	l := newLAN(t, 1)
	l.router("ip", "address", "add", "2001:db8:2::1/64", "dev", "router0", "nodad")
	n, _ := l.box()
	l.plug(0)
	l.dnsmasq(0, "--enable-ra", "--dhcp-range=::,constructor:router0,ra-stateless,ra-names",
		"--dhcp-option=option6:dns-server,[2001:db8:2::53],[2001:db8:2::54]", "--dhcp-option=option6:ntp-server,[2001:db8:2::123]")
	until(t, n, "it has an address, resolvers and a clock", func() bool {
		return len(n.Addresses()) == 1 && resolves(n, "2001:db8:2::53", "2001:db8:2::54")() && strings.Join(n.Clocks(), " ") == "2001:db8:2::123"
	})
}

// A router that leaves the addresses to DHCPv6 too, which gives this box one of its choice.
func TestManagedDHCPv6(t *testing.T) {
	if !alone(t, dnsmasq) {
		return
	}
	l := newLAN(t, 1)
	l.router("ip", "address", "add", "2001:db8:3::1/64", "dev", "router0", "nodad")
	n, end := l.box()
	l.plug(0)
	l.dnsmasq(0, "--enable-ra", "--dhcp-range=2001:db8:3::7,2001:db8:3::7,64,1h", "--dhcp-option=option6:dns-server,[2001:db8:3::53]")
	until(t, n, "it has that address and the resolver", func() bool { return has(n, "2001:db8:3::7")() && resolves(n, "2001:db8:3::53")() })
	end()
	if !has(n)() || !resolves(n)() {
		t.Errorf("at its end it has %v", n.Addresses())
	}
}

// A network that has both: of either the first resolver is asked before any second.
func TestBothFamilies(t *testing.T) {
	if !alone(t, dnsmasq) {
		return
	}
	l := newLAN(t, 1)
	l.router("ip", "address", "add", "2001:db8:4::1/64", "dev", "router0", "nodad")
	l.router("ip", "address", "add", "192.0.2.1/24", "dev", "router0")
	n, _ := l.box()
	l.plug(0)
	l.dnsmasq(0, "--enable-ra", "--dhcp-range=2001:db8:4::7,2001:db8:4::7,64,1h", "--dhcp-range=192.0.2.7,192.0.2.7,1h",
		"--dhcp-option=option6:dns-server,[2001:db8:4::53]", "--dhcp-option=option:dns-server,192.0.2.53,192.0.2.54,192.0.2.55",
		"--dhcp-option=option:ntp-server,192.0.2.123,224.0.1.1")
	until(t, n, "it has both", func() bool {
		return has(n, "192.0.2.7", "2001:db8:4::7")() && resolves(n, "192.0.2.53", "2001:db8:4::53", "192.0.2.54")()
	})
	if c := n.Clocks(); strings.Join(c, " ") != "192.0.2.123" {
		t.Errorf("the clocks are %v", c)
	}
}
