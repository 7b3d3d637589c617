package primary

import (
	"encoding/binary"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

const headerSize = 12

// Bits of the header's second word (RFC 1035 §4.1.1, RFC 4035 §3.2).
const (
	flagResponse      = 1 << 15
	flagAuthoritative = 1 << 10
	flagTruncated     = 1 << 9
	flagRecursion     = 1 << 8 // desired
	flagNoCheck       = 1 << 4
)

// request is a message as far as it must be read to know what it asks.
type request struct {
	wire     []byte
	id       uint16
	flags    uint16
	opcode   int
	counts   [4]int // question, answer, authority, additional
	name     zone.Name
	typ      uint16
	class    uint16
	question int // where the question ends, 0 if there is none that could be read
	edns     edns
	tsig     resource // the signature; at is 0 if there is none
	lower    [zone.MaxName]byte
}

// header reads the header, and reports whether the message may be answered at all.
func (r *request) header(message []byte) bool {
	if len(message) < headerSize {
		return false
	}
	r.wire = message
	r.id = binary.BigEndian.Uint16(message)
	r.flags = binary.BigEndian.Uint16(message[2:])
	r.opcode = int(r.flags>>11) & 15
	for i := range r.counts {
		r.counts[i] = int(binary.BigEndian.Uint16(message[4+2*i:]))
	}
	r.name, r.typ, r.class, r.question = "", 0, 0, 0
	r.edns, r.tsig = edns{}, resource{}
	return r.flags&flagResponse == 0
}

// read reads the rest, and reports whether it is well-formed. RFC 9619: there is one question; or none, in a query that
// asks for a cookie (RFC 7873 §5.4).
func (r *request) read() bool {
	at := headerSize
	if r.counts[0] > 1 {
		return false
	}
	if r.counts[0] == 1 {
		end, ok := r.readQuestion()
		if !ok {
			return false
		}
		at = end
	}
	for section := 1; section < 4; section++ {
		for i := range r.counts[section] {
			rr, ok := readResource(r.wire, at)
			if !ok || !r.note(rr, section, i == r.counts[section]-1) {
				return false
			}
			at = rr.end
		}
	}
	return at == len(r.wire) && (r.counts[0] == 1 || r.opcode == dns.OpcodeQuery && len(r.edns.cookie) > 0)
}

// readQuestion reads the question. Its name cannot be compressed: nothing is before it.
func (r *request) readQuestion() (end int, ok bool) {
	at, wire := headerSize, r.wire
	for {
		if at >= len(wire) || at-headerSize >= zone.MaxName || wire[at] > 63 {
			return 0, false
		}
		if wire[at] == 0 {
			break
		}
		at += 1 + int(wire[at])
	}
	at++
	if at-headerSize > zone.MaxName || at+4 > len(wire) {
		return 0, false
	}
	n := copy(r.lower[:], wire[headerSize:at])
	zone.Lower(r.lower[:n])
	r.name = zone.Name(r.lower[:n])
	r.typ = binary.BigEndian.Uint16(wire[at:])
	r.class = binary.BigEndian.Uint16(wire[at+2:])
	r.question = at + 4
	return r.question, true
}

// note takes OPT and TSIG out of the records, and reports whether they are where they may be (RFC 6891 §6.1.1,
// RFC 8945 §5.1).
func (r *request) note(rr resource, section int, last bool) bool {
	switch rr.typ {
	case dns.TypeOPT:
		return section == 3 && !r.edns.present && rr.owner == rr.head-1 && r.wire[rr.owner] == 0 && r.edns.read(r.wire, rr)
	case dns.TypeTSIG:
		r.tsig = rr
		return section == 3 && last
	}
	return true
}

// resource is where a record is in a message.
type resource struct {
	owner      int // where the owner begins
	head       int // where type, class, TTL and length begin
	rdata, end int
	typ, class uint16
	ttl        uint32
}

func readResource(wire []byte, at int) (rr resource, ok bool) {
	head, ok := skipName(wire, at)
	if !ok || head+10 > len(wire) {
		return rr, false
	}
	rr = resource{
		owner: at, head: head, rdata: head + 10,
		typ:   binary.BigEndian.Uint16(wire[head:]),
		class: binary.BigEndian.Uint16(wire[head+2:]),
		ttl:   binary.BigEndian.Uint32(wire[head+4:]),
	}
	rr.end = rr.rdata + int(binary.BigEndian.Uint16(wire[head+8:]))
	return rr, rr.end <= len(wire)
}

// skipName returns where a name ends that may be compressed.
func skipName(wire []byte, at int) (end int, ok bool) {
	for at < len(wire) {
		switch c := wire[at]; {
		case c == 0:
			return at + 1, true
		case c >= 0xc0:
			return at + 2, at+2 <= len(wire)
		case c > 63:
			return 0, false
		default:
			at += 1 + int(c)
		}
	}
	return 0, false
}

// readName reads a name that may be compressed, in lower case. Pointers lead backwards only, so there is no loop.
func readName(wire []byte, at int) (name zone.Name, ok bool) {
	var buf [zone.MaxName]byte
	n, before := 0, at
	for at < len(wire) {
		c := int(wire[at])
		switch {
		case c >= 0xc0:
			if at+2 > len(wire) {
				return "", false
			}
			to := (c&63)<<8 | int(wire[at+1])
			if to >= before || to < headerSize {
				return "", false
			}
			at, before = to, to
		case c > 63 || at+1+c > len(wire) || n+1+c > zone.MaxName:
			return "", false
		default:
			n += copy(buf[n:], wire[at:at+1+c])
			if at += 1 + c; c == 0 {
				zone.Lower(buf[:n])
				return zone.Name(buf[:n]), true
			}
		}
	}
	return "", false
}
