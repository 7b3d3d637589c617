package dnssec

import (
	"crypto/sha1"
	"encoding/base32"
	"maps"
	"slices"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// The parameters of NSEC3: SHA-1, no flags, no iterations, no salt (RFC 9276 §3.1). In NSEC3 they are followed by the
// length of a hash.
const (
	nsec3Param = "\x01\x00\x00\x00\x00"
	hashSize   = sha1.Size
)

// digest is the hash of a name.
type digest [hashSize]byte

// hashOf hashes a name (RFC 5155 §5). One hash is all: without iterations a question costs one.
func hashOf(name zone.Name) digest {
	var buf [zone.MaxName]byte
	return sha1.Sum(buf[:copy(buf[:], name)])
}

// owner returns the name at which the NSEC3 of a hash is.
func (d digest) owner(origin zone.Name) zone.Name {
	const size = 32 // characters without padding
	var buf [1 + size + zone.MaxName]byte
	buf[0] = size
	base32.HexEncoding.Encode(buf[1:], d[:])
	zone.Lower(buf[:1+size])
	return zone.Name(buf[:1+size+copy(buf[1+size:], origin)])
}

// digestOf returns the hash of which a name is the owner.
func digestOf(owner, origin zone.Name) (d digest, ok bool) {
	const size = 32
	if len(owner) != 1+size+len(origin) || owner[0] != size || owner[1+size:] != origin {
		return d, false
	}
	label := []byte(owner[1 : 1+size])
	for i, c := range label {
		if 'a' <= c && c <= 'v' {
			label[i] = c - 'a' + 'A'
		}
	}
	n, err := base32.HexEncoding.Decode(d[:], label)
	return d, err == nil && n == hashSize
}

// present reports whether a name is in the chain of hashes: an owner of the chain, or an empty name above one.
func present(z *zone.Zone, name zone.Name) bool {
	if sets := z.Sets(name); records(sets) {
		return listed(z, name, sets)
	}
	if z.Standing(name) == zone.Occluded {
		return false
	}
	for below, sets := range z.From(name) { // is there anything below it that is in the chain?
		if below != name && !below.Under(name) {
			return false
		}
		if below != name && listed(z, below, sets) {
			return true
		}
	}
	return false
}

// chain3 brings the chain of hashes up to date.
func (w *work) chain3() error {
	names := make(map[digest]zone.Name)
	for _, owner := range w.order() {
		if _, hashed := digestOf(owner, w.z.Origin()); hashed && !records(w.z.Sets(owner)) {
			continue
		}
		for name := owner; name.Under(w.z.Origin()); name = name.Up(1) {
			h := hashOf(name)
			if _, known := names[h]; known {
				break // and so is all above it
			}
			names[h] = name
			if name == w.z.Origin() {
				break
			}
		}
	}
	if w.old == nil {
		return w.build3(names)
	}
	for _, h := range slices.SortedFunc(maps.Keys(names), func(a, b digest) int { return slices.Compare(a[:], b[:]) }) {
		if err := w.link3(h, names[h]); err != nil {
			return err
		}
	}
	return nil
}

// build3 makes the whole chain.
func (w *work) build3(names map[digest]zone.Name) error {
	var all []digest
	for h, name := range names {
		if present(w.z, name) {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b digest) int { return slices.Compare(a[:], b[:]) })
	for i, h := range all {
		if err := w.put3(h, names[h], all[(i+1)%len(all)]); err != nil {
			return err
		}
	}
	return nil
}

// link3 brings one hash into the chain, out of it, or up to date.
func (w *work) link3(h digest, name zone.Name) error {
	w.z = w.edit.Zone()
	owner := h.owner(w.z.Origin())
	next, there := following3(w.z.Set(owner, dns.TypeNSEC3))
	switch want := present(w.z, name); {
	case want && there:
		return w.put3(h, name, next)
	case want:
		before := w.before3(h)
		next, _ := following3(w.z.Set(before.owner(w.z.Origin()), dns.TypeNSEC3))
		if err := w.turn3(before, h); err != nil {
			return err
		}
		return w.put3(h, name, next)
	case there:
		w.touched[owner] = true
		before := w.before3(h)
		if err := w.replace(owner, zone.RRset{Type: dns.TypeNSEC3}); err != nil {
			return err
		}
		return w.turn3(before, next)
	}
	return nil
}

// before3 returns the hash in the chain before another, the last one before the first.
func (w *work) before3(h digest) digest {
	owner, set := w.z.Hashed(h.owner(w.z.Origin()), false)
	if set.Empty() {
		return h
	}
	d, _ := digestOf(owner, w.z.Origin())
	return d
}

// turn3 makes another hash the one that follows h.
func (w *work) turn3(h, next digest) error {
	owner := h.owner(w.z.Origin())
	set := w.edit.Set(owner, dns.TypeNSEC3)
	for rdata := range set.All() {
		at := len(nsec3Param) + 1
		changed := rdata[:at] + string(next[:]) + rdata[at+hashSize:]
		w.touched[owner] = true
		return w.replace(owner, zone.NewRRset(dns.TypeNSEC3, w.denialTTL(), changed))
	}
	return nil
}

// put3 writes the NSEC3 of a name, if it is another.
func (w *work) put3(h digest, name zone.Name, next digest) error {
	owner := h.owner(w.z.Origin())
	rdata := append([]byte(nsec3Param+string([]byte{hashSize})), next[:]...)
	rdata = append(rdata, bitmap(w.types(name, w.z.Sets(name), 0))...)
	want := zone.NewRRset(dns.TypeNSEC3, w.denialTTL(), string(rdata))
	if w.edit.Set(owner, dns.TypeNSEC3) == want {
		return nil
	}
	w.touched[owner] = true
	return w.replace(owner, want)
}

// following3 returns the next hash of an NSEC3.
func following3(set zone.RRset) (next digest, ok bool) {
	for rdata := range set.All() {
		if at := len(nsec3Param) + 1; len(rdata) >= at+hashSize {
			copy(next[:], rdata[at:])
			return next, true
		}
	}
	return next, false
}
