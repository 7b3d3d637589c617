package dnssec

import (
	"fmt"
	"slices"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// Prove adds to an answer of a signed zone what a validator needs: the signatures of its facts, and proofs of what it
// denies. It fails if a signature is not valid now, so that none is served that is not.
// spec: RFC 4035 §3.1, RFC 5155 §7.2
func (s *Signer) Prove(now time.Time, z *zone.Zone, a *zone.Answer) error {
	if z.Set(z.Origin(), dns.TypeDNSKEY).Empty() {
		return nil // not signed yet
	}
	p := prover{z: z, now: now, a: a}
	if a.Cut != "" {
		p.add(a.Cut, z.Set(a.Cut, dns.TypeDS)) // RFC 4035 §3.1.4
	}
	if !z.Set(z.Origin(), dns.TypeNSEC3PARAM).Empty() {
		p.denials3()
	} else {
		p.denials()
	}
	for _, section := range []*[]zone.Fact{&a.Answer, &a.Authority, &a.Additional} {
		for i := 0; i < len(*section); i++ {
			f := (*section)[i]
			if f.Made || f.Set.Type == dns.TypeRRSIG {
				continue
			}
			signature, err := p.signature(f)
			if err != nil {
				return err
			}
			if signature.Set.Empty() || slices.ContainsFunc(*section, func(g zone.Fact) bool { return same(g, signature) }) {
				continue
			}
			*section = slices.Insert(*section, i+1, signature)
			i++
		}
	}
	return nil
}

func same(a, b zone.Fact) bool {
	return a.Owner == b.Owner && a.Set.Type == b.Set.Type && a.Set.Covers == b.Set.Covers
}

type prover struct {
	z   *zone.Zone
	now time.Time
	a   *zone.Answer
}

// signature returns the signatures of a fact; an empty set if it has none.
func (p *prover) signature(f zone.Fact) (zone.Fact, error) {
	owner := f.Owner
	if f.Wildcard != "" {
		owner = f.Wildcard
	}
	set := find(p.z.Sets(owner), dns.TypeRRSIG, f.Set.Type)
	for rdata := range set.All() {
		if s, ok := parseSignature(rdata); !ok || p.now.Before(s.inception) || p.now.After(s.expiration) {
			return zone.Fact{}, fmt.Errorf("the signature of %s %s is not valid now", owner, zone.TypeName(f.Set.Type))
		}
	}
	set.TTL = min(set.TTL, f.Set.TTL)
	return zone.Fact{Owner: f.Owner, Set: set, Wildcard: f.Wildcard, Needed: f.Needed}, nil
}

// add adds a record set of the zone to the authority section, once.
func (p *prover) add(owner zone.Name, set zone.RRset) {
	f := zone.Fact{Owner: owner, Set: set}
	if !set.Empty() && !slices.ContainsFunc(p.a.Authority, func(g zone.Fact) bool { return same(g, f) }) {
		p.a.Authority = append(p.a.Authority, f)
	}
}

// denials proves by NSEC.
func (p *prover) denials() {
	for _, d := range p.a.Denials {
		switch d.Absence {
		case zone.NoName:
			p.covering(d.Name)
			p.covering(d.Encloser.Wildcard())
		case zone.NoType, zone.NoDS:
			p.covering(d.Name)
		case zone.NoWildType:
			p.covering(d.Encloser.Wildcard())
			p.covering(d.Name)
		case zone.Expanded:
			p.covering(d.Name)
		}
	}
}

// covering adds the NSEC at a name, or the one before it.
func (p *prover) covering(name zone.Name) {
	owner, set := p.z.Nearest(name, dns.TypeNSEC)
	p.add(owner, set)
}

// denials3 proves by NSEC3.
func (p *prover) denials3() {
	for _, d := range p.a.Denials {
		switch d.Absence {
		case zone.NoName:
			p.nearest(d.Encloser)
			p.nearest(d.NextCloser)
			p.nearest(d.Encloser.Wildcard())
		case zone.NoType, zone.NoDS:
			p.nearest(d.Name)
		case zone.NoWildType:
			p.nearest(d.Encloser)
			p.nearest(d.NextCloser)
			p.nearest(d.Encloser.Wildcard())
		case zone.Expanded:
			p.nearest(d.NextCloser)
		}
	}
}

// nearest adds the NSEC3 that matches a name, or the one that covers it.
func (p *prover) nearest(name zone.Name) {
	if name == "" {
		return
	}
	owner, set := p.z.Hashed(hashOf(name).owner(p.z.Origin()), true)
	p.add(owner, set)
}
