package primary

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"hearth/dnsprimary/dnssec"
	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// signedWorld serves example.org signed, by NSEC or NSEC3.
func signedWorld(t testing.TB, hashed bool) (*world, *dnssec.Signer) {
	t.Helper()
	w := newWorld(t)
	s, _, err := (&dnssec.Signer{Policy: dnssec.Policy{Algorithm: dnssec.ECDSAP256SHA256, NSEC3: hashed}}).Advance(w.now.Add(-48*time.Hour), time.Hour, rand.Reader)
	if err == nil {
		s, _, err = s.Advance(w.now, time.Hour, rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	h, _ := w.state.Zone(name("example.org."))
	h.Signer = s
	if h.Zone, err = s.Sign(w.now, nil, h.Zone); err != nil {
		t.Fatal(err)
	}
	w.state = w.state.With(h)
	return w, s
}

// TestASignedZone asks before and after updates, and verifies every signature and that what is denied is proved.
func TestASignedZone(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		w, _ := signedWorld(t, hashed)
		for _, text := range []string{"", "add new 60 A 192.0.2.9\nadd a.b.c 60 TXT x", "delete new\nadd *.new 60 CNAME www", "delete www", "delete @"} {
			if text != "" {
				if m := w.signed(update(t, text), "update."); m.Rcode != dns.RcodeSuccess {
					t.Fatalf("%q is answered %s", text, render(m))
				}
			}
			for question, proofs := range map[string]bool{
				"www.example.org. A": false, "new.example.org. A": false, "x.new.example.org. A": true, "none.example.org. A": true, "b.c.example.org. A": true,
				"example.org. SOA": false, "example.org. NS": false, "example.org. DNSKEY": false, "www.example.org. MX": true, "x.wild.example.org. TXT": true,
				"x.wild.example.org. A": true, "x.sub.example.org. A": true, "sub.example.org. DS": true, "alias.example.org. A": false, "example.org. ANY": false,
			} {
				w.verify(question, proofs)
			}
		}
	}
}

// verify asks with DO, and checks what comes back.
func (w *world) verify(question string, proofs bool) {
	w.t.Helper()
	w.from.Transport = TCP
	m := w.ask(query(w.t, question).SetEdns0(1232, true))
	signed := map[string]bool{}
	for _, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if s, ok := rr.(*dns.RRSIG); ok {
				signed[s.Hdr.Name+dns.TypeToString[s.TypeCovered]] = true
				w.verifySet(question, s, section)
			}
		}
	}
	denied := false
	for _, rr := range append(m.Answer, m.Ns...) {
		h := rr.Header()
		switch h.Rrtype {
		case dns.TypeRRSIG:
		case dns.TypeNSEC, dns.TypeNSEC3:
			denied = true
			fallthrough
		default:
			if !signed[h.Name+dns.TypeToString[h.Rrtype]] && !(h.Rrtype == dns.TypeNS && !m.Authoritative) {
				w.t.Errorf("%s: %v is not signed", question, rr)
			}
		}
	}
	if proofs && !denied {
		w.t.Errorf("%s: nothing is proved: %v", question, m)
	}
	if plain := w.ask(query(w.t, question)); strings.Contains(plain.String(), "RRSIG\t") || strings.Contains(plain.String(), "\tNSEC") {
		w.t.Errorf("%s: proofs are sent unasked", question)
	}
}

// verifySet checks one signature with the zone's key.
func (w *world) verifySet(question string, s *dns.RRSIG, section []dns.RR) {
	w.t.Helper()
	var set []dns.RR
	for _, rr := range section {
		if h := rr.Header(); h.Rrtype == s.TypeCovered && h.Name == s.Hdr.Name {
			set = append(set, rr)
		}
	}
	h, _ := w.state.Zone(name("example.org."))
	var err error = dns.ErrKey
	for rdata := range h.Zone.Set(h.Zone.Origin(), dns.TypeDNSKEY).All() {
		key, _ := zone.Record{Owner: h.Zone.Origin(), Type: dns.TypeDNSKEY, Rdata: rdata}.RR()
		if key.(*dns.DNSKEY).KeyTag() == s.KeyTag {
			err = s.Verify(key.(*dns.DNSKEY), set)
		}
	}
	if err != nil || !s.ValidityPeriod(w.now) {
		w.t.Errorf("%s: the signature %v of %v: %v", question, s, set, err)
	}
}

// TestTheClockOfASignedZoneJumps is threat 13: what would be served with a signature that is not valid is not served.
func TestTheClockOfASignedZoneJumps(t *testing.T) {
	w, s := signedWorld(t, false)
	for _, jump := range []time.Duration{-365 * 24 * time.Hour, 365 * 24 * time.Hour} {
		w.now = noon.Add(jump)
		if m := w.ask(query(t, "www.example.org. A").SetEdns0(1232, true)); m.Rcode != dns.RcodeServerFailure || len(m.Answer) > 0 {
			t.Errorf("the answer at %v is %s", w.now, render(m))
		}
		if m := w.ask(query(t, "www.example.org. A")); m.Rcode != dns.RcodeSuccess {
			t.Errorf("without signatures the answer at %v is %s", w.now, render(m))
		}
	}
	h, _ := w.state.Zone(name("example.org."))
	var err error
	if h.Zone, err = s.Refresh(w.now, h.Zone, h.Zone.Serial()+1); err != nil {
		t.Fatal(err)
	}
	w.state = w.state.With(h)
	if m := w.ask(query(t, "www.example.org. A").SetEdns0(1232, true)); m.Rcode != dns.RcodeSuccess {
		t.Errorf("the answer after signing again is %s", render(m))
	}
}

// TestASignedZoneIsTransferred in whole and by difference: the secondary has the signatures too.
func TestASignedZoneIsTransferred(t *testing.T) {
	w, _ := signedWorld(t, true)
	before, _ := w.state.Zone(name("example.org."))
	if m := w.signed(update(t, "add new 60 A 192.0.2.9"), "update."); m.Rcode != dns.RcodeSuccess {
		t.Fatal(render(m))
	}
	after, _ := w.state.Zone(name("example.org."))
	_, records := w.fetch(query(t, "example.org. AXFR"))
	if got := rebuilt(t, records); !zone.Diff(got, after.Zone).Empty() {
		t.Error("the zone is another")
	}
	w.now = noon
	_, records = w.fetch(ixfr(t, before.Zone.Serial()))
	var changes []zone.Record
	for _, rr := range records {
		changes = append(changes, fromRR(t, rr))
	}
	if got := install(t, before.Zone, changes); !zone.Diff(got, after.Zone).Empty() || len(records) >= after.Zone.Records() {
		t.Errorf("after %d records the zone is another", len(records))
	}
}
