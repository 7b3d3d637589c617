package primary

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

const soaLine = "example.org. %d IN SOA ns1.example.org. hostmaster.example.org. 2026022801 7200 900 1209600 300"

func TestQueries(t *testing.T) {
	w := newWorld(t)
	negative := "au " + strings.Replace(soaLine, "%d", "300", 1)
	for question, want := range map[string]string{
		"www.example.org. A":   "NOERROR aa\nan www.example.org. 3600 IN A 192.0.2.2",
		"example.org. SOA":     "NOERROR aa\nan " + strings.Replace(soaLine, "%d", "3600", 1),
		"alias.example.org. A": "NOERROR aa\nan alias.example.org. 3600 IN CNAME www.example.org.\nan www.example.org. 3600 IN A 192.0.2.2",
		"mail.example.org. MX": `NOERROR aa
			an mail.example.org. 3600 IN MX 10 www.example.org.
			ad www.example.org. 3600 IN A 192.0.2.2
			ad www.example.org. 3600 IN AAAA 2001:db8::2`,
		"x.wild.example.org. TXT": `NOERROR aa
			an x.wild.example.org. 3600 IN TXT "wild"`,
		"www.example.org. TXT":   "NOERROR aa\n" + negative,
		"none.example.org. A":    "NXDOMAIN aa\n" + negative,
		"wild.example.org. A":    "NOERROR aa\n" + negative,
		"x.sub.example.org. A":   "NOERROR\nau sub.example.org. 3600 IN NS ns.sub.example.org.\nad ns.sub.example.org. 3600 IN A 192.0.2.3",
		"sub.example.org. DS":    "NOERROR aa\n" + negative,
		"www.example.net. A":     "REFUSED",
		"org. SOA":               "REFUSED",
		". NS":                   "REFUSED",
		"example.org. MAILB":     "NOTIMP",
		"example.org. TKEY":      "NOTIMP",
		"example.org. TSIG":      "FORMERR",
		"example.org. OPT":       "FORMERR",
		"www.example.org. ANY":   "NOERROR aa\nan www.example.org. 3600 IN A 192.0.2.2",
		"example.org. AXFR":      "REFUSED",
		"none.example.org. AXFR": "NOTAUTH",
	} {
		w.expect(question, want)
	}
}

func TestTheQuestionsCaseIsKept(t *testing.T) {
	w := newWorld(t)
	m := w.ask(query(t, "wWw.ExAmPlE.oRg. A"))
	if m.Question[0].Name != "wWw.ExAmPlE.oRg." || len(m.Answer) != 1 || m.Answer[0].Header().Name != "wWw.ExAmPlE.oRg." {
		t.Errorf("the reply is %v", m)
	}
}

func TestFlags(t *testing.T) {
	w := newWorld(t)
	m := query(t, "www.example.org. A")
	m.RecursionDesired, m.CheckingDisabled, m.AuthenticatedData = true, true, true
	reply := w.ask(m)
	if !reply.RecursionDesired || !reply.CheckingDisabled || reply.RecursionAvailable || reply.AuthenticatedData || !reply.Response || reply.Id != m.Id {
		t.Errorf("the reply is %v", reply)
	}
}

func TestClasses(t *testing.T) {
	w := newWorld(t)
	for _, class := range []uint16{dns.ClassCHAOS, dns.ClassHESIOD, dns.ClassANY, 0} {
		m := query(t, "version.bind. TXT")
		m.Question[0].Qclass = class
		if reply := w.ask(m); reply.Rcode != dns.RcodeRefused {
			t.Errorf("class %d is answered %s", class, render(reply))
		}
	}
	w = newWorld(t, func(s *Settings) { s.Version = "Hearth" })
	m := query(t, "version.bind. TXT")
	m.Question[0].Qclass = dns.ClassCHAOS
	if got, want := render(w.ask(m)), `NOERROR aa an version.bind. 0 CH TXT "Hearth"`; strings.ReplaceAll(got, "\n", " ") != want {
		t.Errorf("the version is told as %s", got)
	}
}

