package dnssec

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// resolver believes only what is proved: it judges an answer by its authority section, as RFC 4035 §5.4 and RFC 5155 §8
// have it.
type resolver struct {
	t *testing.T
	z *zone.Zone
	a *zone.Answer
}

// denied looks for a proof that matches a name, or covers it.
func (r *resolver) denied(n zone.Name, matches bool) (types []uint16, ok bool) {
	for _, f := range r.a.Authority {
		rdata, _ := zone.CutRdata(f.Set.Data())
		switch f.Set.Type {
		case dns.TypeNSEC:
			nsec := rr(r.t, f.Owner, dns.TypeNSEC, 1, rdata).(*dns.NSEC)
			next := name(r.t, nsec.NextDomain)
			if matches && f.Owner == n {
				return nsec.TypeBitMap, true
			}
			if matches && next.Under(n) && next != n && before(r.t, f.Owner, n) { // an empty non-terminal
				return nil, true
			}
			if !matches && between(r.t, f.Owner, n, next, r.z.Origin()) && !next.Under(n) {
				return nil, true
			}
		case dns.TypeNSEC3:
			nsec3 := rr(r.t, f.Owner, dns.TypeNSEC3, 1, rdata).(*dns.NSEC3)
			if matches && nsec3.Match(n.String()) {
				return nsec3.TypeBitMap, true
			}
			if !matches && nsec3.Cover(n.String()) {
				return nil, true
			}
		}
	}
	return nil, false
}

