package zone

import "github.com/miekg/dns"

// maxAdditional bounds how many sets an answer adds that nobody asked for, and how many names it looks up for that.
const maxAdditional = 32

// maxGlue bounds how many servers below a cut are given with their addresses. RFC 9471 §3.1 wants them all, and those of
// that many are more than a message of 64 KiB holds with most names.
const maxGlue = 1024

// addTargets adds what the next question would be for: addresses of the names in a set (RFC 1035 §3.3, RFC 2782,
// RFC 9460 §4.1).
func (z *Zone) addTargets(a *Answer, owner Name, set RRset) {
	switch set.Type {
	case dns.TypeNS, dns.TypeMX, dns.TypeSRV, dns.TypeAFSDB, dns.TypeRT, dns.TypeKX:
		looked := 0
		for rdata := range set.All() {
			if looked++; looked > maxAdditional {
				return
			}
			z.addAddresses(a, target(set.Type, rdata), set.Type == dns.TypeNS, false)
		}
	case dns.TypeSVCB, dns.TypeHTTPS:
		z.addBindings(a, owner, set)
	}
}

// addAddresses adds A and AAAA of a name, if the zone knows them: what stands below a cut only as glue.
func (z *Zone) addAddresses(a *Answer, name Name, glue, needed bool) {
	sets, wildcard := z.addressee(name, glue)
	z.addSet(a, name, wildcard, find(sets, dns.TypeA), needed)
	z.addSet(a, name, wildcard, find(sets, dns.TypeAAAA), needed)
}

func (z *Zone) addSet(a *Answer, name, wildcard Name, set RRset, needed bool) {
	if !set.Empty() && (needed || len(a.Additional) < maxAdditional) && !a.has(name, set.Type) {
		a.Additional = append(a.Additional, Fact{Owner: name, Set: set, Wildcard: wildcard, Needed: needed})
	}
}

// addressee returns the records of a name that another record points to, perhaps a wildcard's.
func (z *Zone) addressee(name Name, glue bool) (sets []RRset, wildcard Name) {
	if name == Root || !name.Under(z.origin) {
		return nil, ""
	}
	if !glue && z.Standing(name) != Within {
		return nil, ""
	}
	var buf [keySize]byte
	p := z.locate(name, appendKey(buf[:0], name, z.origin))
	if p.exists || z.Standing(name) != Within {
		return p.sets, ""
	}
	wildcard = name.Up(p.above).Wildcard()
	return z.Sets(wildcard), wildcard
}

// addBindings adds what a client of SVCB or HTTPS asks for next. In an alias (priority 0) that is the same type at the
// target, and so on; in a service it is the target's addresses, where "." is the owner itself (RFC 9460 §2.5).
func (z *Zone) addBindings(a *Answer, owner Name, set RRset) {
	looked := 0
	for range maxChain / 2 {
		next := Name("")
		for rdata := range set.All() {
			if looked++; looked > maxAdditional {
				return
			}
			to, alias := target(set.Type, rdata), rdata[:2] == "\x00\x00"
			switch {
			case alias && to == Root: // the service does not exist
				continue
			case to == Root:
				to = owner
			case alias:
				next = to
			}
			z.addAddresses(a, to, false, false)
		}
		if next == "" || a.has(next, set.Type) {
			return
		}
		sets, wildcard := z.addressee(next, false)
		owner, set = next, find(sets, set.Type)
		if set.Empty() {
			return
		}
		z.addSet(a, owner, wildcard, set, false)
	}
}
