package zone

import (
	"fmt"
	"iter"
	"slices"
)

// Delta is what changes from one version of a zone to another, as IXFR tells it (RFC 1995 §4). Both lists begin with
// the version's SOA and are in canonical order then. A record whose TTL changed is in both.
type Delta struct {
	Removed, Added []Record
}

// Empty reports whether nothing changes.
func (d Delta) Empty() bool { return len(d.Removed) == 0 && len(d.Added) == 0 }

// change is an owner whose sets are not the same in two zones.
type change struct {
	key  string
	a, b []RRset
}

// changes yields the owners whose sets differ. Leaves that both zones have are passed over without a look.
func changes(a, b *Zone) iter.Seq[change] {
	return func(yield func(change) bool) {
		if a.root == b.root {
			return
		}
		x, y := a.root.seek(nil), b.root.seek(nil)
		for x.entry() != nil || y.entry() != nil {
			if l := x.leaf(); l != nil && l == y.leaf() {
				x.skipLeaf()
				y.skipLeaf()
				continue
			}
			if c, differs := advance(&x, &y); differs && !yield(c) {
				return
			}
		}
	}
}

// advance goes over the first of the entries under two cursors, or over both if they are of the same owner.
func advance(x, y *cursor) (c change, differs bool) {
	e, f := x.entry(), y.entry()
	switch {
	case f == nil || e != nil && e.key < f.key:
		x.next()
		return change{e.key, e.sets, nil}, true
	case e == nil || f.key < e.key:
		y.next()
		return change{f.key, nil, f.sets}, true
	}
	x.next()
	y.next()
	return change{e.key, e.sets, f.sets}, !slices.Equal(e.sets, f.sets)
}

// Diff returns the delta that makes b of a. Both have the same origin.
func Diff(a, b *Zone) Delta {
	var d Delta
	for c := range changes(a, b) {
		owner := nameOfKey(c.key, a.origin)
		eachPair(c.a, c.b, func(old, now RRset) {
			d.Removed = appendMissing(d.Removed, owner, old, now)
			d.Added = appendMissing(d.Added, owner, now, old)
		})
	}
	soaFirst(d.Removed)
	soaFirst(d.Added)
	return d
}

// eachPair calls f for each kind of set that a or b has, with an empty set where one has none.
func eachPair(a, b []RRset, f func(old, now RRset)) {
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].before(b[0]):
			f(a[0], RRset{Type: a[0].Type, Covers: a[0].Covers})
			a = a[1:]
		case len(a) == 0 || b[0].before(a[0]):
			f(RRset{Type: b[0].Type, Covers: b[0].Covers}, b[0])
			b = b[1:]
		default:
			if a[0] != b[0] {
				f(a[0], b[0])
			}
			a, b = a[1:], b[1:]
		}
	}
}

// appendMissing appends the records of have that other has not, or not with this TTL.
func appendMissing(to []Record, owner Name, have, other RRset) []Record {
	for rdata := range have.All() {
		if have.TTL != other.TTL || !other.Has(rdata) {
			to = append(to, Record{owner, have.Type, have.TTL, rdata})
		}
	}
	return to
}

// soaFirst moves the SOA to the beginning.
func soaFirst(records []Record) {
	at := slices.IndexFunc(records, func(r Record) bool { return r.Type == typeSOA })
	if at > 0 {
		soa := records[at]
		copy(records[1:], records[:at])
		records[0] = soa
	}
}

// Apply returns the zone that the delta makes of z. It fails if a record to be removed is not there as the delta has
// it, or one to be added is: then the delta is not for this version.
func (z *Zone) Apply(d Delta) (*Zone, error) {
	e := z.Edit()
	for _, r := range d.Removed {
		if findKind(e.Sets(r.Owner), r.Type, covers(r.Type, r.Rdata)).TTL != r.TTL || !e.Remove(r) {
			return nil, fmt.Errorf("the %s record of %s that the change removes is not in version %d of %s", TypeName(r.Type), r.Owner, z.Serial(), z.origin)
		}
	}
	for _, r := range d.Added {
		old := findKind(e.Sets(r.Owner), r.Type, covers(r.Type, r.Rdata))
		if !old.Empty() && (old.TTL != r.TTL || old.Has(r.Rdata)) {
			return nil, fmt.Errorf("the %s record of %s that the change adds is already in version %d of %s, or has another TTL there", TypeName(r.Type), r.Owner, z.Serial(), z.origin)
		}
		if _, err := e.Add(r); err != nil {
			return nil, fmt.Errorf("applying a change to version %d of %s: %w", z.Serial(), z.origin, err)
		}
	}
	return e.Zone(), nil
}

// Invert returns the delta that undoes d.
func (d Delta) Invert() Delta { return Delta{d.Added, d.Removed} }
