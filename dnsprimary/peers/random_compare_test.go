package peers_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// A sight is a reply in a form that can be compared.
type sight struct {
	silent   bool
	size     int // of the message
	rcode    int // with its extended bits
	opcode   int
	flags    map[string]bool
	edns     string
	question string
	sections [3][]string // in lower case, sorted, without OPT
}

var sectionNames = [3]string{"answer", "authority", "additional"}

func behold(m *dns.Msg, size int) *sight {
	if m == nil {
		return &sight{silent: true}
	}
	s := &sight{size: size, rcode: m.Rcode, opcode: m.Opcode, edns: "none"}
	s.flags = map[string]bool{"qr": m.Response, "aa": m.Authoritative, "tc": m.Truncated, "rd": m.RecursionDesired, "ra": m.RecursionAvailable, "z": m.Zero, "ad": m.AuthenticatedData, "cd": m.CheckingDisabled}
	for _, q := range m.Question {
		s.question += q.Name + " " + dns.Class(q.Qclass).String() + " " + dns.Type(q.Qtype).String()
	}
	for i, section := range [3][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if opt, ok := rr.(*dns.OPT); ok {
				s.edns = fmt.Sprintf("version %d, do %v", opt.Version(), opt.Do())
				continue
			}
			s.sections[i] = append(s.sections[i], strings.ToLower(rr.String())) // case does not count in names (RFC 4343), and is not used elsewhere
		}
		slices.Sort(s.sections[i])
	}
	return s
}

func (s *sight) clone() *sight {
	c := *s
	for i := range c.sections {
		c.sections[i] = slices.Clone(c.sections[i])
	}
	c.flags = make(map[string]bool)
	for flag, is := range s.flags {
		c.flags[flag] = is
	}
	return &c
}

// drop takes records out of a section.
func (s *sight) drop(section int, which func(rr string) bool) {
	s.sections[section] = slices.DeleteFunc(s.sections[section], which)
}

// has reports whether a section has records of a type.
func (s *sight) has(section int, typ string) bool {
	return slices.ContainsFunc(s.sections[section], func(rr string) bool { return fieldOf(rr, 3) == typ })
}

// fieldOf returns owner, TTL, class, type or rdata of a record, in lower case as all is here.
func fieldOf(rr string, n int) string {
	fields := strings.SplitN(rr, "\t", 5)
	if n >= len(fields) {
		return ""
	}
	return fields[n]
}

// differences lists how a reply of ours differs from one of theirs.
func differences(ours, theirs *sight) (d []string) {
	if ours.silent || theirs.silent {
		if ours.silent != theirs.silent {
			d = append(d, fmt.Sprintf("silent %v, theirs %v", ours.silent, theirs.silent))
		}
		return d
	}
	if ours.rcode != theirs.rcode {
		d = append(d, fmt.Sprintf("rcode %s, theirs %s", dns.RcodeToString[ours.rcode], dns.RcodeToString[theirs.rcode]))
	}
	if ours.opcode != theirs.opcode {
		d = append(d, fmt.Sprintf("opcode %d, theirs %d", ours.opcode, theirs.opcode))
	}
	for _, flag := range []string{"qr", "aa", "tc", "rd", "ra", "z", "ad", "cd"} {
		if ours.flags[flag] != theirs.flags[flag] {
			d = append(d, fmt.Sprintf("%s %v, theirs %v", flag, ours.flags[flag], theirs.flags[flag]))
		}
	}
	if ours.edns != theirs.edns {
		d = append(d, fmt.Sprintf("edns %s, theirs %s", ours.edns, theirs.edns))
	}
	if ours.question != theirs.question {
		d = append(d, fmt.Sprintf("question %s, theirs %s", ours.question, theirs.question))
	}
	for i, name := range sectionNames {
		mine, rest := ours.sections[i], slices.Clone(theirs.sections[i])
		for _, rr := range mine {
			if at := slices.Index(rest, rr); at >= 0 {
				rest = slices.Delete(rest, at, at+1)
				continue
			}
			d = append(d, name+": only ours has "+rr)
		}
		for _, rr := range rest {
			d = append(d, name+": only theirs has "+rr)
		}
	}
	return d
}

// A comparison is one question with two replies to it.
type comparison struct {
	rival             string
	garden            *garden
	q                 probe
	ours, theirs      *sight
	whole, theirWhole *sight   // what both say over TCP; of them only if it was needed
	message           *dns.Msg // our whole reply
	theirMessage      *dns.Msg // theirs
	keys              map[string][]*dns.DNSKEY
	all, left         []string // differences, and those that cannot be explained
}

func (c *comparison) wrong(format string, args ...any) *comparison {
	c.left = append(c.left, fmt.Sprintf(format, args...))
	return c
}

// kind is what cases have in common that have the same cause, more or less.
func (c *comparison) kind() string {
	kind := c.rival + ":"
	for _, d := range c.left {
		words := strings.Fields(d)
		if kind += " " + strings.Join(words[:min(3, len(words))], " ") + ";"; len(kind) > 120 {
			break
		}
	}
	return kind
}

func (c *comparison) String() string {
	return fmt.Sprintf("%s: %s\n    %s\n  all differences:\n    %s", c.rival, c.q, strings.Join(c.left, "\n    "), strings.Join(c.all, "\n    "))
}

