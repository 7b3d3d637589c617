package network

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Of RFC 6762: the port, the two groups, how long an address holds in seconds, for a resolver of DNS too (§6.7), and the highest bit of a
// class, which in a question asks for an answer to the asker alone and in an answer says that it is all there is.
const (
	mdnsPort  = 5353
	ttlHost   = 120
	ttlLegacy = 10
	topBit    = 1 << 15
)

func mdnsGroups() (over4, over6 netip.AddrPort) {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{224, 0, 0, 251}), mdnsPort),
		netip.AddrPortFrom(netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0xfb}), mdnsPort)
}

// typeNSEC says which types a name has (RFC 4034 §4); the library does not know it.
const typeNSEC = dnsmessage.Type(47)

// maxMDNS is how long a message may be (RFC 6762 §17).
const maxMDNS = 9000

// claim is a name and what it has on one interface.
type claim struct {
	name      dnsmessage.Name
	addresses []netip.Addr
}

// newClaim returns the claim of LABEL.local.
func newClaim(label string, addresses []netip.Addr) (claim, error) {
	name, err := dnsmessage.NewName(label + ".local.")
	if err != nil {
		return claim{}, fmt.Errorf("naming the box %s: %w", label, err)
	}
	return claim{name, addresses}, nil
}

func (c claim) is(name dnsmessage.Name) bool {
	return strings.EqualFold(c.name.String(), name.String())
}

// records returns what the name has of some type, or of all.
func (c claim) records(wanted dnsmessage.Type, ttl uint32, class dnsmessage.Class) []dnsmessage.Resource {
	var all []dnsmessage.Resource
	for _, a := range c.addresses {
		r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: c.name, Class: class, TTL: ttl}}
		if a.Is4() {
			r.Header.Type, r.Body = dnsmessage.TypeA, &dnsmessage.AResource{A: a.As4()}
		} else {
			r.Header.Type, r.Body = dnsmessage.TypeAAAA, &dnsmessage.AAAAResource{AAAA: a.As16()}
		}
		if wanted == dnsmessage.TypeALL || wanted == r.Header.Type {
			all = append(all, r)
		}
	}
	return all
}

// denial says that the name has nothing but its addresses (RFC 6762 §6.1), so that nobody waits for more.
func (c claim) denial(ttl uint32, class dnsmessage.Class) dnsmessage.Resource {
	var data []byte
	for label := range strings.SplitSeq(strings.TrimSuffix(c.name.String(), "."), ".") {
		data = append(append(data, byte(len(label))), label...)
	}
	bits := make([]byte, dnsmessage.TypeAAAA/8+1)
	for _, r := range c.records(dnsmessage.TypeALL, 0, 0) {
		bits[r.Header.Type/8] |= 0x80 >> (r.Header.Type % 8)
	}
	data = append(append(data, 0, 0, byte(len(bits))), bits...)
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: c.name, Class: class, TTL: ttl, Type: typeNSEC},
		Body:   &dnsmessage.UnknownResource{Type: typeNSEC, Data: data},
	}
}

// reply returns what is to be said to questions, nil if there is nothing. A legacy asker knows only DNS.
func (c claim) reply(asked *dnsmessage.Message, legacy bool) *dnsmessage.Message {
	ttl, class := uint32(ttlHost), dnsmessage.ClassINET|topBit
	if legacy {
		ttl, class = ttlLegacy, dnsmessage.ClassINET
	}
	m := &dnsmessage.Message{Header: dnsmessage.Header{Response: true, Authoritative: true}}
	for _, q := range asked.Questions {
		inet := q.Class&^topBit == dnsmessage.ClassINET || q.Class&^topBit == dnsmessage.ClassANY
		if !inet || !c.is(q.Name) {
			continue
		}
		answers := c.records(q.Type, ttl, class)
		if len(answers) == 0 && !legacy {
			answers = []dnsmessage.Resource{c.denial(ttl, class)}
		}
		for _, r := range answers {
			if !slices.ContainsFunc(m.Answers, func(a dnsmessage.Resource) bool { return same(a, r) }) {
				m.Answers = append(m.Answers, r)
			}
		}
		if legacy {
			m.ID, m.Questions = asked.ID, append(m.Questions, dnsmessage.Question{Name: q.Name, Type: q.Type, Class: q.Class &^ topBit})
		}
	}
	if !legacy {
		m.Answers = slices.DeleteFunc(m.Answers, func(r dnsmessage.Resource) bool { return known(asked.Answers, r) })
	}
	if len(m.Answers) == 0 {
		return nil
	}
	for _, r := range c.records(dnsmessage.TypeALL, ttl, class) {
		if !slices.ContainsFunc(m.Answers, func(a dnsmessage.Resource) bool { return same(a, r) }) {
			m.Additionals = append(m.Additionals, r)
		}
	}
	return m
}

