package dnssec

import (
	"testing"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// caches is what resolvers may still know of a zone: everything that was served within a TTL, by the slowest secondary.
type caches struct {
	t       *testing.T
	policy  Policy
	longest time.Duration
	served  []served
	ds      []parent
}

type served struct {
	at time.Time
	z  *zone.Zone
}

// parent is what the parent zone served from a time on.
type parent struct {
	at  time.Time
	tag uint16
}

// check validates every mixture of what a resolver may hold at a time: any DS, with any keys, with any signatures.
func (c *caches) check(now time.Time) {
	c.t.Helper()
	for _, ds := range c.fresh(now) {
		for _, keys := range c.within(now, c.policy.Propagate+c.policy.KeyTTL) {
			set := keys.Set(keys.Origin(), dns.TypeDNSKEY)
			if !signedBy(keys, dns.TypeDNSKEY, ds) {
				c.t.Fatalf("%s: the DS of key %d does not lead to the keys", now, ds)
			}
			for _, data := range c.within(now, c.policy.Propagate+c.longest) {
				ok := false
				for rdata := range set.All() {
					k := rr(c.t, keys.Origin(), dns.TypeDNSKEY, 1, rdata).(*dns.DNSKEY)
					ok = ok || signedBy(data, dns.TypeSOA, k.KeyTag())
				}
				if !ok {
					c.t.Fatalf("%s: no key that a resolver may know has signed what it may know", now)
				}
			}
		}
	}
}

func signedBy(z *zone.Zone, typ, tag uint16) bool {
	for rdata := range find(z.Sets(z.Origin()), dns.TypeRRSIG, typ).All() {
		if s, ok := parseSignature(rdata); ok && s.tag == tag {
			return true
		}
	}
	return false
}

// within returns the versions that were served since a time ago.
func (c *caches) within(now time.Time, ago time.Duration) (all []*zone.Zone) {
	for i, s := range c.served {
		if i+1 == len(c.served) || c.served[i+1].at.After(now.Add(-ago)) {
			all = append(all, s.z)
		}
	}
	return all
}

func (c *caches) fresh(now time.Time) (tags []uint16) {
	for i, p := range c.ds {
		if i+1 == len(c.ds) || c.ds[i+1].at.After(now.Add(-c.policy.ParentTTL-c.policy.ParentPropagate)) {
			tags = append(tags, p.tag)
		}
	}
	return tags
}

// TestNoRolloverBreaksAChain rolls keys for 500 days, three hours at a time, with a parent that follows CDS some days later, and
// looks each time at whatever a resolver may have in its cache.
func TestNoRolloverBreaksAChain(t *testing.T) {
	for title, p := range policies() {
		t.Run(title, func(t *testing.T) {
			p.ZoneKeyLife, p.EntryKeyLife = 30*24*time.Hour, 100*24*time.Hour
			const longest = 12 * time.Hour
			s := signer(t, p)
			c := &caches{t: t, policy: p.withDefaults(), longest: longest}
			bytes := random()
			now := begin()
			z, err := s.Sign(now, nil, read(t, "www 43200 A 192.0.2.1"))
			if err != nil {
				t.Fatal(err)
			}
			c.served = append(c.served, served{now, z})
			c.ds = append(c.ds, parent{now, s.entry().Tag()})
			s = s.Confirm(s.entry().Tag(), now)
			pending := now
			for range 8 * 500 {
				now = now.Add(3 * time.Hour)
				next, _, err := s.Advance(now, longest, bytes)
				if err != nil {
					t.Fatal(err)
				}
				if s, z = next, c.refresh(now, next); z != c.served[len(c.served)-1].z {
					c.served = append(c.served, served{now, z})
				}
				switch wanted := s.entry().Tag(); {
				case wanted == c.ds[len(c.ds)-1].tag:
					pending = now
				case now.Sub(pending) > 70*time.Hour: // the parent looks at CDS now and then
					c.ds = append(c.ds, parent{now, wanted})
					s = s.Confirm(wanted, now)
				}
				c.check(now)
			}
			if len(c.ds) < 4 {
				t.Errorf("the key that the parent knows was changed %d times in 500 days", len(c.ds)-1)
			}
			alive := 0
			for _, k := range s.Keys {
				if k.Remove.IsZero() {
					alive++
				}
			}
			if alive > 4 {
				t.Errorf("%d keys are alive", alive)
			}
			verify(t, z, now)
		})
	}
}

func (c *caches) refresh(now time.Time, s *Signer) *zone.Zone {
	c.t.Helper()
	last := c.served[len(c.served)-1].z
	z, err := s.Refresh(now, last, last.Serial()+1)
	if err != nil {
		c.t.Fatal(err)
	}
	return z
}

// TestAStubbornParent keeps the old key for as long as the parent does.
func TestAStubbornParent(t *testing.T) {
	s := signer(t, Policy{})
	first := s.Keys[0]
	s, err := s.Roll(CSK, begin())
	if err != nil {
		t.Fatal(err)
	}
	now := begin()
	for range 365 {
		now = now.Add(24 * time.Hour)
		if s, _, err = s.Advance(now, time.Hour, random2()); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.Keys) != 2 || !s.Keys[0].signsKeys() || !s.Keys[0].signsZone() || s.entry() != s.Keys[1] {
		t.Fatalf("after a year without the parent: %d keys", len(s.Keys))
	}
	s = s.Confirm(s.Keys[1].Tag(), now)
	if s == s.Confirm(first.Tag()+1, now) != true {
		t.Error("a key that does not exist was confirmed")
	}
	now = now.Add(26 * time.Hour)
	if s, _, err = s.Advance(now, time.Hour, random2()); err != nil || s.Keys[0].Remove.IsZero() {
		t.Errorf("the old key is still there: %v", err)
	}
	if _, err := s.Roll(ZSK, now); err == nil {
		t.Error("a key was rolled that there is not")
	}
}

func random2() *counter { return new(counter) }

// counter gives other bytes at each read than random does.
type counter struct{ n byte }

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		c.n += 37
		b[i] = c.n
	}
	return len(b), nil
}

