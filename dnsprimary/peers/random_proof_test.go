package peers_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// A validator judges one reply of a signed zone as RFC 4035 §5 and RFC 5155 §8 have it: every set must be signed that is to be,
// everything that is denied must be proved, and nothing more be said than that takes.
type validator struct {
	apex    domain
	keys    []*dns.DNSKEY
	m       *dns.Msg
	answer  map[string][]dns.RR // by owner and type
	denials []*denial
	wrong   []string
}

// A denial is one NSEC or NSEC3.
type denial struct {
	owner, next domain // of NSEC
	hash, last  string // of NSEC3, in base 32
	types       []uint16
	used        bool
}

func (v *validator) fail(format string, args ...any) {
	v.wrong = append(v.wrong, "proof: "+fmt.Sprintf(format, args...))
}

// validate says what is wrong with a reply to a question with DO.
func validate(apex string, keys []*dns.DNSKEY, q probe, m *dns.Msg) []string {
	v := &validator{apex: parse(apex), keys: keys, m: m, answer: make(map[string][]dns.RR)}
	v.signatures(m.Answer, v.answer)
	authority := make(map[string][]dns.RR)
	v.signatures(m.Ns, authority)
	if q.typ == dns.TypeRRSIG && len(m.Answer) > 0 {
		return v.wrong
	}
	for _, rr := range m.Ns {
		switch rr := rr.(type) {
		case *dns.NSEC:
			v.denials = append(v.denials, &denial{owner: parse(rr.Hdr.Name), next: parse(rr.NextDomain), types: rr.TypeBitMap})
		case *dns.NSEC3:
			v.denials = append(v.denials, &denial{hash: strings.ToLower(parse(rr.Hdr.Name)[0]), last: strings.ToLower(rr.NextDomain), types: rr.TypeBitMap})
			if rr.Flags != 0 || rr.Iterations != 0 || rr.Salt != "" {
				v.fail("NSEC3 with flags, iterations or salt (RFC 9276 §3.1)")
			}
		}
	}
	v.follow(parse(q.name), q.typ)
	for _, d := range v.denials {
		if !d.used {
			v.fail("nobody needs the denial %v %v %s", d.owner, d.next, d.hash)
		}
	}
	return v.wrong
}

func kindAt(owner domain, typ uint16) string { return owner.key() + " " + dns.Type(typ).String() }

// signatures checks that each set of a section is signed by the zone, if it is not a referral's or made for a DNAME.
func (v *validator) signatures(section []dns.RR, sets map[string][]dns.RR) {
	signed := make(map[string][]*dns.RRSIG)
	for _, rr := range section {
		owner := parse(rr.Header().Name)
		if sig, ok := rr.(*dns.RRSIG); ok {
			kind := kindAt(owner, sig.TypeCovered)
			signed[kind] = append(signed[kind], sig)
			continue
		}
		kind := kindAt(owner, rr.Header().Rrtype)
		sets[kind] = append(sets[kind], rr)
	}
	for kind, set := range sets {
		h := set[0].Header()
		owner := parse(h.Name)
		switch {
		case h.Rrtype == dns.TypeNS && owner.key() != v.apex.key():
			if len(signed[kind]) > 0 {
				v.fail("the servers of %s are signed by the zone above", kind)
			}
			continue
		case h.Rrtype == dns.TypeCNAME && len(signed[kind]) == 0 && v.renamed(owner):
			continue
		case len(signed[kind]) == 0:
			v.fail("%s is not signed", kind)
		}
		for _, sig := range signed[kind] {
			v.verify(kind, sig, set)
		}
	}
	for kind := range signed {
		if sets[kind] == nil && v.m.Question[0].Qtype != dns.TypeRRSIG {
			v.fail("a signature of %s, which is not there", kind)
		}
	}
}

func (v *validator) verify(kind string, sig *dns.RRSIG, set []dns.RR) {
	for _, key := range v.keys {
		if key.KeyTag() == sig.KeyTag && key.Algorithm == sig.Algorithm {
			if err := sig.Verify(key, set); err != nil {
				v.fail("the signature of %s: %v", kind, err)
			}
			if set[0].Header().Ttl > sig.OrigTtl || sig.Hdr.Ttl != set[0].Header().Ttl {
				v.fail("%s has TTL %d, its signature %d, originally %d", kind, set[0].Header().Ttl, sig.Hdr.Ttl, sig.OrigTtl)
			}
			return
		}
	}
	v.fail("the signature of %s is by no key of the zone", kind)
}

