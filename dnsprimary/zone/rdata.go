package zone

import (
	"fmt"

	"github.com/miekg/dns"
)

// shape says where the names in a type's rdata are.
type shape struct {
	before   int  // bytes before the first name
	strings  int  // character strings between those and the first name
	names    int  // how many names follow one another
	lower    bool // RFC 4034 §6.2: their case does not count
	compress bool // RFC 3597 §4: only the types of RFC 1035
}

func shapeOf(typ uint16) shape {
	switch typ {
	case dns.TypeNS, dns.TypeMD, dns.TypeMF, dns.TypeCNAME, dns.TypeMB, dns.TypeMG, dns.TypeMR, dns.TypePTR:
		return shape{names: 1, lower: true, compress: true}
	case dns.TypeSOA, dns.TypeMINFO:
		return shape{names: 2, lower: true, compress: true}
	case dns.TypeMX:
		return shape{before: 2, names: 1, lower: true, compress: true}
	case dns.TypeDNAME:
		return shape{names: 1, lower: true}
	case dns.TypeRP:
		return shape{names: 2, lower: true}
	case dns.TypeAFSDB, dns.TypeRT, dns.TypeKX:
		return shape{before: 2, names: 1, lower: true}
	case dns.TypePX:
		return shape{before: 2, names: 2, lower: true}
	case dns.TypeSRV:
		return shape{before: 6, names: 1, lower: true}
	case dns.TypeNAPTR:
		return shape{before: 4, strings: 3, names: 1, lower: true}
	case dns.TypeRRSIG, dns.TypeSIG:
		return shape{before: 18, names: 1, lower: true}
	case dns.TypeSVCB, dns.TypeHTTPS:
		return shape{before: 2, names: 1}
	}
	return shape{}
}

// Names returns where the names in an rdata of this type begin and end, one after the other, and whether they may be
// compressed in a message. Both are 0 if it has none.
func Names(typ uint16, rdata string) (begin, end int, compress bool) {
	s := shapeOf(typ)
	if s.names == 0 || len(rdata) < s.before {
		return 0, 0, false
	}
	begin = s.before
	for range s.strings {
		if begin >= len(rdata) {
			return 0, 0, false
		}
		begin += 1 + int(rdata[begin])
	}
	end = begin
	for range s.names {
		if end > len(rdata) {
			return 0, 0, false
		}
		n := nameLength(rdata[end:])
		if n == 0 {
			return 0, 0, false
		}
		end += n
	}
	return begin, end, s.compress
}

// target returns the first name in an rdata, in lower case; "" if there is none.
func target(typ uint16, rdata string) Name {
	begin, end, _ := Names(typ, rdata)
	if end == 0 {
		return ""
	}
	n := Name(rdata[begin : begin+nameLength(rdata[begin:end])])
	if shapeOf(typ).lower {
		return n
	}
	lower, _ := NameOf([]byte(n))
	return lower
}

// canonical returns an rdata with the names in lower case whose case does not count.
func canonical(typ uint16, rdata []byte) string {
	if s := shapeOf(typ); s.lower {
		begin, end, _ := Names(typ, string(rdata))
		Lower(rdata[begin:end])
	}
	return string(rdata)
}

// covers returns the type that a signature covers, 0 for other types.
func covers(typ uint16, rdata string) uint16 {
	if typ != dns.TypeRRSIG || len(rdata) < 2 {
		return 0
	}
	return uint16(rdata[0])<<8 | uint16(rdata[1])
}

// Storable reports whether records of this type can be in a zone: not the types that stand for questions or for
// what a message says about itself (RFC 6895 §3.1).
func Storable(typ uint16) bool {
	return typ != 0 && typ != dns.TypeOPT && (typ < 128 || typ > 255)
}

// Record is one record of class IN.
type Record struct {
	Owner Name
	Type  uint16
	TTL   uint32
	Rdata string // wire form, uncompressed, canonical
}

// FromRR reads a record as the message library has it.
func FromRR(rr dns.RR) (Record, error) {
	h := rr.Header()
	if h.Class != dns.ClassINET {
		return Record{}, fmt.Errorf("%s is not of class IN", TypeName(h.Rrtype))
	}
	wire := make([]byte, min(dns.Len(rr)+64, MaxName+10+1<<16))
	end, err := dns.PackRR(rr, wire, 0, nil, false)
	if err != nil {
		return Record{}, fmt.Errorf("the %s record cannot be written in wire form: %w", TypeName(h.Rrtype), err)
	}
	n := nameLength(wire)
	if n == 0 || end < n+10 {
		return Record{}, fmt.Errorf("the owner of the %s record is not a domain name", TypeName(h.Rrtype))
	}
	owner, err := NameOf(wire[:n])
	if err != nil {
		return Record{}, err
	}
	r := Record{owner, h.Rrtype, h.Ttl, canonical(h.Rrtype, wire[n+10:end])}
	return r, r.check()
}

// RR returns the record as the message library has it.
func (r Record) RR() (dns.RR, error) {
	wire := make([]byte, 0, len(r.Owner)+10+len(r.Rdata))
	wire = append(wire, r.Owner...)
	wire = append(wire, byte(r.Type>>8), byte(r.Type), 0, dns.ClassINET)
	wire = append(wire, byte(r.TTL>>24), byte(r.TTL>>16), byte(r.TTL>>8), byte(r.TTL))
	wire = append(wire, byte(len(r.Rdata)>>8), byte(len(r.Rdata)))
	wire = append(wire, r.Rdata...)
	rr, _, err := dns.UnpackRR(wire, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the %s record of %s: %w", TypeName(r.Type), r.Owner, err)
	}
	return rr, nil
}

// check reports what is wrong with a record, that the message library does not see.
func (r Record) check() error {
	if !Storable(r.Type) {
		return fmt.Errorf("%s is not a type of records that a zone can have", TypeName(r.Type))
	}
	if _, end, _ := Names(r.Type, r.Rdata); shapeOf(r.Type).names > 0 && end == 0 {
		return fmt.Errorf("the %s record of %s lacks a name", TypeName(r.Type), r.Owner)
	}
	// The library reads a record of any type without rdata, since updates have such; a zone has none.
	if _, known := dns.TypeToRR[r.Type]; known && r.Rdata == "" && r.Type != dns.TypeNULL && r.Type != dns.TypeAPL {
		return fmt.Errorf("the %s record of %s says nothing", TypeName(r.Type), r.Owner)
	}
	return nil
}

// TypeName returns the name of a type, as TYPE65280 if it has none (RFC 3597 §5).
func TypeName(typ uint16) string { return dns.Type(typ).String() }

const (
	typeSOA   = dns.TypeSOA
	typeRRSIG = dns.TypeRRSIG
)