// TestThen says when the next step is due.
func TestThen(t *testing.T) {
	s := signer(t, Policy{Split: true, ZoneKeyLife: 30 * 24 * time.Hour})
	_, then, err := s.Advance(begin(), time.Hour, random())
	if want := begin().Add(30*24*time.Hour - 2*time.Hour); err != nil || !then.Equal(want) {
		t.Errorf("the next step is at %s, want %s, %v", then, want, err)
	}
	if s, _, _ := s.Advance(then.Add(-time.Second), time.Hour, random2()); len(s.Keys) != 2 {
		t.Error("a key came early")
	}
	if s, _, _ := s.Advance(then, time.Hour, random2()); len(s.Keys) != 3 {
		t.Error("no key came")
	}
}

func TestTheParentIsAsked(t *testing.T) {
	s := signer(t, Policy{})
	z, err := s.Sign(begin(), nil, read(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	k := rr(t, z.Origin(), dns.TypeDNSKEY, 1, s.Keys[0].rdata()).(*dns.DNSKEY)
	ds := k.ToDS(dns.SHA256)
	got := rr(t, z.Origin(), dns.TypeDS, 1, s.Keys[0].DS(z.Origin()).Rdata).(*dns.DS)
	if got.Digest != ds.Digest || got.KeyTag != ds.KeyTag || got.Algorithm != ds.Algorithm {
		t.Errorf("DS %s, want %s", got, ds)
	}
	rdata, _ := zone.CutRdata(z.Set(z.Origin(), dns.TypeCDS).Data())
	if cds := rr(t, z.Origin(), dns.TypeCDS, 1, rdata).(*dns.CDS); cds.Digest != ds.Digest {
		t.Errorf("CDS %s", cds)
	}
	if rdata, _ = zone.CutRdata(z.Set(z.Origin(), dns.TypeCDNSKEY).Data()); rdata != s.Keys[0].rdata() {
		t.Error("CDNSKEY is not the key")
	}
	s = &Signer{Policy: Policy{Withdraw: true}, Keys: s.Keys}
	if z, err = s.Refresh(begin(), z, 2); err != nil {
		t.Fatal(err)
	}
	rdata, _ = zone.CutRdata(z.Set(z.Origin(), dns.TypeCDS).Data())
	if got := rr(t, z.Origin(), dns.TypeCDS, 0, rdata).String(); got[len(got)-9:] != " 0 0 0 00" && got[len(got)-8:] != "0\t0 0 00" && got[len(got)-8:] != "0 0 0 00" {
		t.Errorf("CDS %q", got)
	}
	if rdata, _ = zone.CutRdata(z.Set(z.Origin(), dns.TypeCDNSKEY).Data()); rdata != "\x00\x00\x03\x00\x00" {
		t.Errorf("CDNSKEY %x", rdata)
	}
}
