package resolver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	w := newWorld(t)
	w.says("both.example.org. A", "both.example.org. 300 A 192.0.2.1")
	w.says("both.example.org. AAAA", "both.example.org. 60 AAAA 2001:db8::1")
	w.says("four.example.org. A", "four.example.org. 300 A 192.0.2.1") // the other family fails
	w.says("six.example.org. AAAA", "six.example.org. 300 AAAA 2001:db8::1")
	w.says("six.example.org. A", soa)
	w.says("none.example.org. A", soa)
	w.says("none.example.org. AAAA", soa)
	w.says("half.example.org. A", soa)
	for host, want := range map[string]string{
		"both.example.org": "2001:db8::1 192.0.2.1", "four.example.org": "192.0.2.1", "six.example.org": "2001:db8::1",
		"none.example.org": "not found", "half.example.org": "SERVFAIL",
		"192.0.2.7": "192.0.2.7", "[2001:db8::7]": "2001:db8::7", "localhost": "::1 127.0.0.1", "a.localhost.": "::1 127.0.0.1",
	} {
		if got := text(w.Addresses(t.Context(), host)); !strings.HasSuffix(got, want) && !strings.Contains(got, want+":") && !strings.Contains(got, "says "+want) {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}

// public allows what is not of a home network: threat 9.
func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate()
}

func TestAddressesThatAreNotAllowedAreNotUsed(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Allow = public })
	w.says("mixed.example.org. A", "mixed.example.org. 300 A 192.168.1.1\nmixed.example.org. 300 A 192.0.2.1")
	w.says("mixed.example.org. AAAA", "mixed.example.org. 300 AAAA ::ffff:10.0.0.1\nmixed.example.org. 300 AAAA fd00::1")
	w.says("inside.example.org. A", "inside.example.org. 300 A 127.0.0.1")
	w.says("inside.example.org. AAAA", soa)
	if got := text(w.Addresses(t.Context(), "mixed.example.org")); got != "192.0.2.1" {
		t.Error(got)
	}
	for range 2 { // what is kept is judged too
		for _, host := range []string{"inside.example.org", "127.0.0.1", "::ffff:127.0.0.1", "localhost", "[::1]"} {
			if _, err := w.Dial(t.Context(), "tcp", net.JoinHostPort(strings.Trim(host, "[]"), "1")); !errors.Is(err, ErrForbidden) {
				t.Errorf("%s: %v", host, err)
			}
		}
	}
	w.says("h.example.org. HTTPS", "h.example.org. 300 HTTPS 1 . ipv4hint=10.0.0.1,192.0.2.1 ipv6hint=fe80::1")
	found, err := w.HTTPS(t.Context(), "h.example.org")
	if err != nil || fmt.Sprint(found.Values[0].Hints) != "[192.0.2.1]" {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestDialTriesAllAddresses(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.9:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w.says("www.example.org. A", "www.example.org. 300 A 127.0.0.8\nwww.example.org. 300 A 127.0.0.9")
	w.says("www.example.org. AAAA", soa)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	conn, err := w.Dial(t.Context(), "tcp", "www.example.org:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.RemoteAddr().String() != l.Addr().String() {
		t.Error(conn.RemoteAddr())
	}
	w.says("away.example.org. A", "away.example.org. 300 A 127.0.0.8")
	w.says("away.example.org. AAAA", soa)
	if _, err := w.Dial(t.Context(), "tcp", "away.example.org:"+port); err == nil || !strings.Contains(err.Error(), "127.0.0.8") {
		t.Error(err)
	}
}

func TestTakeTurns(t *testing.T) {
	var all []netip.Addr
	for _, a := range strings.Fields("2001:db8::1 2001:db8::2 2001:db8::3 192.0.2.1 192.0.2.2") {
		all = append(all, netip.MustParseAddr(a))
	}
	if got := fmt.Sprint(takeTurns(all)); got != "[2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 2001:db8::3]" || takeTurns(nil) != nil {
		t.Error(got)
	}
}

func TestServices(t *testing.T) {
	w := newWorld(t)
	w.says("_matrix-fed._tcp.example.org. SRV", `_matrix-fed._tcp.example.org. 300 SRV 20 0 8448 backup.example.org.
_matrix-fed._tcp.example.org. 300 SRV 10 5 8448 a.example.org.
_matrix-fed._tcp.example.org. 300 SRV 10 0 8449 B.example.org.`)
	w.says("_none._tcp.example.org. SRV", "_none._tcp.example.org. 300 SRV 0 0 0 .")
	found, err := w.Services(t.Context(), "_matrix-fed._tcp.example.org")
	if got := fmt.Sprint(found.Values); err != nil || got != "[b.example.org:8449 a.example.org:8448 backup.example.org:8448]" {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := w.Services(t.Context(), "_none._tcp.example.org"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// TestWeights has every number of chance come once: each server is first as often as its weight says.
func TestWeights(t *testing.T) {
	all := []Service{{"a", 1, 1, 6}, {"b", 1, 1, 3}, {"c", 1, 1, 0}, {"d", 1, 0, 1}}
	first := map[string]int{}
	for n := range 10 {
		got := inOrder(slices.Clone(all), func(top int) int {
			if top == 10 {
				return n
			}
			return top - 1
		})
		if len(got) != 4 || got[0].Target != "d" {
			t.Fatalf("%v", got)
		}
		first[got[1].Target]++
	}
	if first["a"] != 6 || first["b"] != 3 || first["c"] != 1 {
		t.Errorf("%v", first)
	}
}

func TestOtherRecords(t *testing.T) {
	w := newWorld(t)
	w.says("t.example.org. TXT", `t.example.org. 300 TXT "one " "two"`)
	w.says("_443._tcp.example.org. TLSA", "AD\n_443._tcp.example.org. 300 TLSA 3 1 1 00ff")
	w.says("example.org. DS", "example.org. 300 DS 7 13 2 0102")
	w.says("h.example.org. HTTPS", `h.example.org. 300 HTTPS 2 svc.example.org. port=8443 alpn=h2,h3
h.example.org. 300 HTTPS 1 . mandatory=key65000 key65000=x
h.example.org. 300 HTTPS 1 .`)
	texts, err := w.Texts(t.Context(), "t.example.org")
	if err != nil || texts.Values[0] != "one two" {
		t.Errorf("%+v, %v", texts, err)
	}
	tlsa, err := w.TLSA(t.Context(), "_443._tcp.example.org")
	if err != nil || !tlsa.Authentic || fmt.Sprint(tlsa.Values) != "[{3 1 1 [0 255]}]" {
		t.Errorf("%+v, %v", tlsa, err)
	}
	ds, err := w.DS(t.Context(), "example.org")
	if err != nil || ds.Authentic || fmt.Sprint(ds.Values) != "[{7 13 2 [1 2]}]" {
		t.Errorf("%+v, %v", ds, err)
	}
	for range 2 {
		bindings, err := w.HTTPS(t.Context(), "h.example.org")
		if got := fmt.Sprint(bindings.Values); err != nil || got != "[{1 h.example.org [] 0 []} {2 svc.example.org [h2 h3] 8443 []}]" {
			t.Errorf("%s, %v", got, err)
		}
	}
}
