package zone

import (
	"fmt"

	"github.com/miekg/dns"
)

// Check looks at the zone as a whole, and says what a server must not serve or its owner should mend.
func (z *Zone) Check() Problems {
	c := checker{zone: z}
	c.apex()
	for owner, sets := range z.All() {
		standing := z.Standing(owner)
		c.alone(owner, sets)
		c.place(owner, sets, standing)
		if standing == Occluded {
			continue
		}
		for _, s := range sets {
			c.targets(owner, s, standing)
		}
	}
	return c.problems
}

type checker struct {
	zone     *Zone
	problems Problems
}

func (c *checker) fail(format string, args ...any) {
	c.problems.add(Problem{Text: fmt.Sprintf(format, args...)})
}

func (c *checker) warn(format string, args ...any) {
	c.problems.add(Problem{Warning: true, Text: fmt.Sprintf(format, args...)})
}

// apex checks SOA and NS (RFC 1035 §5.2, RFC 2182 §5).
func (c *checker) apex() {
	z := c.zone
	switch z.SOA().Len() {
	case 0:
		c.fail("the zone has no SOA record at %s", z.origin)
	case 1:
		numbers, _ := soaNumbers(z.SOA())
		if refresh, retry, expire := numbers[1], numbers[2], numbers[3]; expire < refresh+retry {
			c.warn("the SOA lets secondaries forget the zone (expire %d) before they could try twice (refresh %d, retry %d)", expire, refresh, retry)
		}
		if numbers[4] > 86400 {
			c.warn("the SOA lets resolvers remember for %d seconds that a name is absent; a day (86400) should be the most", numbers[4])
		}
	default:
		c.fail("the zone has more than one SOA record")
	}
	switch z.Set(z.origin, dns.TypeNS).Len() {
	case 0:
		c.fail("the zone has no NS record at %s: name at least one server", z.origin)
	case 1:
		c.warn("the zone has one name server only; a second one keeps it alive while the first is away (RFC 2182)")
	}
}

// alone checks the types that stand alone at their name (RFC 2181 §10.1, RFC 6672 §2.4).
func (c *checker) alone(owner Name, sets []RRset) {
	if cname := find(sets, dns.TypeCNAME); !cname.Empty() {
		for _, s := range sets {
			if !BesideCNAME(s.Type) {
				c.fail("%s has a CNAME beside its %s: a CNAME stands alone, since it means that all is at another name", owner, TypeName(s.Type))
			}
		}
		if cname.Len() > 1 {
			c.fail("%s has more than one CNAME", owner)
		}
	}
	if find(sets, dns.TypeDNAME).Len() > 1 {
		c.fail("%s has more than one DNAME", owner)
	}
}

// BesideCNAME reports whether a type may be at a name that has a CNAME (RFC 4034 §3, §4; RFC 2535 for KEY).
func BesideCNAME(typ uint16) bool {
	switch typ {
	case dns.TypeCNAME, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeKEY:
		return true
	}
	return false
}

// place checks that records are where they can be found.
func (c *checker) place(owner Name, sets []RRset, standing Standing) {
	z := c.zone
	for _, s := range sets {
		switch {
		case s.Type == dns.TypeSOA && owner != z.origin:
			c.fail("%s has a SOA, which belongs to %s only", owner, z.origin)
		case s.Type == dns.TypeDS && owner == z.origin: // RFC 4035 §2.4
			c.fail("the zone has DS records of its own: they belong into the zone above, and must not be at %s", owner)
		case standing == Occluded && s.Type != dns.TypeA && s.Type != dns.TypeAAAA && s.Type != dns.TypeRRSIG:
			c.warn("the %s records of %s cannot be seen: a DNAME, or NS records of another zone, are above", TypeName(s.Type), owner)
		case standing == Delegation && !atCut(s.Type):
			c.warn("the %s records of %s cannot be seen: its NS records make it another zone's", TypeName(s.Type), owner)
		case s.Type == dns.TypeDS && standing != Delegation:
			c.warn("%s has DS records but no NS records, so they mean nothing", owner)
		case owner.IsWildcard() && (s.Type == dns.TypeNS || s.Type == dns.TypeDNAME):
			c.warn("%s is a wildcard with %s records, which servers understand in different ways (RFC 4592 §4)", owner, TypeName(s.Type))
		}
	}
}

// atCut reports whether a type has a meaning at the owner of NS: of the side above, or as glue.
func atCut(typ uint16) bool {
	switch typ {
	case dns.TypeNS, dns.TypeDS, dns.TypeA, dns.TypeAAAA, dns.TypeNSEC, dns.TypeRRSIG:
		return true
	}
	return false
}

// targets checks the names that NS, MX and SRV point to: they have addresses, and no CNAME (RFC 2181 §10.3).
func (c *checker) targets(owner Name, s RRset, standing Standing) {
	if s.Type != dns.TypeNS && s.Type != dns.TypeMX && s.Type != dns.TypeSRV {
		return
	}
	z := c.zone
	for rdata := range s.All() {
		to := target(s.Type, rdata)
		if !to.Under(z.origin) || to == Root {
			continue
		}
		below := z.Standing(to) != Within
		if below && (s.Type != dns.TypeNS || standing == Delegation && !to.Under(owner)) {
			continue // another zone's; it may have the address
		}
		sets, _ := z.addressee(to, true)
		switch {
		case !find(sets, dns.TypeCNAME).Empty():
			c.fail("the %s of %s points to %s, which has a CNAME; it must be a name with addresses", TypeName(s.Type), owner, to)
		case !find(sets, dns.TypeA).Empty() || !find(sets, dns.TypeAAAA).Empty():
		case s.Type == dns.TypeNS && below:
			c.fail("the name server %s of %s has no address here (glue), so nobody can find it", to, owner)
		case s.Type == dns.TypeNS:
			c.fail("the name server %s of %s has no address", to, owner)
		default:
			c.warn("the %s of %s points to %s, which has no address", TypeName(s.Type), owner, to)
		}
	}
}
