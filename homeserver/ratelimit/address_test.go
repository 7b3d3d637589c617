package ratelimit_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hearth/homeserver/ratelimit"
)

func proxies(t testing.TB, list ...string) ratelimit.Proxies {
	t.Helper()
	p, err := ratelimit.ParseProxies(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Threat 10: nobody but a proxy says from where a request comes.
func TestClient(t *testing.T) {
	trusted := proxies(t, "127.0.0.1", "10.0.0.0/8", "fd00::/8")
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:99", nil, "192.0.2.1"},
		{"[::ffff:192.0.2.1]:99", nil, "192.0.2.1"},
		{"[fe80::1%eth0]:99", nil, "fe80::1"},
		{"@", nil, "invalid IP"},
		{"192.0.2.1:99", []string{"198.51.100.7"}, "192.0.2.1"}, // no proxy: a lie
		{"127.0.0.1:99", nil, "127.0.0.1"},
		{"127.0.0.1:99", []string{"198.51.100.7"}, "198.51.100.7"},
		{"[::ffff:127.0.0.1]:99", []string{"198.51.100.7"}, "198.51.100.7"},
		{"127.0.0.1:99", []string{"203.0.113.5, 198.51.100.7"}, "198.51.100.7"}, // the client made the first up
		{"127.0.0.1:99", []string{"203.0.113.5", "198.51.100.7"}, "198.51.100.7"},
		{"127.0.0.1:99", []string{"203.0.113.5, 198.51.100.7, 10.1.2.3"}, "198.51.100.7"},
		{"127.0.0.1:99", []string{"203.0.113.5, 198.51.100.7", "10.1.2.3,fd00::1"}, "198.51.100.7"},
		{"127.0.0.1:99", []string{"10.9.9.9, 10.1.2.3"}, "10.9.9.9"}, // from inside
		{"127.0.0.1:99", []string{"203.0.113.5, unknown, 10.1.2.3"}, "10.1.2.3"},
		{"127.0.0.1:99", []string{""}, "127.0.0.1"},
		{"127.0.0.1:99", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		{"127.0.0.1:99", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"127.0.0.1:99", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"127.0.0.1:99", []string{"198.51.100.7" + strings.Repeat(", 10.0.0.1", 100)}, "10.0.0.1"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := trusted.Client(r).String(); got != c.want {
			t.Errorf("from %s for %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
		if got := ratelimit.Proxies(nil).Client(r); len(c.forwarded) > 0 && got.String() == c.want && !trustedPeer(c.peer, c.want) {
			t.Errorf("from %s for %q without proxies: %s", c.peer, c.forwarded, got)
		}
	}
}

// trustedPeer reports whether the peer itself is what is wanted.
func trustedPeer(peer, want string) bool { return strings.HasPrefix(peer, want) }

func TestParseProxies(t *testing.T) {
	for _, bad := range []string{"", "localhost", "10.0.0.0/33", "10.0.0"} {
		if _, err := ratelimit.ParseProxies([]string{bad}); err == nil {
			t.Errorf("%q is a proxy", bad)
		}
	}
}

func TestAddressBuckets(t *testing.T) {
	l := ratelimit.New(ratelimit.Rate{Every: time.Second, Burst: 1}, 10, time.Now)
	key := func(s string) ratelimit.Key { return l.Address(netip.MustParseAddr(s)) }
	if key("2001:db8::1") != key("2001:db8::ffff:1") || key("2001:db8::1") == key("2001:db8:0:1::1") {
		t.Error("IPv6 buckets are not those of subnets")
	}
	if key("192.0.2.1") == key("192.0.2.2") || key("192.0.2.1") != key("::ffff:192.0.2.1") {
		t.Error("IPv4 buckets are not those of addresses")
	}
	l.Address(netip.Addr{}) // does not panic
}

func FuzzClient(f *testing.F) {
	f.Add("127.0.0.1:1", "203.0.113.5, 198.51.100.7")
	f.Add("127.0.0.1:1", "[2001:db8::1%zone]:4711,,")
	f.Add("192.0.2.1:1", "10.0.0.1")
	trusted := proxies(f, "127.0.0.1", "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {forwarded}}}
		got := trusted.Client(r)
		own := ratelimit.Proxies(nil).Client(r)
		if got != own && own.String() != "127.0.0.1" && !strings.HasPrefix(own.String(), "10.") {
			t.Errorf("%s, who is no proxy, is taken for %s", peer, got)
		}
	})
}