// before compares names in canonical order.
func before(t *testing.T, a, b zone.Name) bool {
	z := zone.New(zone.Root)
	e := z.Edit()
	for _, n := range []zone.Name{a, b} {
		if _, err := e.Add(zone.Record{Owner: n, Type: dns.TypeA, Rdata: "\x00\x00\x00\x00"}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range e.Zone().All() {
		return n == a && a != b
	}
	return false
}

func between(t *testing.T, low, n, high, apex zone.Name) bool {
	return before(t, low, n) && (high == apex || before(t, n, high))
}

// signed wants each fact of ours to have its signatures behind it.
func (r *resolver) signed(section []zone.Fact, q string) {
	r.t.Helper()
	for i, f := range section {
		standing := r.z.Standing(f.Owner)
		ours := f.Wildcard != "" || standing == zone.Within || f.Set.Type == dns.TypeDS || f.Set.Type == dns.TypeNSEC || f.Set.Type == dns.TypeNSEC3
		if f.Set.Type == dns.TypeRRSIG || f.Made || !ours {
			continue
		}
		if !slices.ContainsFunc(section[i:], func(g zone.Fact) bool {
			return g.Owner == f.Owner && g.Set.Type == dns.TypeRRSIG && g.Set.Covers == f.Set.Type && g.Set.TTL <= f.Set.TTL
		}) {
			r.t.Errorf("%s: %s %s has no signature", q, f.Owner, zone.TypeName(f.Set.Type))
		}
	}
}

// TestProve asks questions of every kind, and has a resolver judge the answers.
func TestProve(t *testing.T) {
	questions := strings.Fields(`
		example.org/A example.org/SOA example.org/DNSKEY example.org/TXT www.example.org/A www.example.org/TXT
		nothing.example.org/A deep.nothing.example.org/A nothing.www.example.org/A
		wild.example.org/A x.wild.example.org/TXT x.wild.example.org/A y.x.wild.example.org/TXT *.wild.example.org/TXT
		c.example.org/A b.c.example.org/A a.b.c.example.org/A z.b.c.example.org/A
		sub.example.org/A www.sub.example.org/A ns.sub.example.org/A sub.example.org/DS
		secure.example.org/A below.secure.example.org/A secure.example.org/DS
		x.old.example.org/A old.example.org/DNAME old.example.org/A
		y.example.org/TXT x.y.example.org/TYPE65280 x.y.example.org/A 0.example.org/A zzz.example.org/A`)
	for title, p := range policies() {
		t.Run(title, func(t *testing.T) {
			s := signer(t, p)
			z, err := s.Sign(begin(), nil, read(t, world))
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range questions {
				n, typ, _ := strings.Cut(q, "/")
				number, ok := dns.StringToType[typ]
				if !ok {
					number = 65280
				}
				judge(t, s, z, q, name(t, n), number)
			}
		})
	}
}

func judge(t *testing.T, s *Signer, z *zone.Zone, q string, n zone.Name, typ uint16) {
	t.Helper()
	var a zone.Answer
	z.Answer(&a, n, typ)
	if err := s.Prove(begin(), z, &a); err != nil {
		t.Errorf("%s: %v", q, err)
		return
	}
	r := &resolver{t, z, &a}
	r.signed(a.Answer, q)
	r.signed(a.Authority, q)
	r.signed(a.Additional, q)
	hashed := !z.Set(z.Origin(), dns.TypeNSEC3PARAM).Empty()
	want := func(n zone.Name, matches bool, what string) []uint16 {
		t.Helper()
		types, ok := r.denied(n, matches)
		if !ok {
			t.Errorf("%s: nothing proves that %s %s", q, n, what)
		}
		return types
	}
	if a.Cut != "" { // RFC 4035 §3.1.4: a referral has the DS, or proves that there is none
		given := slices.ContainsFunc(a.Authority, func(f zone.Fact) bool { return f.Owner == a.Cut && f.Set.Type == dns.TypeDS })
		if there := !z.Set(a.Cut, dns.TypeDS).Empty(); given != there {
			t.Errorf("%s: the referral has the DS: %v, want %v", q, given, there)
		}
	}
	for _, d := range a.Denials {
		if hashed && d.Encloser != "" && d.Absence != zone.Expanded {
			want(d.Encloser, true, "exists")
		}
		if hashed && d.NextCloser != "" {
			want(d.NextCloser, false, "does not exist")
		}
		switch d.Absence {
		case zone.NoName:
			if !hashed {
				want(d.Name, false, "does not exist")
			}
			want(d.Encloser.Wildcard(), false, "does not exist")
		case zone.NoType:
			if types := want(d.Name, true, "has other types"); slices.Contains(types, typ) {
				t.Errorf("%s: the proof lists the type", q)
			}
		case zone.NoDS:
			if types := want(d.Name, true, "is no secure delegation"); slices.Contains(types, dns.TypeDS) || !slices.Contains(types, dns.TypeNS) {
				t.Errorf("%s: the proof lists %v", q, types)
			}
		case zone.NoWildType:
			if types := want(d.Encloser.Wildcard(), true, "has other types"); slices.Contains(types, typ) {
				t.Errorf("%s: the proof lists the type", q)
			}
			if !hashed {
				want(d.Name, false, "does not exist")
			}
		case zone.Expanded:
			if !hashed {
				want(d.Name, false, "does not exist")
			}
		}
	}
}

// TestNoInvalidSignatureIsServed lets the clock jump: threat 13.
func TestNoInvalidSignatureIsServed(t *testing.T) {
	s := signer(t, Policy{})
	z, err := s.Sign(begin(), nil, read(t, world))
	if err != nil {
		t.Fatal(err)
	}
	for _, jump := range []time.Duration{-2 * time.Hour, 20 * 24 * time.Hour} {
		for _, q := range []string{"www.example.org", "nothing.example.org"} {
			var a zone.Answer
			z.Answer(&a, name(t, q), dns.TypeA)
			if err := s.Prove(begin().Add(jump), z, &a); err == nil {
				t.Errorf("%s: an invalid signature was served %s later", q, jump)
			}
		}
		again, err := s.Refresh(begin().Add(jump), z, 2)
		if err != nil {
			t.Fatal(err)
		}
		var a zone.Answer
		again.Answer(&a, name(t, "www.example.org"), dns.TypeA)
		if err := s.Prove(begin().Add(jump), again, &a); err != nil {
			t.Errorf("after the refresh: %v", err)
		}
	}
}

func BenchmarkProve(b *testing.B) {
	for _, hashed := range []bool{false, true} {
		s := signer(b, Policy{NSEC3: hashed})
		z, err := s.Sign(begin(), nil, read(b, world))
		if err != nil {
			b.Fatal(err)
		}
		for _, q := range []string{"www.example.org", "nothing.example.org"} {
			n := name(b, q)
			b.Run(q+map[bool]string{false: "/NSEC", true: "/NSEC3"}[hashed], func(b *testing.B) {
				b.ReportAllocs()
				var a zone.Answer
				for b.Loop() {
					z.Answer(&a, n, dns.TypeA)
					if err := s.Prove(begin(), z, &a); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
