package dnssec

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// Signer signs one zone. It is never changed: Advance gives another one.
type Signer struct {
	Policy Policy
	Keys   []*Key // in the order in which they were made
}

// errNoKeys is the error of a Signer that cannot sign.
var errNoKeys = errors.New("no key is in use: let the keys be planned first")

// ready reports whether there is what a signed zone must have.
func (s *Signer) ready() error {
	var keys, all bool
	for _, k := range s.Keys {
		keys, all = keys || k.signsKeys(), all || k.signsZone()
	}
	if !keys || !all {
		return errNoKeys
	}
	return nil
}

// Sign returns next as it is to be served, when it follows old, a version that was signed by this Signer or an earlier
// one; nil if there is none. What did not change keeps its signatures. next has its new serial number already.
func (s *Signer) Sign(now time.Time, old, next *zone.Zone) (*zone.Zone, error) {
	if old != nil && !s.denies(old) {
		old = nil // the other kind of denial: all is made anew
	}
	return s.sign(now, old, next, false)
}

// Refresh returns the zone with new signatures where they are near their end, not valid yet, or of keys that do not sign
// any more; and with serial as its serial number if anything changed. Otherwise it returns z itself.
func (s *Signer) Refresh(now time.Time, z *zone.Zone, serial uint32) (*zone.Zone, error) {
	if !s.denies(z) {
		return s.sign(now, nil, withSerial(z, serial), true)
	}
	out, err := s.sign(now, z, z, true)
	if err != nil || out == z {
		return z, err
	}
	return s.sign(now, out, withSerial(out, serial), false)
}

func withSerial(z *zone.Zone, serial uint32) *zone.Zone {
	e := z.Edit()
	if soa := z.SOA(); !soa.Empty() {
		_ = e.Replace(z.Origin(), zone.WithSerial(soa, serial)) // it was a SOA
	}
	return e.Zone()
}

// denies reports whether a zone has the chain that the policy wants, and not the other.
func (s *Signer) denies(z *zone.Zone) bool {
	hashed := !z.Set(z.Origin(), dns.TypeNSEC3PARAM).Empty()
	listed := !z.Set(z.Origin(), dns.TypeNSEC).Empty()
	return hashed == s.Policy.NSEC3 && listed != s.Policy.NSEC3
}

// work is one signing.
type work struct {
	*Signer
	policy  Policy
	now     time.Time
	old     *zone.Zone
	touched map[zone.Name]bool // owners whose records or place in the chain may have changed
	z       *zone.Zone         // what edit has made so far, when it was last looked at
	edit    *zone.Edit
	again   bool // look at the age of signatures
	changed bool
}

func (s *Signer) sign(now time.Time, old, next *zone.Zone, again bool) (*zone.Zone, error) {
	if err := s.ready(); err != nil {
		return nil, fmt.Errorf("signing %s: %w", next.Origin(), err)
	}
	if next.SOA().Empty() {
		return nil, fmt.Errorf("signing %s: it has no SOA", next.Origin())
	}
	w := &work{Signer: s, policy: s.Policy.withDefaults(), now: now, old: old, z: next, edit: next.Edit(), again: again}
	if old == nil {
		if err := w.bare(); err != nil {
			return nil, err
		}
	}
	for _, step := range []func() error{w.apex, w.find, w.chain, w.signatures} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("signing %s: %w", next.Origin(), err)
		}
		w.z = w.edit.Zone()
	}
	if !w.changed && old == next {
		return next, nil
	}
	return w.z, nil
}

// bare takes away all that signers make.
func (w *work) bare() error {
	for owner, sets := range w.z.All() {
		for _, set := range sets {
			if w.Makes(set.Type) {
				if err := w.replace(owner, zone.RRset{Type: set.Type, Covers: set.Covers}); err != nil {
					return err
				}
			}
		}
	}
	w.z = w.edit.Zone()
	return nil
}

// replace puts a set in its place, if it is another.
func (w *work) replace(owner zone.Name, set zone.RRset) error {
	w.changed = true
	return w.edit.Replace(owner, set)
}

// apex puts the keys into the zone, and what is asked of the parent.
func (w *work) apex() error {
	var keys, asked, digests []string
	for _, k := range w.Keys {
		if k.published() {
			keys = append(keys, k.rdata())
		}
	}
	if w.policy.Withdraw { // RFC 8078 §4
		digests, asked = []string{"\x00\x00\x00\x00\x00"}, []string{"\x00\x00\x03\x00\x00"}
	} else if k := w.entry(); k != nil {
		digests, asked = []string{k.ds(w.z.Origin())}, []string{k.rdata()}
	}
	ttl := uint32(w.policy.KeyTTL / time.Second)
	sets := []zone.RRset{
		zone.NewRRset(dns.TypeDNSKEY, ttl, keys...), zone.NewRRset(dns.TypeCDS, ttl, digests...), zone.NewRRset(dns.TypeCDNSKEY, ttl, asked...),
	}
	if w.policy.NSEC3 {
		sets = append(sets, zone.NewRRset(dns.TypeNSEC3PARAM, 0, nsec3Param))
	}
	for _, set := range sets {
		if w.z.Set(w.z.Origin(), set.Type) != set {
			if err := w.replace(w.z.Origin(), set); err != nil {
				return err
			}
		}
	}
	return nil
}

