package zone

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// Edit is a zone in the making. It belongs to one goroutine; the zone that it began with stays as it is.
type Edit struct {
	zone  Zone
	token *token
}

// Edit begins a new version of the zone.
func (z *Zone) Edit() *Edit { return &Edit{*z, new(token)} }

// Zone returns what the edits have made. Later edits do not change it.
func (e *Edit) Zone() *Zone {
	z := e.zone
	z.apex, _ = z.root.get(nil)
	e.token = new(token) // so pages that z has are copied before they are changed
	return &z
}

// Sets returns the record sets of a name as they are now.
func (e *Edit) Sets(owner Name) []RRset { return e.zone.Sets(owner) }

// Set returns one record set as it is now.
func (e *Edit) Set(owner Name, typ uint16) RRset { return e.zone.Set(owner, typ) }

// Add adds a record. The whole set takes its TTL (RFC 2181 §5.2). It reports whether anything changed.
func (e *Edit) Add(r Record) (changed bool, err error) {
	if !r.Owner.Under(e.zone.origin) {
		return false, fmt.Errorf("%s is not in the zone %s", r.Owner, e.zone.origin)
	}
	if !Storable(r.Type) {
		return false, fmt.Errorf("%s is not a type of records that a zone can have", TypeName(r.Type))
	}
	sets := e.zone.Sets(r.Owner)
	old := findKind(sets, r.Type, covers(r.Type, r.Rdata))
	set := old.with(r.Rdata)
	set.TTL = r.TTL
	if !set.fits() {
		return false, fmt.Errorf("the %s records of %s are more than fit a message", TypeName(r.Type), r.Owner)
	}
	if set == old {
		return false, nil
	}
	e.put(r.Owner, sets, replaced(sets, set))
	return true, nil
}

// Replace puts a set in the place of the one of its kind; an empty one removes it.
func (e *Edit) Replace(owner Name, set RRset) error {
	if !owner.Under(e.zone.origin) {
		return fmt.Errorf("%s is not in the zone %s", owner, e.zone.origin)
	}
	if !Storable(set.Type) || !set.fits() {
		return fmt.Errorf("the %s records of %s are of a wrong type or too many", TypeName(set.Type), owner)
	}
	sets := e.zone.Sets(owner)
	e.put(owner, sets, replaced(sets, set))
	return nil
}

// Remove removes one record, whatever its TTL, and reports whether it was there.
func (e *Edit) Remove(r Record) bool {
	sets := e.zone.Sets(r.Owner)
	set := findKind(sets, r.Type, covers(r.Type, r.Rdata))
	less := set.without(r.Rdata)
	if less == set {
		return false
	}
	e.put(r.Owner, sets, replaced(sets, less))
	return true
}

// RemoveSets removes all sets of a type; for RRSIG those of all types covered.
func (e *Edit) RemoveSets(owner Name, typ uint16) {
	sets := e.zone.Sets(owner)
	var rest []RRset
	for _, s := range sets {
		if s.Type != typ {
			rest = append(rest, s)
		}
	}
	if len(rest) < len(sets) {
		e.put(owner, sets, rest)
	}
}

// RemoveName removes all records of a name.
func (e *Edit) RemoveName(owner Name) { e.put(owner, e.zone.Sets(owner), nil) }

// put stores a name's sets, and counts.
func (e *Edit) put(owner Name, old, sets []RRset) {
	if len(old) == 0 && len(sets) == 0 {
		return
	}
	if len(sets) == 0 {
		sets = nil
	}
	z := &e.zone
	var buf [keySize]byte
	key := appendKey(buf[:0], owner, z.origin)
	z.root = z.root.with(e.token, key, sets)
	e.putHashed(key, old, sets)
	z.owners += present(sets) - present(old)
	z.records += count(sets) - count(old)
	z.cuts += z.cut(owner, sets) - z.cut(owner, old)
	if strings.Contains(string(owner), "\x01*") {
		z.stars += present(sets) - present(old)
	}
}

func present(sets []RRset) int { return min(len(sets), 1) }

func count(sets []RRset) (records int) {
	for _, s := range sets {
		records += s.Len()
	}
	return records
}

// cut returns 1 if other rules hold below a name with these sets, otherwise 0.
func (z *Zone) cut(owner Name, sets []RRset) int {
	if !find(sets, dns.TypeDNAME).Empty() || owner != z.origin && !find(sets, dns.TypeNS).Empty() {
		return 1
	}
	return 0
}

// findKind returns the set of a type and, for signatures, a type covered; an empty one of that kind if there is none.
func findKind(sets []RRset, typ, covers uint16) RRset {
	kind := RRset{Type: typ, Covers: covers}
	for _, s := range sets {
		if s.sameKind(kind) {
			return s
		}
	}
	return kind
}
