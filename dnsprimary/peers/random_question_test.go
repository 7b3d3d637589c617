package peers_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// A probe is one message.
type probe struct {
	name             string // as it is spelt
	typ, class       uint16
	opcode           int
	stream           bool
	edns, do, cd, ad bool
	rd               bool
	size             uint16 // of EDNS
	version          uint8  // of EDNS
}

func (q probe) String() string {
	text := fmt.Sprintf("%s %s %s", q.name, dns.Class(q.class), dns.Type(q.typ))
	for _, word := range []struct {
		is   bool
		text string
	}{
		{q.opcode != dns.OpcodeQuery, dns.OpcodeToString[q.opcode]}, {q.stream, "tcp"}, {!q.stream, "udp"}, {q.edns, fmt.Sprintf("edns%d:%d", q.version, q.size)}, {q.do, "do"}, {q.cd, "cd"}, {q.ad, "ad"}, {q.rd, "rd"},
	} {
		if word.is {
			text += " " + word.text
		}
	}
	return text
}

// limit is how long a reply over UDP may be.
func (q probe) limit() int {
	if !q.edns {
		return dns.MinMsgSize
	}
	return min(max(int(q.size), dns.MinMsgSize), 1232)
}

func (q probe) message(id uint16) *dns.Msg {
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Id: id, Opcode: q.opcode, RecursionDesired: q.rd, CheckingDisabled: q.cd, AuthenticatedData: q.ad}}
	m.Question = []dns.Question{{Name: q.name, Qtype: q.typ, Qclass: q.class}}
	if q.edns {
		opt := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
		opt.SetUDPSize(q.size)
		opt.SetDo(q.do)
		opt.SetVersion(q.version)
		m.Extra = append(m.Extra, opt)
	}
	return m
}

// seeded gives the same bytes to the same number.
func seeded(number uint64) *rand.ChaCha8 {
	return rand.NewChaCha8([32]byte{byte(number), byte(number >> 8), byte(number >> 16)})
}

// An examiner makes up questions about a garden.
type examiner struct {
	*rand.Rand
	garden *garden
	owners []domain // of all records and targets, and what exists because of them
	types  map[string][]uint16
}

func newExaminer(seed, number uint64, g *garden) *examiner {
	e := &examiner{Rand: rand.New(rand.NewPCG(seed^0x9e3779b9, number)), garden: g, types: make(map[string][]uint16)}
	e.owners = slices.Clone(g.names) // others ask about the same garden
	for _, p := range g.plots {
		for _, entry := range p.entries {
			owner := parse(entry.owner)
			e.owners = append(e.owners, owner)
			e.types[owner.key()] = append(e.types[owner.key()], typeOf(entry.typ))
		}
	}
	return e
}

// parse returns the labels of a name that is spelt somehow.
func parse(text string) domain {
	var buf [256]byte
	n, err := dns.PackDomainName(text, buf[:], 0, nil, false)
	if err != nil || n == 0 {
		return nil
	}
	return unpack(buf[:n])
}

// unpack returns the labels of a name in wire form, in lower case.
func unpack(wire []byte) (d domain) {
	for at := 0; wire[at] != 0; at += 1 + int(wire[at]) {
		d = append(d, lower(wire[at+1:at+1+int(wire[at])]))
	}
	return d
}

// lower returns bytes with the letters of ASCII in lower case.
func lower(b []byte) string {
	text := slices.Clone(b)
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			text[i] = c | 0x20
		}
	}
	return string(text)
}

// name makes a name that is one of those in the zones, or near to one.
func (e *examiner) name() domain {
	d := e.owners[e.IntN(len(e.owners))]
	label := func() string {
		if e.IntN(3) == 0 {
			odd := oddLabels()
			return odd[e.IntN(len(odd))]
		}
		return string(rune('a' + e.IntN(6)))
	}
	for range 1 + e.IntN(2) {
		switch e.IntN(9) {
		case 0, 1, 2:
		case 3: // beside
			if len(d) > 2 {
				d = d[1:].under(label())
			}
		case 4, 5: // below
			d = d.under(label())
		case 6: // far below
			d = d.under(label(), label(), label())
		case 7: // above
			if len(d) > 2 {
				d = d[1+e.IntN(len(d)-2):]
			}
		case 8: // as long as a name can be
			for room := 255 - d.size(); room >= 2; room = 255 - d.size() {
				n := min(63, room-1)
				if room-1-n == 1 {
					n--
				}
				d = d.under(strings.Repeat("z", n))
			}
			if e.IntN(3) == 0 {
				d = d[1:]
			}
		}
	}
	for d.size() > 255 {
		d = d[1:]
	}
	return d
}

func (e *examiner) typ(d domain) uint16 {
	if types := e.types[d.key()]; len(types) > 0 && e.IntN(2) == 0 {
		return types[e.IntN(len(types))]
	}
	usual := []uint16{dns.TypeA, dns.TypeA, dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeMX, dns.TypeNS, dns.TypeDS, dns.TypeDS, dns.TypeSOA, dns.TypeCNAME, dns.TypeDNAME,
		dns.TypeSRV, dns.TypeHTTPS, dns.TypeSVCB, 65280, dns.TypeANY, dns.TypeNSEC, dns.TypeRRSIG, dns.TypeDNSKEY, dns.TypeNSEC3PARAM, dns.TypeNSEC3, dns.TypeKEY, 64999}
	if e.IntN(60) == 0 {
		usual = []uint16{0, dns.TypeOPT, dns.TypeMAILA, dns.TypeMAILB, dns.TypeTKEY, dns.TypeTSIG, dns.TypeNXNAME, dns.TypeIXFR, dns.TypeAXFR, 254, 65535, 200}
	}
	return usual[e.IntN(len(usual))]
}

func (e *examiner) probe() probe {
	d := e.name()
	q := probe{name: d.text(e.Rand), typ: e.typ(d), class: dns.ClassINET, stream: e.IntN(3) == 0, cd: e.IntN(8) == 0, ad: e.IntN(8) == 0, rd: e.IntN(8) == 0}
	if e.IntN(3) > 0 {
		q.edns, q.do = true, e.IntN(3) > 0
		q.size = []uint16{0, 512, 512, 600, 1232, 1232, 1232, 4096, 65535}[e.IntN(9)]
		if e.IntN(100) == 0 {
			q.version = uint8(1 + e.IntN(255))
		}
	}
	switch e.IntN(150) {
	case 0:
		q.class = []uint16{dns.ClassCHAOS, dns.ClassHESIOD, dns.ClassNONE, dns.ClassANY, 0, 65280}[e.IntN(6)]
		q.stream = q.stream || q.class == dns.ClassCHAOS // over UDP, BIND drops what comes often
	case 1:
		q.opcode = []int{1, 2, 3, 6, 7, 15}[e.IntN(6)]
	}
	return q
}
