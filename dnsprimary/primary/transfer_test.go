package primary

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// fetch asks for a transfer over TCP with a key's signature, checks all signatures, and returns messages and records.
func (w *world) fetch(m *dns.Msg) (messages []*dns.Msg, records []dns.RR) {
	w.t.Helper()
	w.from.Transport = TCP
	wire, mac := w.sign(m, "transfer.", provider{secret: secret})
	d := w.handle(wire)
	if d.Transfer == nil {
		w.t.Fatalf("there is no transfer but %s", render(w.parse(d.Reply)))
	}
	clear(wire) // the message's memory may be used for another by then
	w.ask(query(w.t, "www.example.org. A"))
	for message := d.Transfer.Next(w.now); message != nil; message = d.Transfer.Next(w.now) {
		w.now = w.now.Add(time.Minute) // a long transfer
		reply := w.parse(message)
		if len(message) > dns.MaxMsgSize || reply.Id != m.Id || !reply.Authoritative || len(reply.Ns) > 0 || (len(reply.Question) == 1) != (messages == nil) {
			w.t.Errorf("message %d of %d bytes is %v", len(messages), len(message), reply)
		}
		if err := verifyMAC(bytes.Clone(message), mac, messages != nil); err != nil {
			w.t.Fatalf("message %d: the signature: %v", len(messages), err)
		}
		mac = reply.IsTsig().MAC
		messages = append(messages, reply)
		records = append(records, reply.Answer...)
	}
	return messages, records
}

// rebuilt makes a zone of an AXFR's records.
func rebuilt(t *testing.T, records []dns.RR) *zone.Zone {
	t.Helper()
	if len(records) < 2 || records[0].Header().Rrtype != dns.TypeSOA || records[0].String() != records[len(records)-1].String() {
		t.Fatalf("%d records do not begin and end with the SOA", len(records))
	}
	e := zone.New(name("example.org.")).Edit()
	for _, rr := range records[:len(records)-1] {
		if _, err := e.Add(fromRR(t, rr)); err != nil {
			t.Fatal(err)
		}
	}
	return e.Zone()
}

