package primary

import (
	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// kind is a record set as prerequisites name it.
type kind struct {
	owner zone.Name
	typ   uint16
}

// checkPrerequisites is RFC 2136 §3.2.5, in its order.
func checkPrerequisites(z *zone.Zone, prerequisites []change) error {
	wanted := make(map[kind][]string)
	for i := range prerequisites {
		c := &prerequisites[i]
		if c.ttl != 0 {
			return formatError
		}
		if !c.owner.Under(z.Origin()) {
			return notInZone
		}
		var err error
		switch c.class {
		case dns.ClassANY:
			err = c.mustExist(z)
		case dns.ClassNONE:
			err = c.mustNotExist(z)
		case dns.ClassINET:
			if c.refused || c.bare || !zone.Storable(c.typ) {
				return formatError
			}
			k := kind{c.owner, c.typ}
			wanted[k] = append(wanted[k], c.rdata)
		default:
			err = formatError
		}
		if err != nil {
			return err
		}
	}
	for k, rdatas := range wanted {
		if z.Set(k.owner, k.typ).Data() != zone.NewRRset(k.typ, 0, rdatas...).Data() { // §2.4.2: without regard to TTL and order
			return refusal(dns.RcodeNXRrset)
		}
	}
	return nil
}

// mustExist is class ANY: a name is in use, or owns a type (§2.4.1, §2.4.4).
func (c *change) mustExist(z *zone.Zone) error {
	switch {
	case !c.bare:
		return formatError
	case c.typ == dns.TypeANY && len(z.Sets(c.owner)) == 0:
		return refusal(dns.RcodeNameError)
	case c.typ != dns.TypeANY && z.Set(c.owner, c.typ).Empty():
		return refusal(dns.RcodeNXRrset)
	}
	return nil
}

// mustNotExist is class NONE (§2.4.3, §2.4.5).
func (c *change) mustNotExist(z *zone.Zone) error {
	switch {
	case !c.bare:
		return formatError
	case c.typ == dns.TypeANY && len(z.Sets(c.owner)) > 0:
		return refusal(dns.RcodeYXDomain)
	case c.typ != dns.TypeANY && !z.Set(c.owner, c.typ).Empty():
		return refusal(dns.RcodeYXRrset)
	}
	return nil
}