// known reports whether an asker has said that it knows a record, and for longer than half its time (RFC 6762 §7.1).
func known(said []dnsmessage.Resource, r dnsmessage.Resource) bool {
	return slices.ContainsFunc(said, func(s dnsmessage.Resource) bool { return same(s, r) && s.Header.TTL >= r.Header.TTL/2 })
}

// same reports whether two records say the same of the same name.
func same(a, b dnsmessage.Resource) bool {
	return strings.EqualFold(a.Header.Name.String(), b.Header.Name.String()) && bytes.Equal(weight(a), weight(b))
}

// weight returns what RFC 6762 §8.2 compares records by: class, type and data.
func weight(r dnsmessage.Resource) []byte {
	class := r.Header.Class &^ topBit
	b := []byte{byte(class >> 8), byte(class), byte(r.Header.Type >> 8), byte(r.Header.Type)}
	switch body := r.Body.(type) {
	case *dnsmessage.AResource:
		return append(b, body.A[:]...)
	case *dnsmessage.AAAAResource:
		return append(b, body.AAAA[:]...)
	case *dnsmessage.UnknownResource:
		return append(b, body.Data...)
	}
	return b
}

// probe asks whether anybody has the name, and says what it would have (RFC 6762 §8.1).
func (c claim) probe() *dnsmessage.Message {
	return &dnsmessage.Message{
		Questions:   []dnsmessage.Question{{Name: c.name, Type: dnsmessage.TypeALL, Class: dnsmessage.ClassINET | topBit}},
		Authorities: c.records(dnsmessage.TypeALL, ttlHost, dnsmessage.ClassINET),
	}
}

// announcement tells everybody what the name has; with a time of 0, that it has that no more.
func (c claim) announcement(ttl uint32) *dnsmessage.Message {
	return &dnsmessage.Message{
		Header:  dnsmessage.Header{Response: true, Authoritative: true},
		Answers: c.records(dnsmessage.TypeALL, ttl, dnsmessage.ClassINET|topBit),
	}
}

// disputed reports whether somebody else's answer gives the name something that is none of ours. A denial by itself does not: it may be
// our own that somebody passes on.
func (c claim) disputed(m *dnsmessage.Message, ours []netip.Addr) bool {
	return m.Response && slices.ContainsFunc(slices.Concat(m.Answers, m.Additionals), func(r dnsmessage.Resource) bool {
		return c.is(r.Header.Name) && r.Header.Type != typeNSEC && r.Header.TTL > 0 && !isOurs(r, ours)
	})
}

func isOurs(r dnsmessage.Resource, ours []netip.Addr) bool {
	switch body := r.Body.(type) {
	case *dnsmessage.AResource:
		return slices.Contains(ours, netip.AddrFrom4(body.A))
	case *dnsmessage.AAAAResource:
		return slices.Contains(ours, netip.AddrFrom16(body.AAAA))
	}
	return false
}

// yields reports whether somebody else who asks for the name at the same time goes before us: whose records come later in
// the order of RFC 6762 §8.2.
func (c claim) yields(m *dnsmessage.Message) bool {
	asks := slices.ContainsFunc(m.Questions, func(q dnsmessage.Question) bool { return c.is(q.Name) })
	if m.Response || !asks {
		return false
	}
	var theirs, ours [][]byte
	for _, r := range m.Authorities {
		if c.is(r.Header.Name) {
			theirs = append(theirs, weight(r))
		}
	}
	for _, r := range c.records(dnsmessage.TypeALL, ttlHost, dnsmessage.ClassINET) {
		ours = append(ours, weight(r))
	}
	slices.SortFunc(theirs, bytes.Compare)
	slices.SortFunc(ours, bytes.Compare)
	return slices.CompareFunc(ours, theirs, bytes.Compare) < 0
}
