package peers_test

import (
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// A domain is a name as its labels, the first one first, each as the bytes that it stands for.
type domain []string

func (d domain) under(labels ...string) domain { return append(slices.Clone(labels), d...) }

// size is how long the name is in wire form.
func (d domain) size() int {
	n := 1
	for _, label := range d {
		n += 1 + len(label)
	}
	return n
}

// key is the name as all spellings of it have it.
func (d domain) key() string { return strings.ToLower(d.text(nil)) }

// text writes the name with its last dot. With a source of chance, letters change their case and bytes are written in one
// of the ways of RFC 1035 §5.1 that mean them.
func (d domain) text(chance *rand.Rand) string {
	var b strings.Builder
	for _, label := range d {
		for i := range len(label) {
			c := label[i]
			letter := 'a' <= c|0x20 && c|0x20 <= 'z'
			switch {
			case letter && chance != nil && chance.IntN(8) == 0:
				b.WriteByte(c ^ 0x20)
			case letter, '0' <= c && c <= '9', c == '-', c == '_', c == '*':
				if chance != nil && c != '*' && chance.IntN(40) == 0 {
					fmt.Fprintf(&b, `\%03d`, c)
					continue
				}
				b.WriteByte(c)
			case c > ' ' && c < 0x7f && c != '[' && chance != nil && chance.IntN(2) == 0: // BIND knows \[ as what RFC 6891 §5 did away with
				b.WriteString(`\` + string(rune(c)))
			default:
				fmt.Fprintf(&b, `\%03d`, c)
			}
		}
		b.WriteByte('.')
	}
	if len(d) == 0 {
		return "."
	}
	return b.String()
}

// entry is one line of a zone file.
type entry struct{ owner, ttl, typ, rdata string }

func (e entry) String() string { return e.owner + "\t" + e.ttl + "\tIN\t" + e.typ + "\t" + e.rdata }

// normal is the record as it comes out of a message, in lower case.
func (e entry) normal() string {
	var buf [2048]byte
	rr, err := dns.NewRR(e.String())
	if err != nil || rr == nil {
		return ""
	}
	n, err := dns.PackRR(rr, buf[:], 0, nil, false)
	if err != nil {
		return ""
	}
	if rr, _, err = dns.UnpackRR(buf[:n], 0); err != nil {
		return ""
	}
	return strings.ToLower(rr.String())
}

// A plot is a zone that chance makes.
type plot struct {
	origin  string // in lower case, with its last dot
	entries []entry
	denial  string // how it is signed: "", "NSEC" or "NSEC3"
	keys    int    // which kind of keys it has then
}

// text writes the zone file, each line in one of the ways of RFC 1035 §5.1; in the same way each time.
func (p *plot) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "$ORIGIN %s\n$TTL 777\n", p.origin)
	last := ""
	for _, e := range p.entries {
		h := fnv.New64a()
		_, _ = io.WriteString(h, e.String()) // never fails
		e.write(&b, rand.New(rand.NewPCG(h.Sum64(), 0)), parse(p.origin), e.owner == last)
		last = e.owner
	}
	return b.String()
}

// write writes one line, or what parentheses make of it.
func (e entry) write(b *strings.Builder, chance *rand.Rand, origin domain, again bool) {
	owner := e.owner
	if d := parse(owner); chance.IntN(2) == 0 && (d.key() == origin.key() || below(d, origin)) {
		if owner = strings.TrimSuffix(d[:len(d)-len(origin)].text(chance), "."); owner == "" {
			owner = "@"
		}
	}
	if again && chance.IntN(2) == 0 {
		owner = ""
	}
	between := func() string { return []string{" ", "\t", "  "}[chance.IntN(3)] }
	head := []string{e.ttl + between() + "IN", "IN" + between() + e.ttl, e.ttl}[chance.IntN(3)]
	typ, rdata := e.typ, e.rdata
	if chance.IntN(4) == 0 {
		typ = strings.ToLower(typ)
	}
	switch chance.IntN(8) {
	case 0:
		rdata = "( ; a comment, with ( and \" in it\n\t" + rdata + "\n)"
	case 1:
		rdata += " ; the end)"
	case 2:
		rdata = "(" + rdata + ")"
	}
	fmt.Fprintf(b, "%s%s%s%s%s%s%s\n", owner, between(), head, between(), typ, between(), rdata)
}

// A planter makes one zone. Every name that is used once is likely to be used again.
type planter struct {
	*rand.Rand
	apex   domain
	plot   *plot
	owners map[string]map[string]bool // the types of each name, by key
	ttls   map[string]int             // of each set, by key and type
	names  []domain                   // all that was thought of, inside and outside
	cuts   []domain
	even   bool // no set has several TTLs
	loose  bool // there may be names below DNAME, with which only BIND and we load a zone
}

// oddLabels are labels that somebody may get wrong.
func oddLabels() []string {
	return []string{"*", "*", "*", "\x00", "\xff", "a.b", `x\y`, "a b", `"`, "@", "(", ";", "$ttl", "_tcp", "*a", "a*", "Upper", "0", "-", strings.Repeat("l", 63), strings.Repeat("*", 63),
		"\x01", "\x02a", "\x00\x00", "[", "`", "{", "\x7f", "\x80"}
}

func (p *planter) label() string {
	if p.IntN(4) == 0 {
		odd := oddLabels()
		return odd[p.IntN(len(odd))]
	}
	return string(rune('a' + p.IntN(5)))
}

// below returns a name of a few labels more, if that is not too long.
func (p *planter) below(d domain) domain {
	for range 1 + p.IntN(2)*p.IntN(3) {
		if next := d.under(p.label()); next.size() <= 255 {
			d = next
		}
	}
	return d
}

// long returns a name below d of nearly or exactly the greatest size.
func (p *planter) long(d domain) domain {
	room := 255 - d.size() - p.IntN(4)
	for room >= 2 {
		n := min(63, room-1)
		if room-1-n == 1 { // one byte would be left, which is no label
			n--
		}
		d = d.under(strings.Repeat(string(rune('a'+p.IntN(3))), n))
		room -= n + 1
	}
	return d
}

// owner returns a name inside the zone.
func (p *planter) owner() (d domain) {
	switch p.IntN(12) {
	case 0:
		d = p.apex
	case 1:
		d = p.long(p.apex)
	case 2, 3, 4:
		d = p.below(p.inside())
	case 5:
		if len(p.cuts) > 0 {
			d = p.below(p.cuts[p.IntN(len(p.cuts))])
			break
		}
		fallthrough
	case 6, 7:
		d = p.inside()
	default:
		d = p.below(p.apex)
	}
	if d.size() > 255 {
		d = p.apex
	}
	p.names = append(p.names, d)
	return d
}

// inside returns a name of the zone that was thought of before.
func (p *planter) inside() domain {
	for range 10 {
		if d := p.names[p.IntN(len(p.names))]; len(d) >= len(p.apex) && strings.HasSuffix("."+d.key(), "."+p.apex.key()) {
			return d
		}
	}
	return p.apex
}

// target returns a name to which a record points.
func (p *planter) target() domain {
	switch p.IntN(10) {
	case 0:
		return p.below(domain{"elsewhere", "invalid"})
	case 1, 2:
		return p.owner()
	}
	return p.names[p.IntN(len(p.names))]
}

// add adds a record unless the zone would not be one with it.
func (p *planter) add(owner domain, typ, rdata string) bool {
	key := owner.key()
	has := p.owners[key]
	switch {
	case has["CNAME"], typ == "CNAME" && len(has) > 0, typ == "DNAME" && (has["DNAME"] || has["NS"] && key != p.apex.key()), typ == "NS" && key != p.apex.key() && has["DNAME"]:
		return false
	case !p.loose && (p.belowDNAME(owner) || typ == "DNAME" && p.hasBelow(owner)):
		return false
	case typ == "DNAME" && p.owners[p.apex.under("ns").key()] != nil && key == p.apex.key():
		return false
	case typ == "DS" && key == p.apex.key(): // RFC 4035 §2.4
		return false
	case (typ == "NS" || typ == "DNAME") && len(owner) > 0 && owner[0] == "*" && p.IntN(8) > 0: // what that means is open (RFC 4592 §4.2, §4.4)
		return false
	}
	if has == nil {
		has = make(map[string]bool)
		p.owners[key] = has
	}
	has[typ] = true
	ttl, set := p.ttls[key+typ]
	if !set {
		ttl = []int{0, 1, 60, 300, 3600, 86400, 1<<31 - 1}[p.IntN(7)]
		p.ttls[key+typ] = ttl
	} else if p.IntN(30) == 0 && !p.even {
		ttl = 1 + p.IntN(5000) // not allowed in a set (RFC 2181 §5.2), but it happens
	}
	p.plot.entries = append(p.plot.entries, entry{owner.text(p.Rand), fmt.Sprint(ttl), typ, rdata})
	return true
}

func (p *planter) address() (typ, rdata string) {
	if p.IntN(2) == 0 {
		return "A", fmt.Sprintf("192.0.2.%d", p.IntN(256))
	}
	return "AAAA", fmt.Sprintf("2001:db8::%x", p.IntN(1<<16))
}

func (p *planter) hex(n int) string {
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, "%02x", p.IntN(256))
	}
	return b.String()
}

func (p *planter) string() string {
	var b strings.Builder
	for range p.IntN(20) {
		switch c := p.IntN(256); {
		case c > ' ' && c < 0x7f && c != '"' && c != '\\':
			b.WriteString(strings.ToLower(string(rune(c))))
		default:
			fmt.Fprintf(&b, `\%03d`, c)
		}
	}
	return `"` + b.String() + `"`
}

// anything returns a record of a type that has no rules about where it stands.
func (p *planter) anything() (typ, rdata string) {
	to := func() string { return p.target().text(p.Rand) }
	switch p.IntN(26) {
	case 0, 1, 2, 3, 4, 5:
		return p.address()
	case 6, 7:
		return "TXT", p.string() + " " + p.string()
	case 8, 9:
		return "MX", fmt.Sprintf("%d %s", p.IntN(3)*10, to())
	case 10:
		return "SRV", fmt.Sprintf("%d %d %d %s", p.IntN(3), p.IntN(3), p.IntN(1<<16), to())
	case 11:
		return "CAA", `0 issue "ca` + fmt.Sprint(p.IntN(9)) + `.example"`
	case 12:
		return "TLSA", "3 1 1 " + p.hex(32)
	case 13:
		return "SSHFP", "4 2 " + p.hex(32)
	case 14:
		return "NAPTR", fmt.Sprintf(`%d 20 "u" "e2u+sip" "!^.*$!sip:a@b!" %s`, p.IntN(9), to())
	case 15:
		return "HTTPS", fmt.Sprintf("1 %s alpn=h2 port=%d", p.service(), p.IntN(1<<16))
	case 16:
		return "SVCB", fmt.Sprintf("%d %s ipv4hint=192.0.2.%d", 1+p.IntN(3), p.service(), p.IntN(256))
	case 17:
		return "HTTPS", "0 " + to()
	case 18:
		return fmt.Sprintf("TYPE%d", 65280+p.IntN(3)), `\# 4 ` + p.hex(4)
	case 19:
		return "PTR", to()
	case 20:
		return "RP", to() + " " + to()
	case 21:
		return "HINFO", p.string() + " " + p.string()
	case 22:
		return "AFSDB", "1 " + to()
	case 23:
		return "KX", "1 " + to()
	case 24:
		return "DS", fmt.Sprintf("%d 13 2 %s", p.IntN(1<<16), p.hex(32))
	default:
		return "URI", `10 1 "https://example.org/` + fmt.Sprint(p.IntN(9)) + `"`
	}
}

func (p *planter) service() string {
	if p.IntN(3) == 0 {
		return "."
	}
	return p.target().text(p.Rand)
}

// delegate makes a cut with some servers: inside, beside, outside, with addresses or without.
func (p *planter) delegate(cut domain) {
	for range 1 + p.IntN(3) {
		server := p.target()
		switch p.IntN(4) {
		case 0, 1:
			server = p.below(cut)
		case 2:
			if len(p.cuts) > 0 {
				server = p.below(p.cuts[p.IntN(len(p.cuts))])
			}
		}
		if p.owners[server.key()]["CNAME"] || !p.add(cut, "NS", server.text(p.Rand)) {
			continue
		}
		p.names = append(p.names, server)
		if inside := strings.HasSuffix("."+server.key(), "."+p.apex.key()); inside {
			for range 1 + p.IntN(2) {
				typ, rdata := p.address()
				p.add(server, typ, rdata)
			}
		}
	}
	if p.owners[cut.key()]["NS"] {
		p.cuts = append(p.cuts, cut)
		for range p.IntN(3) {
			p.add(cut, "DS", fmt.Sprintf("%d 13 2 %s", p.IntN(1<<16), p.hex(32)))
		}
	}
}

// plant adds records of one kind.
func (p *planter) plant() {
	switch p.IntN(14) {
	case 0:
		if cut := p.owner(); cut.key() != p.apex.key() && !p.owners[cut.key()]["CNAME"] {
			p.delegate(cut)
		}
	case 1, 2, 3:
		p.add(p.owner(), "CNAME", p.target().text(p.Rand))
	case 4:
		owner := p.owner()
		if p.IntN(3) > 0 {
			owner = p.below(p.apex)
			p.names = append(p.names, owner)
		}
		p.add(owner, "DNAME", p.target().text(p.Rand))
	case 5: // a set that fills a message
		if p.IntN(3) == 0 {
			owner := p.owner()
			for range 10 + p.IntN(60) {
				p.add(owner, "TXT", fmt.Sprintf("%q", p.hex(10+p.IntN(90))))
			}
		}
		if p.IntN(8) == 0 { // servers that fill one
			if cut := p.below(p.apex); p.owners[cut.key()] == nil {
				for range 5 + p.IntN(15) {
					p.delegate(cut)
				}
			}
		}
	case 6:
		owner := p.owner()
		for range 3 {
			typ, rdata := p.address()
			p.add(owner, typ, rdata)
		}
	default:
		typ, rdata := p.anything()
		owner := p.owner()
		if typ == "DS" && !p.owners[owner.key()]["NS"] && p.IntN(5) > 0 {
			return
		}
		p.add(owner, typ, rdata)
	}
}

func (p *planter) belowDNAME(d domain) bool {
	for d := d; len(d) > len(p.apex); {
		if d = d[1:]; p.owners[d.key()]["DNAME"] {
			return true
		}
	}
	return false
}

func (p *planter) hasBelow(d domain) bool {
	for key := range p.owners {
		if strings.HasSuffix(key, "."+d.key()) {
			return true
		}
	}
	return false
}

// newPlot makes a zone. It has a SOA, two servers and whatever chance wants.
func newPlot(chance *rand.Rand, apex domain, names []domain, even bool) (*plot, []domain, []domain) {
	p := &planter{Rand: chance, apex: apex, plot: &plot{origin: apex.key()}, owners: make(map[string]map[string]bool), ttls: make(map[string]int), names: append(names, apex), even: even, loose: !even && chance.IntN(8) == 0}
	ns := apex.under("ns")
	p.add(apex, "SOA", fmt.Sprintf("%s %s %d 3600 600 1209600 %d", ns.text(chance), apex.under("host.master").text(chance), chance.Uint32(), chance.IntN(7200)))
	if chance.IntN(12) == 0 { // all below the apex is elsewhere
		p.add(apex, "NS", "ns.elsewhere.invalid.")
		p.add(apex, "DNAME", p.target().text(chance))
		for range 5 {
			typ, rdata := p.anything()
			p.add(apex, typ, rdata)
		}
		return p.plot, p.names, nil
	}
	p.add(apex, "NS", ns.text(chance))
	p.add(ns, "A", "127.0.0.1")
	if chance.IntN(2) == 0 {
		p.add(apex, "NS", "ns.elsewhere.invalid.")
	}
	for range 3 + chance.IntN(50) {
		p.plant()
	}
	return p.plot, p.names, p.cuts
}
