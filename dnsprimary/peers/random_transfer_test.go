package peers_test

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"hearth/dnsprimary/primary"
	"hearth/dnsprimary/zone"
)

// message is the last step as it is sent.
func (g *gardener) message() *dns.Msg {
	s := g.steps[len(g.steps)-1]
	m := new(dns.Msg).SetUpdate(g.plot.origin)
	m.Id = uint16(g.IntN(1 << 16))
	m.Answer, m.Ns = s.needs, s.changes
	return m
}

// handle signs a message and hands it to us.
func (g *gardener) handle(m *dns.Msg, transport primary.Transport) primary.Decision {
	g.t.Helper()
	g.now = g.now.Add(time.Second)
	m = m.Copy()
	m.SetTsig("key.", dns.HmacSHA256, 300, g.now.Unix())
	message, _, err := dns.TsigGenerate(m, base64.StdEncoding.EncodeToString([]byte(updateKey)), "", false)
	if err != nil {
		g.t.Fatalf("signing %s: %v", m, err)
	}
	return g.state.Handle(&g.desk, g.now, message, primary.Peer{Address: netip.MustParseAddr("127.0.0.1"), Transport: transport})
}

// send sends an update to us and returns what we say.
func (g *gardener) send(m *dns.Msg) (rcode int) {
	g.t.Helper()
	before, _ := g.state.Zone(g.origin)
	d := g.handle(m, primary.TCP)
	reply := new(dns.Msg)
	if err := reply.Unpack(d.Reply); err != nil {
		g.t.Fatal(err)
	}
	if d.Next != nil {
		g.state = d.Next
	}
	after, _ := g.state.Zone(g.origin)
	changed := before.Zone.Serial() != after.Zone.Serial()
	if changed != (d.Change != nil) || changed && (reply.Rcode != dns.RcodeSuccess || !primary.SerialLess(before.Zone.Serial(), after.Zone.Serial())) {
		g.t.Errorf("%s: the serial goes from %d to %d\n%v", dns.RcodeToString[reply.Rcode], before.Zone.Serial(), after.Zone.Serial(), g.steps[len(g.steps)-1])
	}
	g.note()
	return reply.Rcode
}

// transfer fetches our zone by AXFR, or by IXFR what makes the newest version of an earlier one. It returns the records in their
// order.
func (g *gardener) transfer(from uint32) (records []string) {
	g.t.Helper()
	m := new(dns.Msg).SetAxfr(g.plot.origin)
	if from != 0 {
		m.SetIxfr(g.plot.origin, from, "ns.", "host.")
	}
	d := g.handle(m, primary.TCP)
	if d.Transfer == nil {
		g.t.Fatalf("no transfer of %s from %d", g.plot.origin, from)
	}
	for {
		message := d.Transfer.Next(g.now)
		if message == nil {
			return records
		}
		reply := new(dns.Msg)
		if err := reply.Unpack(message); err != nil {
			g.t.Fatal(err)
		}
		records = append(records, texts(reply.Answer)...)
	}
}

// replay brings each earlier version to the newest by IXFR, applied as RFC 1995 §4 has it.
func (g *gardener) replay() {
	g.t.Helper()
	h, _ := g.state.Zone(g.origin)
	newest := h.Zone.Serial()
	want := g.versions[newest]
	for serial, old := range g.versions {
		if !primary.SerialLess(serial, newest) {
			continue
		}
		g.patched(serial, old, g.transfer(serial), want)
		reply := new(dns.Msg) // over UDP, there is one message
		m := new(dns.Msg).SetIxfr(g.plot.origin, serial, "ns.", "host.")
		m.SetEdns0(1232, false)
		if err := reply.Unpack(g.handle(m, primary.UDP).Reply); err != nil {
			g.t.Fatal(err)
		}
		if len(reply.Answer) > 1 { // else the secondary comes back over TCP
			g.patched(serial, old, texts(reply.Answer), want)
		}
	}
}

func texts(rrs []dns.RR) (all []string) {
	for _, rr := range rrs {
		all = append(all, rr.String())
	}
	return all
}