// TestTheClosestZoneAnswers serves a parent and its child.
func TestTheClosestZoneAnswers(t *testing.T) {
	w := newWorld(t)
	const head = "$TTL 60\n@ SOA ns.example.net. h.example.net. 1 2 3 4 5\n@ NS ns.example.net.\n"
	w.state = w.state.With(Hosted{Zone: readZone(t, "sub.example.org.", head+"x A 192.0.2.9\n")})
	w.expect("x.sub.example.org. A", "NOERROR aa\nan x.sub.example.org. 60 IN A 192.0.2.9")
	w.expect("sub.example.org. DS", "NOERROR aa\nau "+strings.Replace(soaLine, "%d", "300", 1)) // from above the cut
	w.expect("www.example.org. A", "NOERROR aa\nan www.example.org. 3600 IN A 192.0.2.2")
	w.state = w.state.Without(name("example.org."))
	w.expect("www.example.org. A", "REFUSED")
	w.expect("sub.example.org. DS", "NOERROR aa\nau sub.example.org. 5 IN SOA ns.example.net. h.example.net. 1 2 3 4 5")
	w.state = w.state.Without(name("sub.example.org."))
	w.expect("x.sub.example.org. A", "REFUSED")
}

func TestTheRootZone(t *testing.T) {
	w := newWorld(t)
	w.state = w.state.With(Hosted{Zone: readZone(t, ".", "$TTL 60\n@ SOA a h 1 2 3 4 5\n@ NS a\na A 192.0.2.1\ncom NS ns.com\nns.com A 192.0.2.2\n")})
	w.expect(". NS", "NOERROR aa\nan . 60 IN NS a.\nad a. 60 IN A 192.0.2.1")
	w.expect("www.example.com. A", "NOERROR\nau com. 60 IN NS ns.com.\nad ns.com. 60 IN A 192.0.2.2")
	w.expect("x. A", "NXDOMAIN aa\nau . 5 IN SOA a. h. 1 2 3 4 5")
	w.expect("www.example.org. A", "NOERROR aa\nan www.example.org. 3600 IN A 192.0.2.2")
}

func TestSettingsAreChecked(t *testing.T) {
	for what, s := range map[string]Settings{
		"tiny replies": {MaxUDP: 511}, "huge replies": {MaxUDP: 4097}, "a long name": {NSID: strings.Repeat("x", 65)}, "a long version": {Version: strings.Repeat("x", 65)},
	} {
		if _, err := NewState(s); err == nil {
			t.Errorf("%s are taken", what)
		}
	}
}

func TestOperations(t *testing.T) {
	w := newWorld(t)
	for opcode, want := range map[int]int{1: dns.RcodeNotImplemented, 2: dns.RcodeNotImplemented, 3: dns.RcodeNotImplemented,
		6: dns.RcodeNotImplemented, 15: dns.RcodeNotImplemented, dns.OpcodeNotify: dns.RcodeRefused} {
		m := query(t, "example.org. SOA")
		m.Opcode = opcode
		m.SetEdns0(1232, true)
		reply := w.ask(m)
		if reply.Rcode != want || reply.Opcode != opcode {
			t.Errorf("operation %d is answered %s", opcode, render(reply))
		}
		if reply.IsEdns0() == nil || len(reply.Question) != 1 {
			t.Errorf("operation %d: the reply lacks OPT (RFC 6891 §6.1.1) or the question: %s", opcode, reply)
		}
	}
	later := query(t, "example.org. SOA")
	later.Opcode = 6
	later.SetEdns0(1232, false)
	later.IsEdns0().SetVersion(1)
	if reply := w.ask(later); reply.Rcode != dns.RcodeBadVers { // RFC 6891 §6.1.3
		t.Errorf("an operation of a later version of EDNS is answered %s", reply)
	}
	strange := pack(t, query(t, "example.org. SOA"))
	strange[2] = 6 << 3
	if reply := w.parse(w.handle(append(strange, 1)).Reply); reply.Rcode != dns.RcodeNotImplemented || len(reply.Question) != 0 {
		t.Errorf("an operation of a form of its own is answered %s", reply)
	}
	m := query(t, "example.net. SOA")
	m.Opcode = dns.OpcodeNotify
	if reply := w.ask(m); reply.Rcode != dns.RcodeNotAuth {
		t.Errorf("NOTIFY of a strange zone is answered %s", render(reply))
	}
}

