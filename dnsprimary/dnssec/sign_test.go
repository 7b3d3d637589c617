package dnssec

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

const world = `
@ MX 10 mail
mail A 192.0.2.2
www A 192.0.2.3
www AAAA 2001:db8::3
*.wild TXT "any"
a.b.c TXT "below two empty names"
sub NS ns.sub
sub NS ns1
ns.sub A 192.0.2.4
secure NS ns1
secure DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
below.secure A 192.0.2.9
old DNAME new.example.net.
x.y TYPE65280 \# 2 abcd
`

func TestSign(t *testing.T) {
	for title, p := range policies() {
		t.Run(title, func(t *testing.T) {
			s := signer(t, p)
			z, err := s.Sign(begin(), nil, read(t, world))
			if err != nil {
				t.Fatal(err)
			}
			verify(t, z, begin())
			if again, err := s.Sign(begin(), z, z); err != nil || again != z {
				t.Errorf("signing what is signed made another zone: %v", err)
			}
		})
	}
}

func TestSignRefuses(t *testing.T) {
	if _, err := (&Signer{}).Sign(begin(), nil, read(t, "")); err == nil {
		t.Error("signed without keys")
	}
	if _, err := signer(t, Policy{}).Sign(begin(), nil, zone.New(name(t, "example.org"))); err == nil {
		t.Error("signed without a SOA")
	}
}

// TestSignAfterEdits makes random edits and signs after each: the zone is always as if all of it had been signed anew,
// and what did not change has its old signatures.
func TestSignAfterEdits(t *testing.T) {
	labels := []string{"a", "b", "a.b", "c.a.b", "*", "*.b", "sub", "x.sub", "y.x.sub", "z", "www"}
	for title, p := range policies() {
		t.Run(title, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 7))
			s := signer(t, p)
			z, err := s.Sign(begin(), nil, read(t, world))
			if err != nil {
				t.Fatal(err)
			}
			now := begin()
			for round := range 60 {
				now = now.Add(time.Minute)
				e := z.Edit()
				for range 1 + r.IntN(3) {
					owner := name(t, labels[r.IntN(len(labels))]+".example.org")
					switch r.IntN(6) {
					case 0, 1, 2:
						rdata := string([]byte{192, 0, 2, byte(r.IntN(4))})
						if _, err := e.Add(zone.Record{Owner: owner, Type: dns.TypeA, TTL: 300, Rdata: rdata}); err != nil {
							t.Fatal(err)
						}
					case 3:
						e.RemoveSets(owner, dns.TypeA)
						e.RemoveSets(owner, dns.TypeNS)
					case 4:
						if !owner.IsWildcard() {
							if _, err := e.Add(zone.Record{Owner: owner, Type: dns.TypeNS, TTL: 300, Rdata: string(name(t, "ns1.example.org"))}); err != nil {
								t.Fatal(err)
							}
						}
					case 5:
						for _, typ := range []uint16{dns.TypeA, dns.TypeNS, dns.TypeTXT} {
							e.RemoveSets(owner, typ)
						}
					}
				}
				if err := e.Replace(z.Origin(), zone.WithSerial(z.SOA(), z.Serial()+1)); err != nil {
					t.Fatal(err)
				}
				next, err := s.Sign(now, z, e.Zone())
				if err != nil {
					t.Fatal(err)
				}
				verify(t, next, now)
				if kept := unchanged(z, next); kept == 0 {
					t.Errorf("round %d: every signature is new", round)
				}
				if t.Failed() {
					var b strings.Builder
					next.Print(&b)
					t.Fatalf("in round %d the zone is\n%s", round, b.String())
				}
				z = next
			}
		})
	}
}

// unchanged counts the signatures that two versions share.
func unchanged(a, b *zone.Zone) (n int) {
	for owner, sets := range b.All() {
		for _, set := range sets {
			if set.Type == dns.TypeRRSIG && find(a.Sets(owner), set.Type, set.Covers) == set {
				n++
			}
		}
	}
	return n
}

// TestSignaturesAreMadeAnewInTime looks at a zone each day for a year, with a clock that now and then jumps.
func TestSignaturesAreMadeAnewInTime(t *testing.T) {
	s := signer(t, Policy{Algorithm: Ed25519})
	z, err := s.Sign(begin(), nil, read(t, world))
	if err != nil {
		t.Fatal(err)
	}
	now := begin()
	for day := range 365 {
		now = now.Add(24 * time.Hour)
		switch day {
		case 100:
			now = now.Add(60 * 24 * time.Hour)
		case 200:
			now = now.Add(-90 * 24 * time.Hour)
		}
		serial := z.Serial()
		next, err := s.Refresh(now, z, serial+1)
		if err != nil {
			t.Fatal(err)
		}
		from, until, refresh := s.Window(next)
		if now.Before(from) || !now.Before(until) || now.After(refresh) {
			t.Fatalf("day %d: signatures are valid from %s to %s, and it is %s", day, from, until, now)
		}
		if (next != z) != (next.Serial() == serial+1) {
			t.Errorf("day %d: changed %v, serial %d after %d", day, next != z, next.Serial(), serial)
		}
		z = next
	}
	verify(t, z, now)
}

// TestChangingTheKindOfDenial goes from NSEC to NSEC3 and back.
func TestChangingTheKindOfDenial(t *testing.T) {
	s := signer(t, Policy{})
	z, err := s.Sign(begin(), nil, read(t, world))
	if err != nil {
		t.Fatal(err)
	}
	for _, hashed := range []bool{true, false} {
		s = &Signer{Policy: Policy{NSEC3: hashed}, Keys: s.Keys}
		if z, err = s.Refresh(begin(), z, z.Serial()+1); err != nil {
			t.Fatal(err)
		}
		verify(t, z, begin())
	}
}

func BenchmarkSign(b *testing.B) {
	var text strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&text, "host%05d A 192.0.2.%d\n", i, i%250)
	}
	plain := read(b, text.String())
	for _, a := range []Algorithm{ECDSAP256SHA256, Ed25519} {
		s := signer(b, Policy{Algorithm: a})
		b.Run("whole zone of 10000 names/"+a.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Sign(begin(), nil, plain); err != nil {
					b.Fatal(err)
				}
			}
		})
		for _, hashed := range []bool{false, true} {
			s := &Signer{Policy: Policy{NSEC3: hashed}, Keys: s.Keys}
			z, err := s.Sign(begin(), nil, plain)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("one edit/%s/NSEC3 %v", a, hashed), func(b *testing.B) {
				for b.Loop() {
					e := z.Edit()
					if _, err := e.Add(zone.Record{Owner: name(b, "new.example.org"), Type: dns.TypeA, TTL: 300, Rdata: "\xc0\x00\x02\x01"}); err != nil {
						b.Fatal(err)
					}
					if _, err := s.Sign(begin(), z, e.Zone()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
