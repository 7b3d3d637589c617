package dnssec

import (
	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// chain brings the chain of denial up to date around the touched owners.
func (w *work) chain() error {
	if w.policy.NSEC3 {
		return w.chain3()
	}
	for _, owner := range w.order() {
		if err := w.link(owner); err != nil {
			return err
		}
		if owner != w.z.Origin() {
			if err := w.link(w.previous(owner)); err != nil {
				return err
			}
		}
	}
	return nil
}

// listed reports whether an owner is in the chain: it has records of this zone, or is where the zone ends
// (RFC 4035 §2.3).
func listed(z *zone.Zone, owner zone.Name, sets []zone.RRset) bool {
	if !records(sets) {
		return false
	}
	switch z.Standing(owner) {
	case zone.Within, zone.Delegation:
		return true
	}
	return false
}

// records reports whether sets hold more than what signing made.
func records(sets []zone.RRset) bool {
	for _, set := range sets {
		switch set.Type {
		case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3:
		default:
			return true
		}
	}
	return false
}

// previous returns the owner before another in the chain. The apex is before all others.
func (w *work) previous(owner zone.Name) zone.Name {
	for before, sets := range w.z.Before(owner) {
		if listed(w.z, before, sets) {
			return before
		}
	}
	return w.z.Origin()
}

// following returns the owner after another in the chain, the apex after the last.
func (w *work) following(owner zone.Name) zone.Name {
	for next, sets := range w.z.From(owner) {
		if next != owner && listed(w.z, next, sets) {
			return next
		}
	}
	return w.z.Origin()
}

// link gives an owner the NSEC that it should have, or takes it away.
func (w *work) link(owner zone.Name) error {
	sets := w.z.Sets(owner)
	want := zone.RRset{Type: dns.TypeNSEC}
	if listed(w.z, owner, sets) {
		rdata := append([]byte(w.following(owner)), bitmap(w.types(owner, sets, dns.TypeNSEC))...)
		want = zone.NewRRset(dns.TypeNSEC, w.denialTTL(), string(rdata))
	}
	if find(sets, dns.TypeNSEC, 0) == want || want.Empty() && find(sets, dns.TypeNSEC, 0).Empty() {
		return nil
	}
	w.touched[owner] = true
	return w.replace(owner, want)
}

// denialTTL is the TTL of denials (RFC 9077).
func (w *work) denialTTL() uint32 {
	soa := w.z.SOA()
	for rdata := range soa.All() {
		if n := len(rdata); n >= 4 {
			minimum := uint32(rdata[n-4])<<24 | uint32(rdata[n-3])<<16 | uint32(rdata[n-2])<<8 | uint32(rdata[n-1])
			return min(minimum, soa.TTL)
		}
	}
	return soa.TTL
}

// types returns the types that the denial of an owner lists, which itself is of type denial: 0 for none.
func (w *work) types(owner zone.Name, sets []zone.RRset, denial uint16) map[uint16]bool {
	standing := w.z.Standing(owner)
	out := make(map[uint16]bool)
	for _, set := range sets {
		switch set.Type {
		case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3:
			continue
		}
		if standing == zone.Delegation && set.Type != dns.TypeNS && set.Type != dns.TypeDS {
			continue // glue
		}
		out[set.Type] = true
		if w.signed(standing, owner, set) {
			out[dns.TypeRRSIG] = true
		}
	}
	if denial == dns.TypeNSEC {
		out[dns.TypeNSEC], out[dns.TypeRRSIG] = true, true
	}
	return out
}

// bitmap writes types as NSEC and NSEC3 do (RFC 4034 §4.1.2).
func bitmap(types map[uint16]bool) []byte {
	var windows [256][]byte
	for typ := range types {
		block, at := typ>>8, int(typ&0xff)
		for len(windows[block]) <= at/8 {
			windows[block] = append(windows[block], 0)
		}
		windows[block][at/8] |= 0x80 >> (at % 8)
	}
	var out []byte
	for block, bits := range windows {
		if len(bits) > 0 {
			out = append(append(out, byte(block), byte(len(bits))), bits...)
		}
	}
	return out
}
