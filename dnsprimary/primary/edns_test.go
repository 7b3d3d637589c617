package primary

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// asking returns a question with options.
func asking(t testing.TB, options ...dns.EDNS0) *dns.Msg {
	m := query(t, "www.example.org. A").SetEdns0(4096, true)
	m.IsEdns0().Option = options
	return m
}

// option returns an option of a reply.
func option[T dns.EDNS0](m *dns.Msg) (found T, ok bool) {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if found, ok = o.(T); ok {
				return found, true
			}
		}
	}
	return found, false
}

func TestEDNS(t *testing.T) {
	w := newWorld(t)
	if m := w.ask(query(t, "www.example.org. A")); m.IsEdns0() != nil {
		t.Error("who does not speak EDNS is answered with it")
	}
	m := w.ask(asking(t))
	if opt := m.IsEdns0(); opt == nil || opt.UDPSize() != 1232 || !opt.Do() || opt.Version() != 0 || len(opt.Option) != 0 {
		t.Errorf("the reply has %v", opt)
	}
	later := asking(t)
	later.IsEdns0().SetVersion(1)
	if m := w.ask(later); m.Rcode != dns.RcodeBadVers || m.IsEdns0().Version() != 0 || len(m.Answer) != 0 {
		t.Errorf("version 1 is answered %v", m)
	}
	if m := w.ask(asking(t, &dns.EDNS0_LOCAL{Code: 65001, Data: []byte("?")})); m.Rcode != dns.RcodeSuccess || len(m.IsEdns0().Option) != 0 {
		t.Errorf("an unknown option is answered %v", m)
	}
}

func TestMalformedEDNS(t *testing.T) {
	w := newWorld(t)
	two := asking(t)
	two.Extra = append(two.Extra, two.Extra[0])
	misplaced := asking(t)
	misplaced.Answer, misplaced.Extra = misplaced.Extra, nil
	named := asking(t)
	named.Extra[0].Header().Name = "example.org."
	for what, m := range map[string]*dns.Msg{
		"two OPT":               two,
		"OPT among the answers": misplaced,
		"OPT of a name":         named,
		"a cookie of 7 bytes":   asking(t, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "01234567890abc"}),
		"a cookie of 9 bytes":   asking(t, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef01"}),
		"a cookie of 41 bytes":  asking(t, &dns.EDNS0_LOCAL{Code: dns.EDNS0COOKIE, Data: make([]byte, 41)}),
		"an empty cookie":       asking(t, &dns.EDNS0_LOCAL{Code: dns.EDNS0COOKIE}),
		"a keepalive of 1 byte": asking(t, &dns.EDNS0_LOCAL{Code: dns.EDNS0TCPKEEPALIVE, Data: []byte{1}}),
	} {
		if got := w.ask(m); got.Rcode != dns.RcodeFormatError {
			t.Errorf("%s: the answer is %s", what, render(got))
		}
	}
	wire := pack(t, asking(t))
	wire[len(wire)-1] = 4
	for _, tail := range [][]byte{{0, 3, 0}, {0, 3, 0, 1}} { // an option cut short
		message := append(append([]byte(nil), wire...), tail...)
		message[len(wire)-1] = byte(len(tail))
		if got := w.parse(w.handle(message).Reply); got.Rcode != dns.RcodeFormatError {
			t.Errorf("an option cut to %x is answered %s", tail, render(got))
		}
	}
}

func TestNSID(t *testing.T) {
	nsid := &dns.EDNS0_NSID{Code: dns.EDNS0NSID}
	w := newWorld(t)
	if got, ok := option[*dns.EDNS0_NSID](w.ask(asking(t, nsid))); ok {
		t.Errorf("a server without name calls itself %q", got.Nsid)
	}
	w = newWorld(t, func(s *Settings) { s.NSID = "box" })
	if got, ok := option[*dns.EDNS0_NSID](w.ask(asking(t, nsid))); !ok || got.Nsid != "626f78" {
		t.Errorf("the server calls itself %v", got)
	}
	if _, ok := option[*dns.EDNS0_NSID](w.ask(asking(t))); ok {
		t.Error("the server says its name unasked")
	}
}

func TestPadding(t *testing.T) {
	w := newWorld(t)
	for transport, padded := range map[Transport]bool{UDP: false, TCP: false, TLS: true, QUIC: true, Local: false} {
		w.from.Transport = transport
		wire := w.handle(pack(t, asking(t, &dns.EDNS0_PADDING{}))).Reply
		if (len(wire) == paddedBlock) != padded {
			t.Errorf("over %d the reply has %d bytes", transport, len(wire))
		}
	}
	w.from.Transport = TLS
	if wire := w.handle(pack(t, asking(t))).Reply; len(wire)%paddedBlock == 0 {
		t.Error("a reply is padded unasked")
	}
	wire, _ := w.sign(asking(t, &dns.EDNS0_PADDING{}), "update.", provider{secret: secret})
	if got := w.handle(wire).Reply; len(got) > paddedBlock || len(got) < paddedBlock-otherTime { // a time that only BADTIME has is counted
		t.Errorf("a signed reply has %d bytes", len(got))
	}
}