// renamed reports whether the answer has a DNAME above a name.
func (v *validator) renamed(name domain) bool { return v.dname(name) != nil }

func (v *validator) dname(name domain) *dns.DNAME {
	for _, rr := range v.m.Answer {
		if d, ok := rr.(*dns.DNAME); ok && below(name, parse(d.Hdr.Name)) {
			return d
		}
	}
	return nil
}

// below reports whether a name is truly below another.
func below(name, above domain) bool {
	return len(name) > len(above) && domain(name[len(name)-len(above):]).key() == above.key()
}

// follow goes along the chain of the answer to its end, and wants what must be proved on the way.
func (v *validator) follow(name domain, typ uint16) {
	seen := make(map[string]bool)
	for {
		if name.key() != v.apex.key() && !below(name, v.apex) {
			return // another zone's
		}
		if set := v.answer[kindAt(name, typ)]; set != nil || typ == dns.TypeANY && v.any(name) {
			v.expanded(name, typ)
			return
		}
		if set := v.answer[kindAt(name, dns.TypeCNAME)]; set != nil {
			if typ == dns.TypeANY {
				return
			}
			if d := v.dname(name); d == nil {
				v.expanded(name, dns.TypeCNAME)
			}
			seen[name.key()] = true
			if name = parse(set[0].(*dns.CNAME).Target); seen[name.key()] {
				return
			}
			continue
		}
		v.end(name, typ)
		return
	}
}

func (v *validator) any(name domain) bool {
	for kind := range v.answer {
		if strings.HasPrefix(kind, name.key()+" ") {
			return true
		}
	}
	return false
}

// expanded wants a proof that a name does not exist itself, if a wildcard gave its records (RFC 4035 §3.1.3.3, RFC 5155 §7.2.6).
func (v *validator) expanded(name domain, typ uint16) {
	for _, rr := range v.m.Answer {
		sig, ok := rr.(*dns.RRSIG)
		if !ok || parse(sig.Hdr.Name).key() != name.key() || sig.TypeCovered != typ && typ != dns.TypeANY {
			continue
		}
		labels := len(name)
		if name[0] == "*" {
			labels--
		}
		if int(sig.Labels) < labels {
			v.covered(name[len(name)-int(sig.Labels)-1:], "next closer than a wildcard")
		}
		return
	}
}

// end wants what ends a chain without data: a referral, no such type, no such name.
func (v *validator) end(name domain, typ uint16) {
	for _, rr := range v.m.Ns {
		if cut := parse(rr.Header().Name); rr.Header().Rrtype == dns.TypeNS && cut.key() != v.apex.key() {
			v.referred(cut)
			return
		}
	}
	const longest = 16 // links of a chain that are followed; a resolver goes on (RFC 1034 §5.3.3)
	left := 0
	for _, rr := range v.m.Answer {
		if rr.Header().Rrtype == dns.TypeCNAME {
			left++
		}
	}
	if v.m.Rcode == dns.RcodeYXDomain || left == longest && !slices.ContainsFunc(v.m.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA }) || len(v.m.Ns) == 0 && len(v.m.Answer) > 0 && (v.renamed(name) || len(v.answer) < len(v.m.Answer)) {
		return // too long, or a loop or a chain that was left
	}
	if !slices.ContainsFunc(v.m.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA }) {
		v.fail("a denial without SOA (RFC 2308 §2)")
	}
	if v.m.Rcode == dns.RcodeNameError {
		encloser := v.encloser(name)
		if encloser == nil {
			return
		}
		v.covered(encloser.under("*"), "the wildcard")
		return
	}
	if d := v.matching(name); d != nil {
		d.used = true
		v.lacks(d, typ, name)
		return
	}
	for _, d := range v.denials { // an empty non-terminal
		if d.owner != nil && d.covers(name) && below(d.next, name) {
			d.used = true
			return
		}
	}
	encloser := v.encloser(name)
	if encloser == nil {
		return
	}
	wildcard := encloser.under("*")
	d := v.matching(wildcard)
	if d == nil {
		for _, e := range v.denials { // a wildcard that is an empty non-terminal
			if e.owner != nil && e.covers(wildcard) && below(e.next, wildcard) {
				e.used = true
				return
			}
		}
		v.fail("nothing proves what types %s lacks", wildcard.key())
		return
	}
	d.used = true
	v.lacks(d, typ, wildcard)
}