func fromRR(t *testing.T, rr dns.RR) zone.Record {
	t.Helper()
	r, err := zone.FromRR(rr)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAXFR(t *testing.T) {
	w := newWorld(t)
	messages, records := w.fetch(query(t, "example.org. AXFR").SetEdns0(1232, false))
	if len(messages) != 1 || messages[0].IsEdns0() == nil {
		t.Errorf("a small zone takes %d messages", len(messages))
	}
	h, _ := w.state.Zone(name("example.org."))
	if got := rebuilt(t, records); !zone.Diff(got, h.Zone).Empty() {
		t.Errorf("the zone is another: %v", zone.Diff(got, h.Zone))
	}
	if len(records) != h.Zone.Records()+1 {
		t.Errorf("%d records are sent, want %d", len(records), h.Zone.Records()+1) // glue among them (RFC 5936 §3.5)
	}
}

func TestAXFROfABigZone(t *testing.T) {
	w := newWorld(t)
	e := bigZone(t, 5000).Edit()
	for i := range 60 { // one set longer than a usual message
		if _, err := e.Add(fromRR(t, record(t, fmt.Sprintf("long 60 TXT %q", strings.Repeat("x", 240)+fmt.Sprint(i)+strings.Repeat("y", 250))))); err != nil {
			t.Fatal(err)
		}
	}
	z := e.Zone()
	w.state = w.state.With(Hosted{Zone: z})
	messages, records := w.fetch(query(t, "example.org. AXFR"))
	if len(messages) < 5 || len(messages) > 15 || messages[0].IsEdns0() != nil {
		t.Errorf("5,000 names take %d messages", len(messages))
	}
	if got := rebuilt(t, records); !zone.Diff(got, z).Empty() {
		t.Errorf("the zone is another, with %d records, want %d", got.Records(), z.Records())
	}
}

// TestStrangersGetNoTransfer is threat 13.
func TestStrangersGetNoTransfer(t *testing.T) {
	for _, typ := range []string{"AXFR", "IXFR"} {
		for _, transport := range []Transport{UDP, TCP, TLS, QUIC, Local} {
			w := newWorld(t)
			w.from.Transport = transport
			m := query(t, "example.org. "+typ)
			m.Ns = []dns.RR{soaOf(1)}
			if d := w.handle(pack(t, m)); d.Transfer != nil || w.parse(d.Reply).Rcode != dns.RcodeRefused {
				t.Errorf("%s over %d without a key is answered", typ, transport)
			}
			for _, key := range []string{"stranger.", "update."} {
				wire, _ := w.sign(m.Copy(), key, provider{secret: secret})
				if d := w.handle(wire); d.Transfer != nil || w.parse(d.Reply).Rcode != dns.RcodeRefused {
					t.Errorf("%s over %d with the key %s is answered", typ, transport, key)
				}
			}
		}
	}
}

func TestTransfersThatCannotBe(t *testing.T) {
	w := newWorld(t)
	if m := w.signed(query(t, "example.org. AXFR"), "transfer."); m.Rcode != dns.RcodeFormatError {
		t.Errorf("AXFR over UDP is answered %s", render(m)) // RFC 5936 §4.2
	}
	w.from.Transport = TCP
	for question, want := range map[string]int{"example.net. AXFR": dns.RcodeNotAuth, "www.example.org. AXFR": dns.RcodeNotAuth, "example.org. IXFR": dns.RcodeFormatError} {
		if m := w.signed(query(t, question), "transfer."); m.Rcode != want {
			t.Errorf("%s is answered %s", question, render(m))
		}
	}
	m := query(t, "example.org. IXFR")
	m.Ns = []dns.RR{record(t, "www 60 SOA ns1 hostmaster 1 2 3 4 5")} // of another name
	if got := w.signed(m, "transfer."); got.Rcode != dns.RcodeFormatError {
		t.Errorf("a strange SOA is answered %s", render(got))
	}
}

func soaOf(serial uint32) dns.RR {
	return &dns.SOA{Hdr: dns.RR_Header{Name: "example.org.", Rrtype: dns.TypeSOA, Class: dns.ClassINET}, Ns: ".", Mbox: ".", Serial: serial}
}

func ixfr(t testing.TB, serial uint32) *dns.Msg {
	m := query(t, "example.org. IXFR")
	m.Ns = []dns.RR{soaOf(serial)}
	return m
}

// history makes three versions after the first: a name comes, another one, and the first goes.
func history(t *testing.T) *world {
	w := newWorld(t)
	for _, text := range []string{"add one 60 A 192.0.2.11", "add two 60 A 192.0.2.12", "delete one"} {
		if got := w.signed(update(t, text), "update."); got.Rcode != dns.RcodeSuccess {
			t.Fatal(render(got))
		}
	}
	return w
}

// TestIXFR is RFC 1995 §4 and §7, with the steps condensed to one (§5).
func TestIXFR(t *testing.T) {
	soa := func(serial int) string {
		return fmt.Sprintf("example.org. 3600 IN SOA ns1.example.org. hostmaster.example.org. %d 7200 900 1209600 300\n", serial)
	}
	for serial, want := range map[uint32]string{
		2026022801: soa(2026022804) + soa(2026022801) + soa(2026022804) + "two.example.org. 60 IN A 192.0.2.12\n" + soa(2026022804), // "one" came and went
		2026022802: soa(2026022804) + soa(2026022802) + "one.example.org. 60 IN A 192.0.2.11\n" + soa(2026022804) + "two.example.org. 60 IN A 192.0.2.12\n" + soa(2026022804),
		2026022803: soa(2026022804) + soa(2026022803) + "one.example.org. 60 IN A 192.0.2.11\n" + soa(2026022804) + soa(2026022804),
	} {
		w := history(t)
		_, records := w.fetch(ixfr(t, serial))
		if got := lines(records); got != squeeze(want) {
			t.Errorf("since %d the change is\n%s\nwant\n%s", serial, got, squeeze(want))
		}
		w = history(t)
		if m := w.signed(ixfr(t, serial), "transfer."); lines(m.Answer) != squeeze(want) {
			t.Errorf("over UDP, since %d the change is\n%s", serial, lines(m.Answer))
		}
	}
	for _, serial := range []uint32{2026022804, 2026022805, 2026022804 + 1<<31 - 1} { // up to date, or ahead
		for _, transport := range []Transport{UDP, TCP} {
			w := history(t)
			w.from.Transport = transport
			if m := w.signed(ixfr(t, serial), "transfer."); lines(m.Answer) != squeeze(soa(2026022804)) {
				t.Errorf("since %d the answer is\n%s", serial, lines(m.Answer))
			}
		}
	}
}

func lines(records []dns.RR) string {
	var b strings.Builder
	for _, rr := range records {
		fmt.Fprintln(&b, rr)
	}
	return squeeze(b.String())
}

// TestIXFRFallsBack to the whole zone if the version is not known, or the change is larger (threat 13, oversized IXFR).
func TestIXFRFallsBack(t *testing.T) {
	w := history(t)
	h, _ := w.state.Zone(name("example.org."))
	_, records := w.fetch(ixfr(t, 7))
	if got := rebuilt(t, records); !zone.Diff(got, h.Zone).Empty() {
		t.Error("since an unknown version the zone is another")
	}
	if m := w.signed2UDP(ixfr(t, 7)); len(m.Answer) != 1 {
		t.Errorf("over UDP, since an unknown version the answer is\n%s", lines(m.Answer)) // RFC 1995 §2: the SOA, and it comes back
	}
	w = newWorld(t)
	e := h.Zone.Edit()
	for i := range 40 {
		if _, err := e.Add(fromRR(t, record(t, fmt.Sprintf("a%d 60 A 192.0.2.%d", i, i)))); err != nil {
			t.Fatal(err)
		}
	}
	old := e.Zone()
	for i := range 40 { // then all have another address
		if err := e.Replace(name(fmt.Sprintf("a%d.example.org.", i)), zone.NewRRset(dns.TypeA, 60, "\x0a\x00\x00\x01")); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Replace(name("example.org."), zone.WithSerial(old.SOA(), 2026022900)); err != nil {
		t.Fatal(err)
	}
	w.state = w.state.With(Hosted{Zone: e.Zone(), History: []*zone.Zone{old}})
	_, records = w.fetch(ixfr(t, old.Serial()))
	if len(records) < 3 || records[1].Header().Rrtype == dns.TypeSOA {
		t.Errorf("a change larger than the zone is sent as such: %d records", len(records))
	}
}

func (w *world) signed2UDP(m *dns.Msg) *dns.Msg {
	w.t.Helper()
	w.from.Transport = UDP
	return w.signed(m, "transfer.")
}

// TestABigChangeDoesNotFitUDP gets the SOA only, with a good signature.
func TestABigChangeDoesNotFitUDP(t *testing.T) {
	w := newWorld(t)
	old, _ := w.state.Zone(name("example.org."))
	big := old.Zone.Edit()
	for i := range 200 {
		if _, err := big.Add(fromRR(t, record(t, fmt.Sprintf("a%d 60 A 192.0.2.%d", i, i)))); err != nil {
			t.Fatal(err)
		}
	}
	first := big.Zone()
	for _, n := range []int{50, 100} { // too long for a message, and too many records to try
		e := first.Edit()
		for i := range n {
			e.RemoveName(name(fmt.Sprintf("a%d.example.org.", i)))
		}
		if err := e.Replace(name("example.org."), zone.WithSerial(old.Zone.SOA(), 2026022900)); err != nil {
			t.Fatal(err)
		}
		w.state = w.state.With(Hosted{Zone: e.Zone(), History: []*zone.Zone{first}})
		if m := w.signed2UDP(ixfr(t, 2026022801)); len(m.Answer) != 1 || m.Truncated {
			t.Errorf("%d removed: the answer is\n%s", n, render(m))
		}
	}
}