// TestGarbage has messages that are no questions, and what they are answered.
func TestGarbage(t *testing.T) {
	w := newWorld(t)
	good := pack(t, query(t, "www.example.org. A"))
	with := func(at int, value uint16) []byte {
		message := append([]byte(nil), good...)
		binary.BigEndian.PutUint16(message[at:], value)
		return message
	}
	for what, c := range map[string]struct {
		message []byte
		rcode   int // -1 is silence
	}{
		"nothing":               {nil, -1},
		"half a header":         {good[:11], -1},
		"a reply":               {with(2, flagResponse), -1},
		"a header":              {good[:12], dns.RcodeFormatError},
		"two questions":         {with(4, 2), dns.RcodeFormatError},
		"no question":           {with(4, 0), dns.RcodeFormatError},
		"a record missing":      {with(6, 1), dns.RcodeFormatError},
		"65535 records missing": {with(10, 65535), dns.RcodeFormatError},
		"a question cut short":  {good[:len(good)-1], dns.RcodeFormatError},
		"something behind":      {append(good[:len(good):len(good)], 0), dns.RcodeFormatError},
		"a pointer to itself":   {append(append([]byte(nil), good[:12]...), 0xc0, 12, 0, 1, 0, 1), dns.RcodeFormatError},
		"a label of 64":         {append(append(append([]byte(nil), good[:12]...), 64), make([]byte, 80)...), dns.RcodeFormatError},
		"a name of 300":         {append(append([]byte(nil), good[:12]...), []byte(strings.Repeat("\x09123456789", 30)+"\x00\x00\x01\x00\x01")...), dns.RcodeFormatError},
	} {
		reply := w.handle(c.message).Reply
		switch {
		case c.rcode < 0 && reply != nil:
			t.Errorf("%s is answered", what)
		case c.rcode >= 0 && w.parse(reply).Rcode != c.rcode:
			t.Errorf("%s is answered %s", what, render(w.parse(reply)))
		}
	}
}

// TestTruncation asks for more than fits, with and without EDNS, over UDP and TCP.
func TestTruncation(t *testing.T) {
	var text strings.Builder
	for i := range 60 {
		fmt.Fprintf(&text, "big A 10.0.0.%d\nhuge TXT %q\n", i, strings.Repeat("x", 40)+fmt.Sprint(i))
		fmt.Fprintf(&text, "cut NS ns%d.cut\nns%d.cut A 10.0.1.%d\n", i, i, i)
	}
	w := newWorld(t)
	w.state = w.state.With(Hosted{Zone: readZone(t, "example.org.", exampleZone+text.String()+"short MX 1 big\n")})
	for _, c := range []struct {
		question  string
		size      uint16 // of EDNS, 0 without
		transport Transport
		truncated bool
		limit     int
	}{
		{"big.example.org. A", 0, UDP, true, 512},
		{"big.example.org. A", 512, UDP, true, 512},
		{"big.example.org. A", 4096, UDP, false, 1232},
		{"huge.example.org. TXT", 4096, UDP, true, 1232},
		{"huge.example.org. TXT", 0, TCP, false, 65535},
		{"x.cut.example.org. A", 1232, UDP, true, 1232}, // glue is needed
		{"short.example.org. MX", 0, UDP, false, 512},   // addresses are not
	} {
		m := query(t, c.question)
		if c.size > 0 {
			m.SetEdns0(c.size, false)
		}
		w.from.Transport = c.transport
		wire := w.handle(pack(t, m)).Reply
		if reply := w.parse(wire); reply.Truncated != c.truncated || len(wire) > c.limit || reply.Truncated != (len(reply.Answer)+len(reply.Ns) == 0) {
			t.Errorf("%s over %d with EDNS of %d is %d bytes: %s", c.question, c.transport, c.size, len(wire), render(reply))
		}
	}
}

// TestNamesAreCompressed compares with the message library's compression.
func TestNamesAreCompressed(t *testing.T) {
	w := newWorld(t)
	for _, question := range []string{"mail.example.org. MX", "example.org. NS", "x.sub.example.org. A", "none.example.org. A"} {
		wire := append([]byte(nil), w.handle(pack(t, query(t, question))).Reply...)
		m := w.parse(wire)
		m.Compress = true
		if library := pack(t, m); len(wire) > len(library) {
			t.Errorf("%s: %d bytes, the message library makes %d", question, len(wire), len(library))
		}
	}
}

func TestTails(t *testing.T) {
	for _, c := range []struct {
		a, b     zone.Name
		inA, inB int
	}{
		{name("www.example.org."), name("example.org."), 4, 0},
		{name("a.b."), name("b."), 2, 0},
		{name("a."), name("b."), 2, 2},
		{name("ab."), name("b."), 3, 2},
		{"\x01a\x00", "\x03x\x01a\x00", 2, 4},           // the same bytes, but inside a label
		{"\x01a\x01b\x00", "\x03x\x01a\x01b\x00", 2, 4}, // the last label is the same all the same
	} {
		if inA, inB := tail(c.a, c.b); inA != c.inA || inB != c.inB {
			t.Errorf("%q and %q have the same end from %d and %d, want %d and %d", c.a, c.b, inA, inB, c.inA, c.inB)
		}
	}
}
