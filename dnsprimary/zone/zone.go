// Package zone holds one DNS zone as an immutable value: look up, update, diff, read, print.
//
// A Zone never changes. Edit gives a copy that shares all its pages with the original, changes those that must
// change, and becomes a Zone of its own, so that a server answers from one version while the next is made, and a
// history of versions costs what their differences are.
//
// # Names
//
// A Name is a domain name in wire form and lower case, as a string: "\x03www\x07example\x00". Owner names, and the
// names inside the rdata of the types that RFC 4034 §6.2 lists, are kept in lower case; so equal records are equal
// bytes, and the canonical form that signatures need is the only one there is. An answer repeats the question's case.
//
// # Order
//
// Inside a zone an owner has a key: its labels below the apex, the last one first, each with the bytes 00 and 01
// written as 01 01 and 01 02, and a 00 behind it. The apex has the empty key. Keys compare as bytes like their names
// do in canonical order (RFC 4034 §6.1), and what lies below a name are the keys that begin with its key: that is how
// empty non-terminals, closest enclosers and cuts are found with one descent of the tree.
//
// # Record sets
//
// An RRset is a type, a TTL, and the rdata of its records, each behind its length in two bytes, in canonical order
// (RFC 4034 §6.3) and without duplicates. Signatures (RRSIG) of different types are different sets, since each has the
// TTL of what it covers (RFC 4034 §3).
//
// # Answers
//
// Zone.Answer is the algorithm of RFC 1034 §4.3.2 with RFC 4592 (wildcards), RFC 6672 (DNAME) and RFC 8482 (ANY). It
// knows nothing of messages, and adds no proofs; but an Answer says which facts came from which wildcard, where the
// zone ends, and, as Denials, what does not exist and why, so that a signer adds RRSIG, NSEC and NSEC3 by it.
//
// # In storage
//
// Outside memory a zone is a map, one entry for each record set. The key is the owner's key as above, 00, the type in
// two bytes, and for RRSIG the type covered in two more; so entries are in canonical order, and those of one owner are
// together. The value is the TTL in four bytes and the records as in memory: each rdata behind its length in two bytes,
// in canonical order. Numbers have their highest byte first. In the zone example.org.
//
//	www.example.org. 3600 IN A 192.0.2.7
//	www.example.org. 3600 IN A 192.0.2.1
//
// is the entry
//
//	77777700 00 0001                            "www", end of the name, A
//	00000e10 0004 c0000201 0004 c0000207        3600 seconds, two records
//
// The origin is not in the map; it is in the name under which the map is kept.
package zone

import "github.com/miekg/dns"

// Zone is one version of a zone. It is never changed, and safe for any number of readers.
type Zone struct {
	origin  Name
	root    *page
	hashed  *page // the owners of NSEC3 alone; nil if there never were any
	owners  int
	records int
	cuts    int // owners of NS below the apex, or of DNAME
	stars   int // owners with a label that begins with an asterisk: without any there are no wildcards to look for
	apex    []RRset
}

// New returns a zone without records.
func New(origin Name) *Zone { return &Zone{origin: origin, root: new(page)} }

// Origin returns the name of the zone's apex.
func (z *Zone) Origin() Name { return z.origin }

// Owners returns how many names own records.
func (z *Zone) Owners() int { return z.owners }

// Records returns how many records the zone has.
func (z *Zone) Records() int { return z.records }

// Sets returns all record sets of a name, in the order of their types. They must not be changed.
func (z *Zone) Sets(owner Name) []RRset {
	if !owner.Under(z.origin) {
		return nil
	}
	var buf [keySize]byte
	sets, _ := z.root.get(appendKey(buf[:0], owner, z.origin))
	return sets
}

// Set returns one record set; an empty one if there is none.
func (z *Zone) Set(owner Name, typ uint16) RRset { return find(z.Sets(owner), typ) }

// SOA returns the record set that holds the zone's SOA; an empty one if there is none.
func (z *Zone) SOA() RRset { return find(z.apex, dns.TypeSOA) }

// Serial returns the SOA's serial number, 0 without a SOA.
func (z *Zone) Serial() uint32 { return SerialOf(z.SOA()) }

// Expire returns the SOA's expire time in seconds, 0 without a SOA.
func (z *Zone) Expire() uint32 {
	numbers, _ := soaNumbers(z.SOA())
	return numbers[3]
}

// SerialOf returns the serial number of a SOA set, 0 if it is empty.
func SerialOf(soa RRset) uint32 {
	numbers, _ := soaNumbers(soa)
	return numbers[0]
}

// soaNumbers returns serial, refresh, retry, expire and minimum.
func soaNumbers(soa RRset) (numbers [5]uint32, ok bool) {
	rdata, _ := CutRdata(soa.data)
	if len(rdata) < soaTail {
		return numbers, false
	}
	tail := rdata[len(rdata)-soaTail:]
	for i := range numbers {
		numbers[i] = uint32(tail[4*i])<<24 | uint32(tail[4*i+1])<<16 | uint32(tail[4*i+2])<<8 | uint32(tail[4*i+3])
	}
	return numbers, true
}

// soaTail is the length of the five numbers at the end of a SOA.
const soaTail = 20

// WithSerial returns a SOA set with another serial number.
func WithSerial(soa RRset, serial uint32) RRset {
	rdata, _ := CutRdata(soa.Data())
	at := len(rdata) - soaTail
	if at < 0 {
		return soa
	}
	number := string([]byte{byte(serial >> 24), byte(serial >> 16), byte(serial >> 8), byte(serial)})
	soa.data = packRdata(rdata[:at] + number + rdata[at+4:])
	return soa
}

// find returns the set of a type, an empty one if there is none.
func find(sets []RRset, typ uint16) RRset {
	for i := range sets {
		if sets[i].Type == typ {
			return sets[i]
		}
	}
	return RRset{}
}
