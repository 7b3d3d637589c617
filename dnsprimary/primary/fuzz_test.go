package primary

import (
	"bytes"
	"net/netip"
	"testing"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// FuzzHandle hands over any message. The reply is one that the message library reads, and no longer than allowed.
func FuzzHandle(f *testing.F) {
	w := newWorld(f, func(s *Settings) {
		s.CookieSecrets = [][]byte{[]byte(secret[:16])}
		s.NSID, s.Version = "box", "Hearth"
	})
	for _, question := range []string{"www.example.org. A", "mail.example.org. MX", "x.wild.example.org. TXT", "x.sub.example.org. A", "example.org. AXFR"} {
		f.Add(pack(f, query(f, question)), uint8(UDP))
		f.Add(pack(f, query(f, question).SetEdns0(1232, true)), uint8(TLS))
	}
	f.Add(pack(f, asking(f, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "2464c4abcf10c957"}, &dns.EDNS0_NSID{Code: dns.EDNS0NSID}, &dns.EDNS0_PADDING{})), uint8(QUIC))
	f.Add(pack(f, ixfr(f, 1)), uint8(TCP))
	f.Add(first(w.sign(query(f, "www.example.org. A"), "update.", provider{secret: secret})), uint8(UDP))
	f.Fuzz(func(t *testing.T, message []byte, transport uint8) {
		from := Peer{Address: netip.MustParseAddr("198.51.100.7"), Transport: Transport(transport % 5)}
		before := bytes.Clone(message)
		d := w.state.Handle(&w.desk, w.now, message, from)
		if !bytes.Equal(message, before) {
			t.Fatal("the message was changed")
		}
		if d.Change != nil || d.Transfer != nil {
			t.Fatal("a message without a key's signature changes or fetches a zone")
		}
		if d.Reply == nil {
			return
		}
		checkReply(t, message, d.Reply, from)
		if len(message) > 1024 || message[10] == 255 && message[11] == 255 {
			return
		}
		g := &signature{key: w.state.keys[name("transfer.")], name: name("transfer."), algorithm: HMACSHA256}
		signed := g.signRequest(bytes.Clone(message), w.now)
		d = w.state.Handle(&w.desk, w.now, signed, from)
		if d.Change != nil || d.Transfer == nil && d.Reply == nil {
			t.Fatal("a signed message changes the zone, or is not answered")
		}
		if d.Transfer == nil {
			checkReply(t, signed, d.Reply, from)
			return
		}
		for part := d.Transfer.Next(w.now); part != nil; part = d.Transfer.Next(w.now) {
			checkReply(t, signed, part, from)
		}
	})
}

// checkReply checks that a reply is one that the message library reads, and not too long.
func checkReply(t *testing.T, message, reply []byte, from Peer) {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(reply); err != nil {
		t.Fatalf("the reply %x: %v", reply, err)
	}
	if !m.Response || m.Id != uint16(message[0])<<8|uint16(message[1]) || from.Transport == UDP && len(reply) > 1232 {
		t.Fatalf("the reply is %v", m)
	}
}

