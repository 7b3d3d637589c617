package primary

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// limited is a world that gives 5 equal answers a second.
func limited(t testing.TB, change ...func(*Settings)) *world {
	w := newWorld(t, change...)
	w.desk.Limiter = NewLimiter(Rates{Answers: 5, Absent: 5, Errors: 5, Slip: 2, IPv4Bits: 24, IPv6Bits: 56, Buckets: 256}, [16]byte{1})
	return w
}

// flood asks n questions and counts whole answers, truncated ones, and silence.
func (w *world) flood(n int, question func(i int) *dns.Msg) (full, truncated, silent int) {
	w.t.Helper()
	for i := range n {
		reply := w.handle(pack(w.t, question(i))).Reply
		switch {
		case reply == nil:
			silent++
		case w.parse(reply).Truncated:
			truncated++
		default:
			full++
		}
	}
	return full, truncated, silent
}

// TestFloods is threat 13, amplification: whatever an attacker asks in a victim's name, the victim gets few answers.
func TestFloods(t *testing.T) {
	for what, question := range map[string]func(i int) *dns.Msg{
		"one name":         func(int) *dns.Msg { return query(t, "www.example.org. A") },
		"ANY":              func(int) *dns.Msg { return query(t, "example.org. ANY") },
		"absent names":     func(i int) *dns.Msg { return query(t, fmt.Sprintf("x%d.example.org. A", i)) },
		"absent types":     func(i int) *dns.Msg { return query(t, "www.example.org. MX") },
		"a wildcard":       func(i int) *dns.Msg { return query(t, fmt.Sprintf("x%d.wild.example.org. TXT", i)) },
		"below a cut":      func(i int) *dns.Msg { return query(t, fmt.Sprintf("x%d.sub.example.org. A", i)) },
		"strange names":    func(i int) *dns.Msg { return query(t, fmt.Sprintf("x%d.example.net. A", i)) },
		"forged transfers": func(i int) *dns.Msg { return query(t, "example.org. AXFR") },
		"unsigned updates": func(i int) *dns.Msg { return update(t, "add new 60 A 192.0.2.9") },
	} {
		w := limited(t)
		if full, truncated, silent := w.flood(105, question); full != 5 || truncated != 50 || silent != 50 {
			t.Errorf("%s: %d answers, %d truncated, %d times silence", what, full, truncated, silent)
		}
		w.now = w.now.Add(400 * time.Millisecond)
		if full, _, _ := w.flood(100, question); full != 2 {
			t.Errorf("%s: %d answers 0.4 seconds later, want 2", what, full)
		}
		w.now = w.now.Add(time.Hour)
		if full, _, _ := w.flood(100, question); full != 5 {
			t.Errorf("%s: %d answers an hour later, want 5", what, full)
		}
		w.now = w.now.Add(-2 * time.Hour) // a clock that is set back stops nothing for longer than a second
		w.flood(1, question)
		w.now = w.now.Add(time.Second)
		if full, _, _ := w.flood(100, question); full != 5 {
			t.Errorf("%s: %d answers after the clock was set back, want 5", what, full)
		}
	}
}

func TestWhoIsNotLimited(t *testing.T) {
	question := func(int) *dns.Msg { return query(t, "www.example.org. A") }
	w := limited(t)
	w.from.Transport = TCP
	if full, _, _ := w.flood(100, question); full != 100 {
		t.Errorf("over TCP %d of 100 are answered", full)
	}
	w = limited(t)
	if full, _, _ := w.flood(100, func(i int) *dns.Msg {
		w.from.Address = netip.AddrFrom4([4]byte{10, 0, byte(i), 1})
		return question(i)
	}); full != 100 {
		t.Errorf("%d of 100 networks are answered", full)
	}
	w = limited(t)
	for range 100 {
		if m := w.signed(query(t, "www.example.org. A"), "stranger."); m.Truncated {
			t.Fatal("who has a key is limited")
		}
	}
	w = limited(t)
	if full, _, _ := w.flood(100, func(i int) *dns.Msg { return query(t, []string{"www", "ns1", "mail", "alias"}[i%4]+".example.org. A") }); full != 15+5 {
		t.Errorf("%d answers to four questions", full) // one is of absence
	}
}

func TestCookiesAndTheLimiter(t *testing.T) {
	w := limited(t, func(s *Settings) { s.CookieSecrets = [][]byte{[]byte(secret[:16])} })
	ask := func(cookie string) func(int) *dns.Msg {
		return func(int) *dns.Msg { return asking(t, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie}) }
	}
	full, bad, silent := 0, 0, 0
	var cookie string
	for range 25 {
		reply := w.handle(pack(t, ask("2464c4abcf10c957")(0))).Reply
		switch {
		case reply == nil:
			silent++
		case w.parse(reply).Rcode == dns.RcodeBadCookie:
			bad++
			got, _ := option[*dns.EDNS0_COOKIE](w.parse(reply))
			cookie = got.Cookie
		default:
			full++
		}
	}
	if full != 5 || bad != 10 || silent != 10 {
		t.Errorf("%d answers, %d BADCOOKIE, %d times silence", full, bad, silent)
	}
	if full, _, _ := w.flood(100, ask(cookie)); full != 100 {
		t.Errorf("with the cookie learnt %d of 100 are answered", full)
	}
}

func TestIPv6NetworksAreLimited(t *testing.T) {
	w := limited(t)
	if full, _, _ := w.flood(100, func(i int) *dns.Msg {
		w.from.Address = netip.MustParseAddr(fmt.Sprintf("2001:db8:0:%x::%x", i, i))
		return query(t, "www.example.org. A")
	}); full != 5 {
		t.Errorf("a network gets %d answers", full)
	}
}

// TestTheLimitersMemoryIsBounded floods from many networks; one of them that goes on is still limited.
func TestTheLimitersMemoryIsBounded(t *testing.T) {
	l := NewLimiter(Rates{Answers: 5, IPv4Bits: 24, Buckets: 10}, [16]byte{1})
	if len(l.buckets) != 8 {
		t.Errorf("there are %d buckets, want 8", len(l.buckets))
	}
	victim, answered := netip.MustParseAddr("192.0.2.1"), 0
	for i := range 1000 {
		now := noon.Add(time.Duration(i))
		if l.judge(now, victim, fullAnswer, zone.Root) == pass {
			answered++
		}
		l.judge(now, netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), fullAnswer, zone.Root)
	}
	if answered != 5 {
		t.Errorf("the victim gets %d answers", answered)
	}
}
