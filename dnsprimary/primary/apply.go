package primary

import (
	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// prescan is RFC 2136 §3.4.1.3: all updates are well-formed, before the first is carried out.
func prescan(z *zone.Zone, updates []change) error {
	for i := range updates {
		c := &updates[i]
		if !c.owner.Under(z.Origin()) {
			return notInZone
		}
		wrong := false
		switch c.class {
		case dns.ClassINET:
			wrong = !zone.Storable(c.typ) || c.bare && c.rdata == "" && !mayBeEmpty(c.typ) || c.refused
		case dns.ClassANY:
			wrong = c.ttl != 0 || !c.bare || c.typ != dns.TypeANY && !zone.Storable(c.typ)
		case dns.ClassNONE:
			wrong = c.ttl != 0 || !zone.Storable(c.typ) || c.refused
		default:
			wrong = true
		}
		if wrong {
			return formatError
		}
	}
	return nil
}

// mayBeEmpty reports whether a record of this type can be without rdata: only types that say so, or are not known.
func mayBeEmpty(typ uint16) bool {
	_, known := dns.TypeToRR[typ]
	return !known || typ == dns.TypeNULL || typ == dns.TypeAPL
}

// apply carries out one update (RFC 2136 §3.4.2.7).
func apply(e *zone.Edit, origin zone.Name, c *change) error {
	switch {
	case c.class == dns.ClassINET:
		return add(e, origin, c)
	case c.class == dns.ClassANY:
		removeSets(e, origin, c)
	default:
		removeRecord(e, origin, c)
	}
	return nil
}

// add is §3.4.2.2: what cannot stand beside what is there is passed over without an error.
func add(e *zone.Edit, origin zone.Name, c *change) error {
	switch {
	case c.typ == dns.TypeSOA:
		now := zone.NewRRset(c.typ, c.ttl, c.rdata)
		if c.owner != origin || !SerialLess(zone.SerialOf(e.Set(origin, dns.TypeSOA)), zone.SerialOf(now)) {
			return nil
		}
		return e.Replace(c.owner, now)
	case c.typ == dns.TypeDS && c.owner == origin: // RFC 4035 §2.4: never at the apex
		return nil
	case c.typ == dns.TypeCNAME:
		for _, set := range e.Sets(c.owner) {
			if !zone.BesideCNAME(set.Type) {
				return nil
			}
		}
		return e.Replace(c.owner, zone.NewRRset(c.typ, c.ttl, c.rdata))
	case !e.Set(c.owner, dns.TypeCNAME).Empty() && !zone.BesideCNAME(c.typ):
		return nil
	case c.typ == dns.TypeDNAME: // RFC 6672 §5.2: there is one, as with CNAME
		return e.Replace(c.owner, zone.NewRRset(c.typ, c.ttl, c.rdata))
	case c.typ == typeWKS:
		replaceWKS(e, c)
	}
	if _, err := e.Add(zone.Record{Owner: c.owner, Type: c.typ, TTL: c.ttl, Rdata: c.rdata}); err != nil {
		return refused // the set would not fit a message
	}
	return nil
}

// typeWKS is RFC 1035 §3.4.2's, which the message library does not know. Its records are the same if address and
// protocol are (RFC 2136 §1.1.5).
const (
	typeWKS = 11
	keyWKS  = 5
)

func replaceWKS(e *zone.Edit, c *change) {
	for rdata := range e.Set(c.owner, typeWKS).All() {
		if len(rdata) >= keyWKS && len(c.rdata) >= keyWKS && rdata[:keyWKS] == c.rdata[:keyWKS] {
			e.Remove(zone.Record{Owner: c.owner, Type: typeWKS, Rdata: rdata})
		}
	}
}

// removeSets is §3.4.2.3: a type, or all. SOA and NS of the apex stay.
func removeSets(e *zone.Edit, origin zone.Name, c *change) {
	for _, set := range e.Sets(c.owner) {
		stays := c.owner == origin && (set.Type == dns.TypeSOA || set.Type == dns.TypeNS)
		if !stays && (c.typ == dns.TypeANY || c.typ == set.Type) {
			e.RemoveSets(c.owner, set.Type)
		}
	}
}

// removeRecord is §3.4.2.4: one record, but not the SOA, nor the last NS of the apex.
func removeRecord(e *zone.Edit, origin zone.Name, c *change) {
	if c.typ == dns.TypeSOA || c.typ == dns.TypeNS && c.owner == origin && e.Set(origin, dns.TypeNS).Len() == 1 {
		return
	}
	e.Remove(zone.Record{Owner: c.owner, Type: c.typ, Rdata: c.rdata})
}