// FuzzUpdate hands over the sections of an UPDATE, signed by who may do all. What it makes of the zone is a zone: its
// entries load, its text reads, its apex has SOA and NS.
func FuzzUpdate(f *testing.F) {
	for _, text := range []string{"add new 60 A 192.0.2.10", "prereq yxrrset www A 192.0.2.2\ndelete www A\nadd www 60 CNAME ns1",
		"delete @ NS ns1\ndelete @ NS\nadd x 1 TYPE65280 \\# 1 00", "prereq nxdomain x\nadd @ 60 SOA ns1 h 2026022900 1 1 1 1\ndelete @"} {
		m := update(f, text)
		f.Add(pack(f, m)[headerSize:], uint8(len(m.Answer)), uint8(len(m.Ns)))
	}
	f.Fuzz(func(t *testing.T, sections []byte, prerequisites, updates uint8) {
		w := newWorld(t)
		message := append([]byte{0, 1, dns.OpcodeUpdate << 3, 0, 0, 1, 0, prerequisites, 0, updates, 0, 0}, sections...)
		if len(message) > dns.MaxMsgSize-200 {
			return
		}
		g := &signature{key: w.state.keys[name("update.")], name: name("update."), algorithm: HMACSHA256}
		d := w.handle(g.signRequest(message, w.now))
		if d.Reply == nil || d.Change == nil {
			return
		}
		z := d.Change.New
		if z.SOA().Len() != 1 || z.Set(z.Origin(), dns.TypeNS).Empty() || !SerialLess(d.Change.Old.Serial(), z.Serial()) {
			t.Fatal("the zone lost SOA or NS, or its serial did not grow")
		}
		loaded, err := zone.Load(z.Origin(), z.Entries())
		if err != nil || !zone.Diff(loaded, z).Empty() {
			t.Fatalf("the zone does not come back from storage: %v", err)
		}
		var text bytes.Buffer
		if err := z.Print(&text); err != nil {
			t.Fatal(err)
		}
		if read, problems := zone.Read(z.Origin(), text.String()); problems.Err() != nil || !zone.Diff(read, z).Empty() {
			t.Fatalf("the zone does not come back from its text: %v\n%s", problems, text.String())
		}
	})
}

// FuzzTransfer makes two versions of a zone from texts. A secondary that has the first gets the second.
func FuzzTransfer(f *testing.F) {
	f.Add("a A 192.0.2.1\n", "a A 192.0.2.2\nb TXT x\n", uint8(0))
	f.Add("@ NS ns1\nlong TXT x\n", "@ NS ns2\nlong 60 TXT x\n*.x CNAME a\n", uint8(1))
	f.Fuzz(func(t *testing.T, one, two string, typ uint8) {
		a, _ := zone.Read(name("example.org."), "$TTL 60\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\n"+one)
		b, _ := zone.Read(name("example.org."), "$TTL 60\n@ SOA ns1 h 2 2 3 4 5\n@ NS ns1\n"+two)
		if a.SOA().Len() != 1 || b.SOA().Len() != 1 || !SerialLess(a.Serial(), b.Serial()) {
			return
		}
		records := changedSince(&Hosted{Zone: b, History: []*zone.Zone{a}}, a.Serial())
		var from source = &whole{zone: b, next: b.Origin()}
		if typ%2 == 1 && records != nil {
			from = &listed{records}
		}
		got := receive(t, &Transfer{from: from})
		if z := install(t, a, got); !zone.Diff(z, b).Empty() {
			t.Fatalf("the secondary has another zone: %v", zone.Diff(z, b))
		}
	})
}

// receive reads the records of a transfer.
func receive(t *testing.T, transfer *Transfer) (records []zone.Record) {
	t.Helper()
	for message := transfer.Next(noon); message != nil; message = transfer.Next(noon) {
		m := new(dns.Msg)
		if err := m.Unpack(message); err != nil {
			t.Fatalf("a message of %d bytes: %v", len(message), err)
		}
		for _, rr := range m.Answer {
			records = append(records, fromRR(t, rr))
		}
	}
	return records
}

// install does what a secondary does with the answer to IXFR (RFC 1995 §4).
func install(t *testing.T, old *zone.Zone, records []zone.Record) *zone.Zone {
	t.Helper()
	if len(records) < 2 || records[0] != records[len(records)-1] {
		t.Fatalf("%d records do not begin and end with the SOA", len(records))
	}
	body := records[1 : len(records)-1]
	if len(body) > 0 && body[0].Type == dns.TypeSOA {
		second := 1
		for body[second].Type != dns.TypeSOA || body[second].Owner != old.Origin() {
			second++
		}
		z, err := old.Apply(zone.Delta{Removed: body[:second], Added: body[second:]})
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	e := zone.New(old.Origin()).Edit()
	for _, r := range records[:len(records)-1] {
		if _, err := e.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	return e.Zone()
}
