package zone

import "github.com/miekg/dns"

// The owners of NSEC3 are also in a tree of their own: their order among each other is that of the hashes, and the
// names between them would make finding the one that covers a hash a long way.

// Hashed returns the NSEC3 of the hash whose owner this is, if exact allows that, or the one before it; before the
// first comes the last (RFC 5155 §7.1). The set is empty if the zone has none.
func (z *Zone) Hashed(owner Name, exact bool) (Name, RRset) {
	if z.hashed == nil || len(z.hashed.entries)+len(z.hashed.children) == 0 || !owner.Under(z.origin) {
		return "", RRset{}
	}
	var buf [keySize]byte
	key := appendKey(buf[:0], owner, z.origin)
	at, before := z.hashed.around(key)
	switch {
	case exact && at != nil && at.key == string(key):
		return owner, find(at.sets, dns.TypeNSEC3)
	case before == nil:
		before = z.hashed.end(-1)
	}
	return nameOfKey(before.key, z.origin), find(before.sets, dns.TypeNSEC3)
}

// putHashed keeps the tree of hashes in step with the zone.
func (e *Edit) putHashed(key []byte, old, sets []RRset) {
	set := find(sets, dns.TypeNSEC3)
	if find(old, dns.TypeNSEC3) == set {
		return
	}
	if e.zone.hashed == nil {
		e.zone.hashed = new(page)
	}
	var kept []RRset
	if !set.Empty() {
		kept = []RRset{set}
	}
	e.zone.hashed = e.zone.hashed.with(e.token, key, kept)
}

// hashOwner reports whether an entry's name is there for its NSEC3 only. Such a name does not exist to who asks for it
// or for what is below (RFC 5155 §7.2.8). It stands right below the apex, so no other name is found through it.
func (z *Zone) hashOwner(e *entry) bool {
	if z.hashed == nil || find(e.sets, dns.TypeNSEC3).Empty() {
		return false
	}
	for i := range e.sets {
		if t := e.sets[i].Type; t != dns.TypeNSEC3 && t != dns.TypeRRSIG {
			return false
		}
	}
	return true
}