// settle takes away the differences that freedoms explain, as long as there are such, and returns those that are left, and
// the freedoms used.
func (c *comparison) settle(all []freedom) (left []string, used []string) {
	left = differences(c.ours, c.theirs)
	for more := true; more; {
		more = false
		for _, f := range all {
			if len(left) == 0 {
				return nil, used
			}
			ours, theirs := c.ours, c.theirs
			c.ours, c.theirs = ours.clone(), theirs.clone()
			if f.applies(c) && !(f.changes && slices.Contains(used, f.name)) {
				if now := differences(c.ours, c.theirs); len(now) < len(left) || f.changes {
					left, more = now, true
					if !slices.Contains(used, f.name) {
						used = append(used, f.name)
					}
					continue
				}
			}
			c.ours, c.theirs = ours, theirs
		}
	}
	return left, used
}

// unsound says what is wrong with a reply of ours by itself.
func unsound(c *comparison) (wrong []string) {
	if c.q.opcode != dns.OpcodeQuery || c.ours.silent {
		return nil
	}
	if !c.q.stream && c.ours.size > c.q.limit() {
		wrong = append(wrong, fmt.Sprintf("our reply has %d bytes, and may have %d", c.ours.size, c.q.limit()))
	}
	for i, section := range c.whole.sections {
		if len(slices.Compact(slices.Clone(section))) < len(section) && !c.caseOnly(section) {
			wrong = append(wrong, sectionNames[i]+": ours has a record twice")
		}
	}
	wrong = append(wrong, c.unglued()...)
	if c.ours.flags["tc"] {
		if c.whole.size <= c.q.limit() {
			wrong = append(wrong, fmt.Sprintf("our reply is truncated, but the whole has %d bytes, and may have %d", c.whole.size, c.q.limit()))
		}
		return wrong
	}
	for i := range 2 {
		if !slices.Equal(c.ours.sections[i], c.whole.sections[i]) {
			wrong = append(wrong, sectionNames[i]+": ours is not truncated, but lacks what it has over TCP")
		}
	}
	if lacking := without(c.whole.sections[2], c.ours.sections[2]); len(lacking) > 0 {
		glue := gluedNames(c.whole)
		for _, rr := range lacking {
			if glue[fieldOf(rr, 0)] {
				wrong = append(wrong, "ours is not truncated, but lacks the glue "+rr)
			}
		}
	}
	return append(wrong, c.garden.unknown(c)...)
}

// unglued says which glue a referral of ours lacks by the zone file (RFC 9471 §3.1).
func (c *comparison) unglued() (wrong []string) {
	if c.whole.flags["aa"] {
		return nil
	}
	c.garden.records()
	glue := gluedNames(c.whole)
	for _, text := range c.garden.glue[c.served()] {
		if glue[fieldOf(text, 0)] && !slices.ContainsFunc(c.whole.sections[2], func(rr string) bool {
			return fieldOf(rr, 0) == fieldOf(text, 0) && fieldOf(rr, 4) == fieldOf(text, 4)
		}) {
			wrong = append(wrong, "the referral lacks "+text)
		}
	}
	return wrong
}

// caseOnly reports whether records may differ in the case of their names.
func (c *comparison) caseOnly(section []string) bool {
	return slices.ContainsFunc(section, func(rr string) bool { return fieldOf(rr, 3) == "https" || fieldOf(rr, 3) == "svcb" })
}

// unknown says which records of an answer are in none of the zones, and which sets are not whole.
func (g *garden) unknown(c *comparison) (wrong []string) {
	if c.q.class != dns.ClassINET {
		return nil
	}
	sets := make(map[string]int)
	for i, section := range c.whole.sections {
		for _, rr := range section {
			typ, rdata := fieldOf(rr, 3), fieldOf(rr, 4)
			switch typ {
			case "rrsig", "nsec", "nsec3", "nsec3param", "dnskey", "cds", "cdnskey":
				continue // the signer's
			}
			if typ == "cname" && slices.ContainsFunc(section, func(rr string) bool { return fieldOf(rr, 3) == "dname" }) {
				continue
			}
			if !g.records()[typ+" "+rdata] {
				wrong = append(wrong, sectionNames[i]+": no zone has "+rr)
			}
			sets[fieldOf(rr, 0)+" "+typ]++
		}
	}
	for set, n := range sets {
		if want := g.sets[set]; want > 0 && n < want {
			wrong = append(wrong, fmt.Sprintf("%s has %d records, and %d in the answer", set, want, n))
		}
	}
	return wrong
}

// records returns all that is in the zones, by type and rdata.
func (g *garden) records() map[string]bool {
	g.once.Do(func() {
		g.known, g.sets = make(map[string]bool), make(map[string]int)
		g.glue = make(map[string][]string)
		for _, p := range g.plots {
			mine := make(map[string]map[string]bool)
			for _, e := range p.entries {
				text := e.normal()
				if e.typ == "A" || e.typ == "AAAA" {
					g.glue[p.origin] = append(g.glue[p.origin], text)
				}
				g.known[fieldOf(text, 3)+" "+fieldOf(text, 4)] = true
				set := strings.ToLower(parse(e.owner).text(nil)) + " " + fieldOf(text, 3)
				if mine[set] == nil {
					mine[set] = make(map[string]bool)
				}
				mine[set][fieldOf(text, 4)] = true
			}
			for set, rdatas := range mine { // a cut's servers are in two zones
				if before, both := g.sets[set]; !both || len(rdatas) < before {
					g.sets[set] = len(rdatas)
				}
			}
		}
	})
	return g.known
}
