package dnssec

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// begin is when the tests' time begins.
func begin() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// random gives the same bytes to each test.
func random() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

func name(t testing.TB, text string) zone.Name {
	t.Helper()
	n, err := zone.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// read reads a zone example.org, to which a SOA and a name server are added.
func read(t testing.TB, text string) *zone.Zone {
	t.Helper()
	z, problems := zone.Read(name(t, "example.org"), "$TTL 3600\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n"+text)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return z
}

// signer returns a signer of a policy whose first keys are in use.
func signer(t testing.TB, p Policy) *Signer {
	t.Helper()
	s, _, err := (&Signer{Policy: p}).Advance(begin(), time.Hour, random())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// policies are those under which everything is tested.
func policies() map[string]Policy {
	return map[string]Policy{
		"CSK, NSEC":          {Algorithm: ECDSAP256SHA256},
		"CSK, NSEC3":         {Algorithm: Ed25519, NSEC3: true},
		"KSK and ZSK, NSEC":  {Algorithm: Ed25519, Split: true},
		"KSK and ZSK, NSEC3": {Algorithm: ECDSAP256SHA256, Split: true, NSEC3: true},
	}
}

// verify checks, with the message library, every signature of a zone, that whatever must be signed is, and that the
// chain of denial is whole.
func verify(t testing.TB, z *zone.Zone, now time.Time) {
	t.Helper()
	keys := make(map[uint16]*dns.DNSKEY)
	for rdata := range z.Set(z.Origin(), dns.TypeDNSKEY).All() {
		k := rr(t, z.Origin(), dns.TypeDNSKEY, 3600, rdata).(*dns.DNSKEY)
		keys[k.KeyTag()] = k
	}
	for owner, sets := range z.All() {
		standing := z.Standing(owner)
		for _, set := range sets {
			if set.Type == dns.TypeRRSIG {
				verifySignatures(t, owner, find(sets, set.Covers, 0), set, keys, now)
				continue
			}
			must := standing == zone.Within && set.Type != dns.TypeNSEC3 || set.Type == dns.TypeNSEC || set.Type == dns.TypeNSEC3 ||
				standing == zone.Delegation && set.Type == dns.TypeDS
			if signatures := find(sets, dns.TypeRRSIG, set.Type); signatures.Empty() == must {
				t.Errorf("%s %s: signed %v, want %v", owner, zone.TypeName(set.Type), !signatures.Empty(), must)
			}
		}
	}
	verifyChain(t, z)
}

func verifySignatures(t testing.TB, owner zone.Name, set, signatures zone.RRset, keys map[uint16]*dns.DNSKEY, now time.Time) {
	t.Helper()
	var rrs []dns.RR
	for rdata := range set.All() {
		rrs = append(rrs, rr(t, owner, set.Type, set.TTL, rdata))
	}
	for rdata := range signatures.All() {
		s := rr(t, owner, dns.TypeRRSIG, signatures.TTL, rdata).(*dns.RRSIG)
		k := keys[s.KeyTag]
		switch {
		case k == nil:
			t.Errorf("%s %s: signed by key %d, which is not in the zone", owner, zone.TypeName(set.Type), s.KeyTag)
		case s.Verify(k, rrs) != nil:
			t.Errorf("%s %s: the signature is wrong", owner, zone.TypeName(set.Type))
		case !s.ValidityPeriod(now):
			t.Errorf("%s %s: the signature is not valid at %s", owner, zone.TypeName(set.Type), now)
		}
	}
}

// verifyChain follows the chain of denial once around and compares it with the zone.
func verifyChain(t testing.TB, z *zone.Zone) {
	t.Helper()
	want := make(map[string][]uint16)
	for owner, sets := range z.All() {
		if !listed(z, owner, sets) {
			continue
		}
		want[owner.String()] = nil
		standing := z.Standing(owner)
		for _, set := range sets {
			switch set.Type {
			case dns.TypeNSEC3:
			case dns.TypeRRSIG:
				if set.Covers != dns.TypeNSEC3 && !slices.Contains(want[owner.String()], dns.TypeRRSIG) {
					want[owner.String()] = append(want[owner.String()], dns.TypeRRSIG)
				}
			default:
				if standing == zone.Within || set.Type == dns.TypeNS || set.Type == dns.TypeDS || set.Type == dns.TypeNSEC {
					want[owner.String()] = append(want[owner.String()], set.Type)
				}
			}
		}
		for up := owner.Up(1); up != z.Origin() && up.Under(z.Origin()); up = up.Up(1) {
			if _, ok := want[up.String()]; !ok && records(z.Sets(up)) == false {
				want[up.String()] = nil // an empty non-terminal
			}
		}
	}
	if z.Set(z.Origin(), dns.TypeNSEC3PARAM).Empty() {
		verifyNSEC(t, z, want)
	} else {
		verifyNSEC3(t, z, want)
	}
}

func verifyNSEC(t testing.TB, z *zone.Zone, want map[string][]uint16) {
	t.Helper()
	for n, types := range want {
		if types == nil {
			delete(want, n)
		}
	}
	at, n := z.Origin(), 0
	for ; n <= len(want); n++ {
		rdata, _ := zone.CutRdata(z.Set(at, dns.TypeNSEC).Data())
		if rdata == "" {
			t.Fatalf("%s is in the chain and has no NSEC", at)
		}
		nsec := rr(t, at, dns.TypeNSEC, 300, rdata).(*dns.NSEC)
		if got := types(nsec.TypeBitMap); !slices.Equal(got, sorted(want[at.String()])) {
			t.Errorf("%s NSEC lists %v, want %v", at, got, sorted(want[at.String()]))
		}
		if at = name(t, nsec.NextDomain); at == z.Origin() {
			n++
			break
		}
	}
	if n != len(want) {
		t.Errorf("the chain has %d names, want %d", n, len(want))
	}
	for owner, sets := range z.All() {
		if !find(sets, dns.TypeNSEC, 0).Empty() && want[owner.String()] == nil {
			t.Errorf("%s has a NSEC and is not in the chain", owner)
		}
	}
}

func verifyNSEC3(t testing.TB, z *zone.Zone, want map[string][]uint16) {
	t.Helper()
	found := 0
	for owner, sets := range z.All() {
		set := find(sets, dns.TypeNSEC3, 0)
		for rdata := range set.All() {
			found++
			next, _ := following3(set)
			covered, _ := digestOf(owner, z.Origin())
			if after, _ := z.Hashed(next.owner(z.Origin()), true); after != next.owner(z.Origin()) {
				t.Errorf("the NSEC3 %s leads to %s, which is not there", owner, next.owner(z.Origin()))
			}
			if before, _ := z.Hashed(next.owner(z.Origin()), false); before != owner {
				t.Errorf("the NSEC3 before %s is %s, want %s", next.owner(z.Origin()), before, owner)
			}
			nsec3 := rr(t, owner, dns.TypeNSEC3, 300, rdata).(*dns.NSEC3)
			var of string
			for n := range want {
				if hashOf(name(t, n)) == covered {
					of = n
				}
			}
			if got := types(nsec3.TypeBitMap); of == "" || !slices.Equal(got, sorted(want[of])) {
				t.Errorf("%s NSEC3 of %q lists %v, want %v", owner, of, got, sorted(want[of]))
			}
		}
	}
	if found != len(want) {
		t.Errorf("there are %d NSEC3, want %d", found, len(want))
	}
}

func types(list []uint16) []uint16 { return sorted(list) }

func sorted(list []uint16) []uint16 {
	out := slices.Clone(list)
	slices.Sort(out)
	return out
}

// rr returns a record as the message library has it.
func rr(t testing.TB, owner zone.Name, typ uint16, ttl uint32, rdata string) dns.RR {
	t.Helper()
	r, err := zone.Record{Owner: owner, Type: typ, TTL: ttl, Rdata: rdata}.RR()
	if err != nil {
		t.Fatal(err)
	}
	return r
}
