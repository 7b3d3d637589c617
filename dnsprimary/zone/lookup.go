package zone

import "github.com/miekg/dns"

// maxChain bounds how many CNAME and DNAME one answer follows. A resolver goes on from where it ends.
const maxChain = 16

// Answer answers a question for a name under the origin (RFC 1034 §4.3.2), over whatever a held before.
func (z *Zone) Answer(a *Answer, name Name, typ uint16) {
	a.Reset()
	for range maxChain {
		next := z.step(a, name, typ)
		if next == "" || !next.Under(z.origin) || a.has(next, dns.TypeCNAME) {
			return
		}
		name = next
	}
}

// place is where a name is found in the zone.
type place struct {
	name     Name
	sets     []RRset
	exists   bool // as an owner, or as an empty non-terminal
	enclosed int  // length of the key of the name itself if it exists, otherwise of its closest encloser
	above    int  // how many labels the name has more than that
}

// locate finds a name by its key, looking neither at cuts nor at wildcards.
func (z *Zone) locate(name Name, key []byte) place {
	p := place{name: name}
	at, before := z.root.around(key)
	if at != nil && len(at.key) == len(key) && at.key == string(key) {
		if z.hashOwner(at) {
			at = z.root.after(key)
		} else {
			p.sets = at.sets
		}
	}
	if at != nil && !z.hashOwner(at) {
		p.enclosed = shared(key, at.key)
	}
	if before != nil && !z.hashOwner(before) {
		p.enclosed = max(p.enclosed, shared(key, before.key))
	}
	// What begins with the key is the name itself, or makes it an empty non-terminal (RFC 4592 §2.2.2). The apex exists.
	p.exists = p.enclosed == len(key)
	p.above = depth(key[p.enclosed:])
	return p
}

// step answers for one name of a chain. It returns the next one, "" if the answer is complete.
func (z *Zone) step(a *Answer, name Name, typ uint16) Name {
	var buf [keySize]byte
	key := appendKey(buf[:0], name, z.origin)
	p := z.locate(name, key)
	if z.cuts > 0 {
		if next, done := z.crossing(a, &p, key, typ); done {
			return next
		}
	}
	a.Authoritative = true
	if p.exists {
		return z.fromSets(a, &p, "", p.sets, typ)
	}
	if wildcard := z.wildcardBelow(name.Up(p.above)); wildcard != "" {
		if w := z.locate(wildcard, append(key[:p.enclosed], "*\x00"...)); w.exists { // as an empty non-terminal it has no data, and is there
			return z.fromSets(a, &p, wildcard, w.sets, typ)
		}
	}
	a.Rcode = dns.RcodeNameError
	z.deny(a, p.denial(NoName))
	return ""
}

// wildcardBelow returns the wildcard that stands for what is not there below a name, "" if there can be none.
func (z *Zone) wildcardBelow(encloser Name) Name {
	if z.stars == 0 {
		return ""
	}
	return encloser.Wildcard()
}

func (p *place) denial(what Absence) Denial {
	return Denial{what, p.name, p.name.Up(p.above), p.name.Up(max(p.above-1, 0))}
}

// crossing looks for a cut or a DNAME on the way from the apex down to the name. done says that it answered.
func (z *Zone) crossing(a *Answer, p *place, key []byte, typ uint16) (next Name, done bool) {
	for length := 0; length <= p.enclosed; length++ {
		if length > 0 && key[length-1] != 0 {
			continue
		}
		sets := p.sets
		if length < len(key) {
			sets, _ = z.root.get(key[:length])
		}
		if ns := find(sets, dns.TypeNS); length > 0 && !ns.Empty() {
			if length == len(key) && typ == dns.TypeDS {
				return "", false // RFC 4035 §3.1.4.1: DS belongs to the side above the cut
			}
			z.refer(a, p.name.Up(depth(key[length:])), ns, sets)
			return "", true
		}
		if dname := find(sets, dns.TypeDNAME); length < len(key) && !dname.Empty() {
			return z.redirect(a, p, p.name.Up(depth(key[length:])), dname, typ), true
		}
	}
	return "", false
}

// refer answers with the servers of the zone below a cut.
func (z *Zone) refer(a *Answer, cut Name, ns RRset, sets []RRset) {
	a.Cut = cut
	a.Authority = append(a.Authority, Fact{Owner: cut, Set: ns})
	if find(sets, dns.TypeDS).Empty() {
		a.Denials = append(a.Denials, Denial{Absence: NoDS, Name: cut})
	}
	for _, inside := range [...]bool{true, false} { // what is needed comes first, so that nothing takes its room
		looked, most := 0, maxAdditional
		if inside {
			most = maxGlue
		}
		for rdata := range ns.All() {
			server := target(dns.TypeNS, rdata)
			if server.Under(cut) != inside {
				continue
			}
			if looked++; looked > most {
				break
			}
			z.addAddresses(a, server, true, inside)
		}
	}
}