// entry returns the key whose DS the parent should have: the newest that signs keys and was activated.
func (s *Signer) entry() *Key {
	for _, k := range slices.Backward(s.Keys) {
		if k.signsKeys() && !k.Activate.IsZero() && k.Retire.IsZero() {
			return k
		}
	}
	return nil
}

// find finds the owners that must be looked at.
func (w *work) find() error {
	w.touched = map[zone.Name]bool{}
	if w.old == nil || w.again {
		for owner := range w.z.All() {
			w.touched[owner] = true
		}
	}
	if w.old == nil || w.old == w.z {
		return nil
	}
	delta := zone.Diff(w.old, w.z)
	for _, r := range slices.Concat(delta.Removed, delta.Added) {
		w.touched[r.Owner] = true
		if (r.Type == dns.TypeNS && r.Owner != w.z.Origin()) || r.Type == dns.TypeDNAME { // where the zone ends has moved
			for owner := range w.z.From(r.Owner) {
				if !owner.Under(r.Owner) {
					break
				}
				w.touched[owner] = true
			}
		}
	}
	return nil
}

// order returns the touched owners so that the same work gives the same zone.
func (w *work) order() []zone.Name { return slices.Sorted(maps.Keys(w.touched)) }

// signatures makes the signatures that the touched owners lack, and removes what signs nothing.
func (w *work) signatures() error {
	for _, owner := range w.order() {
		sets := w.z.Sets(owner)
		standing := w.z.Standing(owner)
		for _, set := range sets {
			if set.Type == dns.TypeRRSIG {
				if !w.signed(standing, owner, find(sets, set.Covers, 0)) {
					if err := w.replace(owner, zone.RRset{Type: dns.TypeRRSIG, Covers: set.Covers}); err != nil {
						return err
					}
				}
				continue
			}
			if !w.signed(standing, owner, set) || w.keeps(owner, set, find(sets, dns.TypeRRSIG, set.Type)) {
				continue
			}
			signatures, err := w.signatureSet(owner, set)
			if err != nil {
				return err
			}
			if err := w.replace(owner, signatures); err != nil {
				return err
			}
		}
	}
	return nil
}

func find(sets []zone.RRset, typ, covers uint16) zone.RRset {
	for _, set := range sets {
		if set.Type == typ && set.Covers == covers {
			return set
		}
	}
	return zone.RRset{}
}

// signed reports whether a set is to be signed (RFC 4035 §2.2).
func (w *work) signed(standing zone.Standing, owner zone.Name, set zone.RRset) bool {
	switch {
	case set.Empty() || set.Type == dns.TypeRRSIG:
		return false
	case set.Type == dns.TypeNSEC3:
		return true
	case standing == zone.Delegation:
		return set.Type == dns.TypeDS || set.Type == dns.TypeNSEC
	}
	return standing == zone.Within
}

// keeps reports whether signatures are good for a set and need not be made again.
func (w *work) keeps(owner zone.Name, set, signatures zone.RRset) bool {
	if signatures.Empty() || w.old == nil || old(w.old, owner, set) != set {
		return false
	}
	signers := w.signers(set.Type)
	n := 0
	for rdata := range signatures.All() {
		s, ok := parseSignature(rdata)
		if !ok || s.ttl != set.TTL || w.now.Before(s.inception) || w.now.Add(w.policy.Refresh).After(s.expiration) {
			return false
		}
		if !slices.ContainsFunc(signers, func(k *Key) bool { return k.Tag() == s.tag && k.Algorithm == s.algorithm }) {
			return false
		}
		n++
	}
	return n == len(signers)
}

// old returns the set of the same kind in an earlier version.
func old(z *zone.Zone, owner zone.Name, set zone.RRset) zone.RRset {
	return find(z.Sets(owner), set.Type, set.Covers)
}

// signers returns the keys that sign sets of a type.
func (s *Signer) signers(typ uint16) []*Key {
	var all []*Key
	for _, k := range s.Keys {
		switch typ {
		case dns.TypeDNSKEY, dns.TypeCDS, dns.TypeCDNSKEY:
			if k.signsKeys() {
				all = append(all, k)
			}
		default:
			if k.signsZone() {
				all = append(all, k)
			}
		}
	}
	return all
}