func (v *validator) lacks(d *denial, typ uint16, name domain) {
	if slices.Contains(d.types, typ) || slices.Contains(d.types, dns.TypeCNAME) {
		v.fail("the denial of %s %s has the type, or CNAME", name.key(), dns.Type(typ))
	}
	if slices.Contains(d.types, dns.TypeNS) != slices.Contains(d.types, dns.TypeSOA) && typ != dns.TypeDS {
		v.fail("the denial at %s is of the zone above", name.key())
	}
}

// referred wants the DS of a cut, or a proof that there is none (RFC 4035 §3.1.4).
func (v *validator) referred(cut domain) {
	if slices.ContainsFunc(v.m.Ns, func(rr dns.RR) bool {
		return rr.Header().Rrtype == dns.TypeDS && parse(rr.Header().Name).key() == cut.key()
	}) {
		return
	}
	d := v.matching(cut)
	if d == nil {
		v.fail("nothing proves that %s has no DS", cut.key())
		return
	}
	d.used = true
	if slices.Contains(d.types, dns.TypeDS) || slices.Contains(d.types, dns.TypeSOA) || !slices.Contains(d.types, dns.TypeNS) {
		v.fail("the denial of DS at %s has the types %v", cut.key(), d.types)
	}
}

func hashed(name domain) string {
	return strings.ToLower(dns.HashName(name.text(nil), dns.SHA1, 0, ""))
}

// matching returns the denial whose owner a name is.
func (v *validator) matching(name domain) *denial {
	for _, d := range v.denials {
		if d.owner != nil && d.owner.key() == name.key() || d.hash != "" && d.hash == hashed(name) {
			return d
		}
	}
	return nil
}

// encloser returns the closest name above one that is proved to exist, while the next closer one is proved not to.
func (v *validator) encloser(name domain) domain {
	for up := 1; len(name)-up >= len(v.apex); up++ {
		above := name[up:]
		for _, d := range v.denials {
			if d.owner != nil && d.covers(name) && (above.key() == d.owner.key() || below(d.owner, above) || above.key() == d.next.key() || below(d.next, above)) {
				d.used = true
				v.allows(d, name)
				return above
			}
		}
		if d := v.matching(above); d != nil && d.hash != "" {
			d.used = true
			v.allows(d, name)
			v.covered(name[up-1:], "next closer")
			return above
		}
	}
	v.fail("nothing proves what is closest to %s", name.key())
	return nil
}

// covered wants a denial that covers a name.
func (v *validator) covered(name domain, what string) {
	for _, d := range v.denials {
		if d.covers(name) {
			d.used = true
			if d.owner != nil {
				v.allows(d, name)
			}
			return
		}
	}
	v.fail("%s, %s, is not proved absent", what, name.key())
}

// allows checks that a denial may speak of what is below its owner (RFC 6840 §4.1, RFC 5155 §8.3).
func (v *validator) allows(d *denial, name domain) {
	cut := slices.Contains(d.types, dns.TypeNS) && !slices.Contains(d.types, dns.TypeSOA)
	if (cut || slices.Contains(d.types, dns.TypeDNAME)) && (d.owner == nil || below(name, d.owner)) {
		v.fail("the denial of %s is at a cut or DNAME above it", name.key())
	}
}

func (d *denial) covers(name domain) bool {
	if d.owner == nil {
		h := hashed(name)
		if d.hash < d.last {
			return d.hash < h && h < d.last
		}
		return h > d.hash || h < d.last
	}
	if canonical(d.owner, d.next) < 0 {
		return canonical(d.owner, name) < 0 && canonical(name, d.next) < 0
	}
	return canonical(d.owner, name) < 0 // the last one
}

// canonical is the order of RFC 4034 §6.1.
func canonical(a, b domain) int {
	for i := 1; i <= len(a) && i <= len(b); i++ {
		if c := strings.Compare(a[len(a)-i], b[len(b)-i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// weakened takes each denial and each signature out of an answer that is proved, which must not be proved any more then; and
// says for which it is.
func weakened(apex string, keys []*dns.DNSKEY, q probe, m *dns.Msg) (wrong []string) {
	if q.typ == dns.TypeRRSIG {
		return nil
	}
	for i, section := range []*[]dns.RR{&m.Answer, &m.Ns} {
		for at, rr := range *section {
			switch rr.Header().Rrtype {
			case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3:
			default:
				continue
			}
			less := *m
			rest := slices.Delete(slices.Clone(*section), at, at+1)
			if i == 0 {
				less.Answer = rest
			} else {
				less.Ns = rest
			}
			if len(validate(apex, keys, q, &less)) == 0 {
				wrong = append(wrong, "proof: it is as good without "+rr.String())
			}
		}
	}
	return wrong
}