// redirect answers with a DNAME above the name, and the CNAME that it means (RFC 6672 §3.2).
func (z *Zone) redirect(a *Answer, p *place, owner Name, dname RRset, typ uint16) Name {
	a.Authoritative = true
	if !a.has(owner, dns.TypeDNAME) {
		a.Answer = append(a.Answer, Fact{Owner: owner, Set: dname})
	}
	rdata, _ := CutRdata(dname.data)
	to := p.name[:len(p.name)-len(owner)] + target(dns.TypeDNAME, rdata)
	if len(to) > MaxName {
		a.Rcode = dns.RcodeYXDomain
		return ""
	}
	a.Answer = append(a.Answer, Fact{Owner: p.name, Set: RRset{Type: dns.TypeCNAME, TTL: dname.TTL, data: packRdata(string(to))}, Made: true})
	if typ == dns.TypeCNAME || typ == dns.TypeANY {
		return ""
	}
	return to
}

// fromSets answers from the records of the name itself, or of a wildcard that stands in for it.
func (z *Zone) fromSets(a *Answer, p *place, wildcard Name, sets []RRset, typ uint16) Name {
	set := find(sets, typ)
	switch {
	case typ == dns.TypeANY:
		set = smallest(sets)
	case set.Empty(): // RFC 6840 §4.3: a denial at a CNAME proves nothing, even of what might stand beside it
		set = find(sets, dns.TypeCNAME)
	}
	if set.Empty() {
		what := NoType
		if wildcard != "" {
			what = NoWildType
		}
		z.deny(a, p.denial(what))
		return ""
	}
	if set.Type != dns.TypeDNAME || !a.has(p.name, set.Type) { // a chain may lead to the DNAME that it came by
		a.Answer = append(a.Answer, Fact{Owner: p.name, Set: set, Wildcard: wildcard})
	}
	if wildcard != "" {
		a.Denials = append(a.Denials, p.denial(Expanded))
	}
	if set.Type == dns.TypeCNAME && typ != dns.TypeCNAME && typ != dns.TypeANY {
		rdata, _ := CutRdata(set.data)
		return target(dns.TypeCNAME, rdata)
	}
	z.addTargets(a, p.name, set)
	return ""
}

// smallest returns the set of least data that is no proof: what ANY is answered with (RFC 8482 §4.1).
func smallest(sets []RRset) (least RRset) {
	for _, s := range sets {
		switch s.Type {
		case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM:
			continue
		}
		if least.Empty() || len(s.data) < len(least.data) {
			least = s
		}
	}
	return least
}

// deny adds the SOA for the time in which the absence holds (RFC 2308 §3), and what has to be proved.
func (z *Zone) deny(a *Answer, d Denial) {
	if d.Absence == NoType {
		d.Encloser, d.NextCloser = "", ""
	}
	a.Denials = append(a.Denials, d)
	soa := z.SOA()
	if soa.Empty() {
		return
	}
	if numbers, ok := soaNumbers(soa); ok {
		soa.TTL = min(soa.TTL, numbers[4])
	}
	a.Authority = append(a.Authority, Fact{Owner: z.origin, Set: soa})
}

// Standing says whose a name's records are.
type Standing uint8

// What stands where. Only records that are Within, and NS and DS of a Delegation, belong to the zone's chain of names.
const (
	Within     Standing = iota // the zone's own
	Delegation                 // the owner of NS below the apex: its NS and glue are not signed, its DS is
	Occluded                   // below a cut or a DNAME: glue at best
)

// Standing tells where a name under the origin stands. It need not exist.
func (z *Zone) Standing(name Name) Standing {
	if z.cuts == 0 {
		return Within
	}
	var buf [keySize]byte
	key := appendKey(buf[:0], name, z.origin)
	for length := 0; length <= len(key); length++ {
		if length > 0 && key[length-1] != 0 {
			continue
		}
		sets, _ := z.root.get(key[:length])
		switch below := length < len(key); {
		case length > 0 && !find(sets, dns.TypeNS).Empty() && below, !find(sets, dns.TypeDNAME).Empty() && below:
			return Occluded
		case length > 0 && !find(sets, dns.TypeNS).Empty():
			return Delegation
		}
	}
	return Within
}

// Exists reports whether a name under the origin exists, if only because something lies below it.
func (z *Zone) Exists(name Name) bool {
	var buf [keySize]byte
	return z.locate(name, appendKey(buf[:0], name, z.origin)).exists
}