func TestKeepaliveAndExpire(t *testing.T) {
	w := newWorld(t)
	w.from = Peer{Transport: TCP, Idle: 12 * time.Second}
	if got, ok := option[*dns.EDNS0_TCP_KEEPALIVE](w.ask(asking(t, &dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE}))); !ok || got.Timeout != 120 {
		t.Errorf("the connection lasts %v", got)
	}
	m := query(t, "example.org. SOA").SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EXPIRE{Code: dns.EDNS0EXPIRE}}
	if got, ok := option[*dns.EDNS0_EXPIRE](w.ask(m)); !ok || got.Expire != 1209600 {
		t.Errorf("the zone expires in %v", got)
	}
}

func TestExtendedErrors(t *testing.T) {
	w := newWorld(t)
	for question, want := range map[string]uint16{
		"www.example.net. A": dns.ExtendedErrorCodeNotAuthoritative, "example.org. AXFR": dns.ExtendedErrorCodeProhibited,
		"example.org. TSIG": dns.ExtendedErrorCodeInvalidQueryType,
	} {
		if got, ok := option[*dns.EDNS0_EDE](w.ask(query(t, question).SetEdns0(1232, false))); !ok || got.InfoCode != want {
			t.Errorf("%s: the extended error is %v, want %d", question, got, want)
		}
	}
	if _, ok := option[*dns.EDNS0_EDE](w.ask(asking(t))); ok {
		t.Error("an answer has an extended error")
	}
}

// TestCookies is RFC 9018 appendix A: what was sent, by whom, when, and what comes back.
func TestCookies(t *testing.T) {
	const old, new = "e5e973e5a6b2a43f48e7dc849e37bfcf", "445536bcd2513298075a5d379663c962"
	for _, c := range []struct {
		client  string
		cookie  string
		secrets []string
		at      int64
		want    string
		valid   bool
	}{
		{"198.51.100.100", "2464c4abcf10c957", []string{old}, 1559731985, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", false},
		{"198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", []string{old}, 1559734385, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77", true},
		{"203.0.113.203", "fc93fc62807ddb86", []string{old}, 1559734700, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e", false},
		{"2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298010000005cf7c57926556bd0934c72f8", []string{new, "dd3bdf9344b678b185a6f5cb60fca715"}, 1559741961,
			"22681ab97d52c298010000005cf7c609a6bb79d16625507a", true},
		// And some that are not in the RFC.
		{"198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", []string{old}, 1559731985 + 1799, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", true}, // is still young
		{"198.51.100.101", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", []string{old}, 1559731985, "", false},                                                       // is somebody else's
		{"198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", []string{old}, 1559731985 + 3601, "", false},                                                // is too old
		{"198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", []string{old}, 1559731985 - 301, "", false},                                                 // is of the future
		{"198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29481", []string{old}, 1559731985, "", false},
		{"198.51.100.100", "2464c4abcf10c957020000005cf79f111f8130c3eee29480", []string{old}, 1559731985, "", false},
	} {
		w := newWorld(t, func(s *Settings) {
			for _, text := range c.secrets {
				s.CookieSecrets = append(s.CookieSecrets, unhex(text))
			}
		})
		w.now, w.from.Address = time.Unix(c.at, 0), netip.MustParseAddr(c.client)
		got, _ := option[*dns.EDNS0_COOKIE](w.ask(asking(t, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: c.cookie})))
		if got == nil || c.want != "" && got.Cookie != c.want || got.Cookie[:16] != c.cookie[:16] || len(got.Cookie) != 48 {
			t.Errorf("%s of %s: the cookie is %v, want %s", c.cookie, c.client, got, c.want)
		}
		if valid := w.state.validCookie(w.now, unhex(c.cookie), w.from.Address); valid != c.valid {
			t.Errorf("%s of %s at %d: valid is %v", c.cookie, c.client, c.at, valid)
		}
	}
	if _, err := NewState(Settings{CookieSecrets: [][]byte{[]byte("short")}}); err == nil {
		t.Error("a short secret is taken")
	}
}

// TestACookieWithoutQuestion is RFC 7873 §5.4.
func TestACookieWithoutQuestion(t *testing.T) {
	w := newWorld(t, func(s *Settings) { s.CookieSecrets = [][]byte{[]byte(secret[:16])} })
	m := asking(t, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "2464c4abcf10c957"})
	m.Question = nil
	reply := w.ask(m)
	if got, ok := option[*dns.EDNS0_COOKIE](reply); !ok || reply.Rcode != dns.RcodeSuccess || len(got.Cookie) != 48 {
		t.Errorf("the reply is %v", reply)
	}
}

// TestSipHash is from the appendix of the paper: key and data are 00 01 02 and so on.
func TestSipHash(t *testing.T) {
	var key [16]byte
	for i := range key {
		key[i] = byte(i)
	}
	data := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}
	if got := sipHash(&key, data); got != 0xa129ca6149be45e5 {
		t.Errorf("the hash is %x", got)
	}
}
