package network

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

func ack(t *testing.T, ip string, options ...dhcpv4.Option) *dhcpv4.DHCPv4 {
	t.Helper()
	m, err := dhcpv4.New(dhcpv4.WithYourIP(net.ParseIP(ip)))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range options {
		m.UpdateOption(o)
	}
	return m
}

func TestRead(t *testing.T) {
	l, err := read(ack(t, "192.0.2.7", dhcpv4.OptSubnetMask(net.CIDRMask(26, 32)), dhcpv4.OptRouter(net.IPv4(192, 0, 2, 1)),
		dhcpv4.OptDNS(net.IPv4(192, 0, 2, 2), net.IPv4zero, net.IPv4(224, 0, 0, 1)), dhcpv4.OptNTPServers(net.IPv4(192, 0, 2, 3))))
	if err != nil {
		t.Fatal(err)
	}
	if l.address.String() != "192.0.2.7/26" || l.router.String() != "192.0.2.1" || len(l.resolvers) != 1 || l.clocks[0] != "192.0.2.3" {
		t.Errorf("got %+v", l)
	}
	if l, err := read(ack(t, "10.1.2.3")); err != nil || l.address.String() != "10.1.2.3/8" || l.router.IsValid() {
		t.Errorf("without options: %+v, %v", l, err)
	}
	for _, ip := range []string{"0.0.0.0", "224.0.0.1", "255.255.255.255", "127.0.0.1", "169.254.1.1"} {
		if _, err := read(ack(t, ip)); err == nil {
			t.Errorf("%s is taken as an address", ip)
		}
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct{ lease, renewal, wantRenewal, wantEnd time.Duration }{
		{0, 0, 30 * time.Second, time.Minute},
		{time.Second, 0, 30 * time.Second, time.Minute},
		{24 * time.Hour, 0, 12 * time.Hour, 24 * time.Hour},
		{24 * time.Hour, time.Hour, time.Hour, 24 * time.Hour},
		{24 * time.Hour, 48 * time.Hour, 12 * time.Hour, 24 * time.Hour},
	} {
		m := ack(t, "192.0.2.7", dhcpv4.OptIPAddressLeaseTime(c.lease))
		if c.renewal > 0 {
			m.UpdateOption(dhcpv4.OptRenewTimeValue(c.renewal))
		}
		if renewal, end := times(m); renewal != c.wantRenewal || end != c.wantEnd {
			t.Errorf("a lease of %v: renewed after %v, ends after %v", c.lease, renewal, end)
		}
	}
	if renewal, end := times(ack(t, "192.0.2.7")); renewal != usual/2 || end != usual {
		t.Errorf("a lease without a time: %v, %v", renewal, end)
	}
}

func TestResolvers(t *testing.T) {
	a := func(texts ...string) *lease {
		l := &lease{address: netip.MustParsePrefix("192.0.2.7/24")}
		for _, text := range texts {
			l.resolvers = append(l.resolvers, netip.MustParseAddr(text))
		}
		return l
	}
	got := resolvConf([]*lease{a("192.0.2.1", "192.0.2.2"), a("192.0.2.2", "192.0.2.3", "192.0.2.4")})
	if want := "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"; got != want {
		t.Errorf("got %q", got)
	}
	got = resolvConf([]*lease{a("192.0.2.1", "192.0.2.2", "192.0.2.3"), a(), a("fe80::1%eth0", "2001:db8::1"), a("2001:db8::1")})
	if want := "nameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver 2001:db8::1\n"; got != want {
		t.Errorf("of several protocols, got %q", got)
	}
	if got := resolvConf(nil); got != "" {
		t.Errorf("of none, got %q", got)
	}
}

func TestEthernet(t *testing.T) {
	sys := t.TempDir()
	for name, files := range map[string][]string{
		"eth0": {"1", "device"}, "wlan0": {"1", "device", "phy80211"}, "veth1": {"1"}, "lo": {"772"}, "can0": {"280", "device"},
	} {
		folder := filepath.Join(sys, "class/net", name)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "type"), []byte(files[0]+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, f := range files[1:] {
			if err := os.Mkdir(filepath.Join(folder, f), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	n := Network{Sys: sys}
	for name, want := range map[string]bool{"eth0": true, "wlan0": false, "veth1": false, "lo": false, "can0": false, "gone": false} {
		if got := n.isEthernet(name); got != want {
			t.Errorf("%s is Ethernet: %v", name, got)
		}
	}
}
