package primary

import (
	"errors"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// maxRecords bounds a zone, whatever a key may do.
const maxRecords = 1 << 20

// refusal is the rcode that ends an update.
type refusal int

func (r refusal) Error() string { return dns.RcodeToString[int(r)] }

const (
	formatError = refusal(dns.RcodeFormatError)
	notInZone   = refusal(dns.RcodeNotZone)
	refused     = refusal(dns.RcodeRefused)
)

// change is a record of an UPDATE's sections, which by its class says what is meant (RFC 2136 §2.4, §2.5).
type change struct {
	owner   zone.Name
	typ     uint16
	class   uint16
	ttl     uint32
	bare    bool // no rdata
	rdata   string
	refused bool // the rdata is of no record that a zone can have
}

// update carries out an UPDATE in the order of RFC 2136 §3, except that who has no right in the zone at all is refused
// before the prerequisites: they would tell strangers what is there.
func (s *State) update(d *Desk, now time.Time, from Peer, sig *signature) Decision {
	if sig == nil {
		out := fail(s.misplaced(&d.request))
		if out.rcode == dns.RcodeSuccess {
			out = fail(dns.RcodeRefused).because(dns.ExtendedErrorCodeProhibited)
		}
		return s.send(d, now, from, out, nil)
	}
	if rcode, known := s.seen.find(sig); known {
		return s.send(d, now, from, fail(rcode), sig)
	}
	if sig.time < s.seen.floor {
		sig.err = dns.RcodeBadTime
		return s.send(d, now, from, fail(dns.RcodeNotAuth), sig)
	}
	change, err := s.change(&d.request, now, sig.key)
	rcode := dns.RcodeSuccess
	if err != nil {
		rcode = dns.RcodeServerFailure
		if wrong := refusal(0); errors.As(err, &wrong) {
			rcode = int(wrong)
		}
	}
	next := *s
	if change != nil {
		next = *s.serve(change.New)
	}
	mark := Mark{[16]byte(sig.mac), sig.time, rcode}
	next.seen = s.seen.with(now, mark)
	return Decision{Next: &next, Change: change, Mark: &mark, Reply: s.send(d, now, from, fail(rcode), sig).Reply}
}

// misplaced tells what is wrong with the zone that an UPDATE is for (RFC 2136 §3.1).
func (s *State) misplaced(r *request) int {
	switch {
	case r.counts[0] != 1 || r.typ != dns.TypeSOA: // §3.1.1
		return dns.RcodeFormatError
	case s.zones[r.name] == nil || r.class != dns.ClassINET: // §3.1.2
		return dns.RcodeNotAuth
	}
	return dns.RcodeSuccess
}

// change returns the new version that an UPDATE makes, nil if it changes nothing.
func (s *State) change(r *request, now time.Time, key *Key) (*Change, error) {
	if rcode := s.misplaced(r); rcode != dns.RcodeSuccess {
		return nil, refusal(rcode)
	}
	if !key.mayUpdate(r.name) {
		return nil, refused
	}
	h := s.zones[r.name]
	prerequisites, updates, err := r.changes()
	if err != nil {
		return nil, err
	}
	if err := checkPrerequisites(h.Zone, prerequisites); err != nil {
		return nil, err
	}
	if err := prescan(h.Zone, updates); err != nil {
		return nil, err
	}
	if err := permit(h, key, updates); err != nil {
		return nil, err
	}
	e := h.Zone.Edit()
	for i := range updates {
		if err := apply(e, h.Zone.Origin(), &updates[i]); err != nil {
			return nil, err
		}
	}
	return h.follow(now, e.Zone(), key.Name)
}

// changes reads the sections with prerequisites and updates.
func (r *request) changes() (prerequisites, updates []change, err error) {
	at := r.question
	for section := 1; section < 3; section++ {
		for range r.counts[section] {
			c, end, ok := r.readChange(at)
			if !ok {
				return nil, nil, formatError
			}
			at = end
			switch {
			case section == 1:
				prerequisites = append(prerequisites, c)
			case c.bare && c.class != dns.ClassANY && !mayBeEmpty(c.typ): // no record of its type is like that
				return nil, nil, formatError
			default:
				updates = append(updates, c)
			}
		}
	}
	return prerequisites, updates, nil
}

func (r *request) readChange(at int) (c change, end int, ok bool) {
	rr, ok := readResource(r.wire, at)
	if !ok {
		return c, 0, false
	}
	owner, ok := readName(r.wire, at)
	c = change{owner: owner, typ: rr.typ, class: rr.class, ttl: rr.ttl, bare: rr.rdata == rr.end}
	if !ok || c.bare && c.typ != dns.TypeNULL && c.typ != dns.TypeAPL {
		return c, rr.end, ok
	}
	library, _, err := dns.UnpackRR(r.wire[:rr.end], at)
	if err != nil {
		return c, 0, false
	}
	library.Header().Class = dns.ClassINET // whatever the class says about what is meant
	record, err := zone.FromRR(library)
	c.rdata, c.refused = record.Rdata, err != nil
	return c, rr.end, true
}

// permit checks that the key may change what the updates are about (RFC 2136 §3.3).
func permit(h *Hosted, key *Key, updates []change) error {
	origin := h.Zone.Origin()
	for i := range updates {
		c := &updates[i]
		types := []uint16{c.typ}
		if c.typ == dns.TypeANY && !key.mayChange(origin, c.owner, dns.TypeANY) { // then all that is there counts
			types = types[:0]
			for _, set := range h.Zone.Sets(c.owner) {
				if h.Signer == nil || !h.Signer.Makes(set.Type) { // what is the signer's comes back by itself
					types = append(types, set.Type)
				}
			}
			if len(types) == 0 {
				types = append(types, dns.TypeANY)
			}
		}
		for _, typ := range types {
			made := h.Signer != nil && h.Signer.Makes(typ)
			if !key.mayChange(origin, c.owner, typ) || made && c.typ != dns.TypeANY {
				return refused
			}
		}
	}
	return nil
}