// patched checks that an earlier version is the newest one with what an IXFR changes.
func (g *gardener) patched(serial uint32, old, changes, want []string) {
	g.t.Helper()
	got, err := patch(old, changes)
	if err != nil {
		g.t.Errorf("IXFR of %s from %d: %v", g.plot.origin, serial, err)
		return
	}
	slices.Sort(got)
	if all := slices.Compact(slices.Sorted(slices.Values(want))); !slices.Equal(got, all) {
		g.t.Errorf("IXFR of %s from %d: only with it %q, only without %q", g.plot.origin, serial, without(got, all), without(all, got))
	}
}

// patch applies the records of an IXFR to those of an AXFR, and returns the records of the zone.
func patch(old, changes []string) ([]string, error) {
	soa := func(i int) bool { return i < len(changes) && fieldOf(changes[i], 3) == "SOA" }
	if len(changes) < 3 || !soa(0) || changes[len(changes)-1] != changes[0] {
		return nil, fmt.Errorf("it does not begin and end with the newest SOA: %q", changes)
	}
	if !soa(1) {
		return changes[:len(changes)-1], nil // the whole zone
	}
	all := slices.Clone(old[:len(old)-1])
	for at := 1; at < len(changes)-1; {
		for first := true; first || !soa(at); first = false {
			i := slices.Index(all, changes[at])
			if i < 0 {
				return nil, fmt.Errorf("it removes %s, which is not there", changes[at])
			}
			all = slices.Delete(all, i, i+1)
			at++
		}
		for first := true; first || !soa(at); first = false {
			if slices.Contains(all, changes[at]) {
				return nil, fmt.Errorf("it adds %s, which is there", changes[at])
			}
			all = append(all, changes[at])
			if at++; at >= len(changes) {
				return nil, fmt.Errorf("it has no end")
			}
		}
	}
	return all, nil
}

// examine asks about the zone as it is now, and validates the answers. It returns how many.
func (g *gardener) examine(questions int) (asked int) {
	g.t.Helper()
	h, _ := g.state.Zone(g.origin)
	now := &plot{origin: g.plot.origin, denial: g.plot.denial}
	for _, rr := range g.records() {
		header := rr.Header()
		now.entries = append(now.entries, entry{header.Name, fmt.Sprint(header.Ttl), dns.Type(header.Rrtype).String(), strings.TrimPrefix(rr.String(), header.String())})
	}
	var keys []*dns.DNSKEY
	for rdata := range h.Zone.Set(g.origin, dns.TypeDNSKEY).All() {
		rr, err := zone.Record{Owner: g.origin, Type: dns.TypeDNSKEY, Rdata: rdata}.RR()
		if err != nil {
			g.t.Fatal(err)
		}
		keys = append(keys, rr.(*dns.DNSKEY))
	}
	garden := &garden{plots: []*plot{now}, names: g.planter.names}
	x := newExaminer(g.seed, g.number, garden)
	for range questions {
		q := x.probe()
		q.edns, q.do, q.version, q.opcode, q.stream = true, true, 0, dns.OpcodeQuery, true
		if c := (&comparison{garden: garden, q: q}); q.class != dns.ClassINET || meta(q.typ) || c.served() == "" || c.openWildcard() {
			continue
		}
		asked++
		message := wire(g.t, q.message(1))
		reply := new(dns.Msg)
		if err := reply.Unpack(g.state.Handle(&g.desk, g.now, message, primary.Peer{Address: netip.MustParseAddr("127.0.0.1"), Transport: primary.TCP}).Reply); err != nil {
			g.t.Fatal(err)
		}
		wrong := validate(g.plot.origin, keys, q, reply)
		if len(wrong) == 0 && asked%8 == 0 {
			wrong = weakened(g.plot.origin, keys, q, reply)
		}
		if len(wrong) > 0 {
			g.t.Errorf("seed %d, zone %d, %s: %s\n%s\n%s", g.seed, g.number, q, strings.Join(wrong, "\n"), reply, now.text())
			break
		}
	}
	return asked
}
