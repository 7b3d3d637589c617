package peers_test

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// A freedom is a difference for which the standards have room, or in which another server departs from them.
type freedom struct {
	name string // what it is, and which RFC says so
	// applies takes what is explained out of both replies, and reports whether this is such a case.
	applies func(c *comparison) bool
	changes bool // it looks at other replies, which may differ in more
}

// freedoms are all that are accepted, a table. Whatever they accept, our reply is judged by itself too: by unsound and, if the
// zone is signed, by validate.
func freedoms() []freedom {
	return []freedom{
		{"the CD bit is copied by RFC 4035 §3, and cleared by §3.1.6", func(c *comparison) bool {
			return only(c, c.rival != "bind" && c.q.cd, "cd")
		}, false},
		{"additional records that are no glue may be left out (RFC 1034 §4.3.2 step 6, RFC 2181 §9)", func(c *comparison) bool {
			for _, s := range []*sight{c.ours, c.theirs} {
				glue := gluedNames(s)
				s.drop(2, func(rr string) bool { return !glue[fieldOf(rr, 0)] })
			}
			return true
		}, false},
		{"whether a reply fits depends on how it is compressed; over TCP both say the same (RFC 2181 §9)", func(c *comparison) bool {
			if c.q.stream || c.ours.flags["tc"] == c.theirs.flags["tc"] {
				return false
			}
			limit := c.q.limit()
			if c.theirs.flags["tc"] && c.theirWhole.size <= limit-spare || c.ours.flags["tc"] && c.whole.size <= limit-spare {
				return false
			}
			c.ours, c.theirs = c.whole.clone(), c.theirWhole.clone()
			return true
		}, true},
		{"what a truncated reply still says does not count (RFC 2181 §9)", func(c *comparison) bool {
			if !c.ours.flags["tc"] || !c.theirs.flags["tc"] {
				return false
			}
			for i := range 3 {
				c.ours.sections[i], c.theirs.sections[i] = nil, nil
			}
			c.ours.rcode = c.theirs.rcode // of what follows a chain that is cut off
			return true
		}, false},
		{"ANY is answered with one set of those that are there (RFC 8482 §4.1)", func(c *comparison) bool {
			return c.q.typ == dns.TypeANY && len(c.ours.sections[0]) > 0 && oneSet(c)
		}, false},
		{"RRSIG is answered with one set of those that are there, since it is to be thought of like ANY (RFC 8482 §4.1)", func(c *comparison) bool {
			return c.q.typ == dns.TypeRRSIG && len(c.ours.sections[0]) > 0 && oneSet(c)
		}, false},
		{"BIND gives up where CNAMEs or DNAMEs form a loop or a long chain, which others answer as far as it goes (RFC 1034 §3.6.2)", func(c *comparison) bool {
			return c.rival == "bind" && c.theirs.rcode == dns.RcodeServerFailure && (looped(c.whole) || links(c.whole) >= 10) && alikeNow(c)
		}, false},
		{"Knot and NSD repeat a record that they meet again on the way, though a set has no duplicates (RFC 2181 §5)", func(c *comparison) bool {
			if c.rival == "bind" {
				return false
			}
			c.theirs.sections[0] = slices.Compact(c.theirs.sections[0])
			return true
		}, false},
		{"NSD does not copy the DO bit where it knows no such version of EDNS (RFC 3225 §3)", func(c *comparison) bool {
			if c.rival != "nsd" || c.q.version == 0 {
				return false
			}
			c.theirs.edns = c.ours.edns
			return true
		}, false},
		{"BIND and NSD leave the question out of the reply to an operation that they do not know, NSD also OPT (RFC 1035 §4.1.1, RFC 6891 §6.1.1)", func(c *comparison) bool {
			if c.rival == "knot" || c.q.opcode == dns.OpcodeQuery || c.theirs.question != "" {
				return false
			}
			c.theirs.question = c.ours.question
			if c.rival == "nsd" {
				c.theirs.edns = c.ours.edns
				c.theirs.flags["rd"], c.theirs.flags["cd"] = c.ours.flags["rd"], c.ours.flags["cd"]
			}
			return true
		}, false},
		{"a set with different TTLs has the lowest here, and the first or each its own elsewhere (RFC 2181 §5.2)", func(c *comparison) bool {
			return c.withoutTTLs()
		}, false},
		{"types that stand for questions or for what a message says about itself are FORMERR or NOTIMP for some, absent data for others (RFC 6895 §3.1, RFC 9824 §3.1)", func(c *comparison) bool {
			for _, s := range []*sight{c.ours, c.theirs} {
				if meta(c.q.typ) && (s.rcode == dns.RcodeFormatError || s.rcode == dns.RcodeNotImplemented) {
					return alikeNow(c)
				}
			}
			return false
		}, false},
		{"what might stand beside a CNAME is said to be absent by BIND (KEY, NSEC, RRSIG), Knot (NSEC, RRSIG), NSD (NSEC3), which no validator believes (RFC 6840 §4.3); the CNAME is to be followed (RFC 1034 §4.3.2 step 3a)", func(c *comparison) bool {
			types := map[string][]uint16{"bind": {dns.TypeKEY, dns.TypeNSEC, dns.TypeRRSIG}, "knot": {dns.TypeNSEC, dns.TypeRRSIG}, "nsd": {dns.TypeNSEC3}}
			return slices.Contains(types[c.rival], c.q.typ) && c.ours.has(0, "cname") && len(without(c.theirs.sections[0], c.ours.sections[0])) == 0 && alikeNow(c)
		}, false},
		{"a DNAME that leads below itself has no end: each stops where it likes (RFC 6672 §2.2, RFC 1034 §5.3.3)", func(c *comparison) bool {
			return c.grows() && len(without(c.theirs.sections[0], c.ours.sections[0])) == 0 && alikeNow(c)
		}, false},
		{"a chain that leaves its zone ends there, since a resolver must not believe what follows; others go on in another zone that they serve (RFC 1034 §4.3.2 step 3a)", func(c *comparison) bool {
			return c.rival != "knot" && c.elsewhere()
		}, false},
		{"an authoritative server may set AD by its policy, and need not (RFC 4035 §3.1.6)", func(c *comparison) bool {
			return only(c, c.rival == "bind" && c.theirs.flags["ad"], "ad")
		}, false},
		{"what NS and DNAME of a wildcard mean is open (RFC 4592 §4.2, §4.4)", func(c *comparison) bool {
			return c.openWildcard() && alikeNow(c)
		}, false},
		{"BIND has no answer to ANY for a name that has DS only, and no NS (RFC 4035 §2.4)", func(c *comparison) bool {
			return c.rival == "bind" && c.q.typ == dns.TypeANY && c.ours.has(0, "ds") && len(c.theirs.sections[0]) == 0 && alikeNow(c)
		}, false},
		{"NSEC at a cut is of both sides (RFC 4035 §2.3), and only DS is said to be the zone above's to answer (§3.1.4.1); BIND does it for NSEC too", func(c *comparison) bool {
			return c.rival == "bind" && c.q.typ == dns.TypeNSEC && (!c.ours.flags["aa"] && c.theirs.flags["aa"] || c.ours.has(1, "ns") && c.theirs.has(0, "nsec")) && alikeNow(c)
		}, false},
		{"NSD does not know an operation before it does not know a version of EDNS (RFC 6891 §6.1.3)", func(c *comparison) bool {
			return c.rival == "nsd" && c.q.opcode != dns.OpcodeQuery && c.q.version > 0 && c.theirs.rcode == dns.RcodeNotImplemented && alikeNow(c)
		}, false},
		{"Knot finds another closest encloser where labels have bytes of zero (RFC 4592 §3.3.1)", func(c *comparison) bool {
			return c.rival == "knot" && strings.Contains(c.q.name, `\000`) && alikeNow(c)
		}, false},
		{"names in SVCB and HTTPS are compared as they are written (RFC 4034 §6.2, RFC 3597 §6), by NSD without regard to case", func(c *comparison) bool {
			if c.rival != "nsd" || !c.ours.has(0, "https") && !c.ours.has(0, "svcb") {
				return false
			}
			c.ours.sections[0] = slices.Compact(c.ours.sections[0])
			return true
		}, false},
		{"NSD has the names of all its zones in one tree, and takes those of a zone above for some of the zone below, or the other way round (RFC 1034 §4.3.2 step 2)", func(c *comparison) bool {
			return c.rival == "nsd" && c.mingled() && alikeNow(c)
		}, false},
		{"Knot goes on where the substitution of a DNAME is too long, though YXDOMAIN ends it (RFC 6672 §2.2)", func(c *comparison) bool {
			return c.rival == "knot" && c.ours.rcode == dns.RcodeYXDomain && c.overflows() && len(without(c.ours.sections[0], c.theirs.sections[0])) == 0 && alikeNow(c)
		}, false},
		{"their proof is no proof, or more than one, or less (RFC 4035 §3.1.3, RFC 5155 §7.2); ours is", func(c *comparison) bool {
			keys := c.keys[c.served()]
			if !c.q.do || keys == nil || c.theirMessage == nil || len(validate(c.served(), keys, c.q, c.message)) > 0 {
				return false
			}
			if wrong := validate(c.served(), keys, c.q, c.theirMessage); len(wrong) == 0 {
				return false
			}
			for _, s := range []*sight{c.ours, c.theirs} {
				s.drop(1, func(rr string) bool {
					typ, rdata := fieldOf(rr, 3), fieldOf(rr, 4)
					return typ == "nsec" || typ == "nsec3" || typ == "rrsig" && strings.HasPrefix(rdata, "nsec")
				})
			}
			return true
		}, false},
		{"BIND and others leave glue out of a reply over UDP without a word (RFC 9471 §3.1); over TCP both say the same", func(c *comparison) bool {
			if c.q.stream || c.theirs.flags["tc"] || c.theirWhole == nil || slices.Equal(c.theirs.sections[2], c.theirWhole.sections[2]) {
				return false
			}
			c.ours, c.theirs = c.whole.clone(), c.theirWhole.clone()
			return true
		}, true},
		{"RD is copied in replies to a QUERY, by Knot in all (RFC 1035 §4.1.1, RFC 2136 §2.2)", func(c *comparison) bool {
			return only(c, c.rival == "knot" && c.q.opcode != dns.OpcodeQuery, "rd")
		}, false},
		{"NSD takes a DNAME of the zone above for that of a zone that it serves too (RFC 1034 §4.3.2 step 2)", func(c *comparison) bool {
			return c.rival == "nsd" && slices.ContainsFunc(c.theirs.sections[0], func(rr string) bool {
				return fieldOf(rr, 3) == "dname" && c.garden.zoneOf(parse(fieldOf(rr, 0)).key()) != c.served()
			}) && !slices.ContainsFunc(c.ours.sections[0], func(rr string) bool {
				return fieldOf(rr, 3) == "dname"
			}) && alikeNow(c)
		}, false},
		{"a long chain is followed 16 times here, 5 to 20 times elsewhere; a resolver goes on (RFC 1034 §5.3.3)", func(c *comparison) bool {
			a, b := c.ours, c.theirs
			if links(a) < links(b) {
				return links(a) == 16 && len(without(a.sections[0], b.sections[0])) == 0 && alikeNow(c)
			}
			return links(b) >= 5 && links(b) < links(a) && len(without(b.sections[0], a.sections[0])) == 0 && alikeNow(c)
		}, false},
		{"Knot leaves the SOA out of a denial if it met the same DNAME twice on the way (RFC 2308 §2.1)", func(c *comparison) bool {
			if c.rival != "knot" || !c.ours.has(0, "dname") || !c.ours.has(1, "soa") || len(c.theirs.sections[1]) > 0 {
				return false
			}
			c.theirs.sections[1] = c.ours.sections[1]
			return true
		}, false},
		{"ANY below a DNAME is answered with the DNAME and its CNAME (RFC 8482 §4.1); Knot and NSD follow it", func(c *comparison) bool {
			return c.rival != "bind" && c.q.typ == dns.TypeANY && c.ours.has(0, "dname") && alikeNow(c)
		}, false},
		{"class ANY and classes that are not served are REFUSED or FORMERR (RFC 1035 §4.1.1)", func(c *comparison) bool {
			return c.q.class != dns.ClassINET && c.q.class != dns.ClassCHAOS && c.ours.rcode == dns.RcodeRefused && alikeNow(c)
		}, false},
	}
}

// spare is by how many bytes the sizes of equal replies may differ: options, and the choice of what names point to.
const spare = 40

// meta reports whether no zone has records of a type (RFC 6895 §3.1).
func meta(typ uint16) bool { return typ == 0 || typ == dns.TypeOPT || typ >= 128 && typ < 255 }

// only reports whether two replies differ in a flag, and makes it the same.
func only(c *comparison, may bool, flag string) bool {
	if may {
		c.theirs.flags[flag] = c.ours.flags[flag]
	}
	return may
}

// alikeNow takes all differences away.
func alikeNow(c *comparison) bool {
	c.ours = c.theirs
	return true
}

// oneSet makes both answers alike if each has records of the name asked for: that ours are in the zone, and make a whole set,
// is seen elsewhere.
func oneSet(c *comparison) bool {
	theirs := c.theirs
	if theirs.flags["tc"] && c.theirWhole != nil {
		theirs = c.theirWhole
	}
	if len(theirs.sections[0]) == 0 || fieldOf(theirs.sections[0][0], 0) != fieldOf(c.ours.sections[0][0], 0) {
		return false
	}
	c.theirs.sections = c.ours.sections
	c.theirs.flags["tc"] = c.ours.flags["tc"]
	return true
}

// links counts the CNAMEs in an answer.
func links(s *sight) (n int) {
	for _, rr := range s.sections[0] {
		if fieldOf(rr, 3) == "cname" {
			n++
		}
	}
	return n
}

// looped reports whether a chain of CNAMEs comes back to a name that it was at.
func looped(s *sight) bool {
	next := make(map[string]string)
	for _, rr := range s.sections[0] {
		if fieldOf(rr, 3) == "cname" {
			next[fieldOf(rr, 0)] = fieldOf(rr, 4)
		}
	}
	for from := range next {
		at := from
		for range len(next) + 1 {
			to, more := next[at]
			if !more {
				break
			}
			if to == from {
				return true
			}
			at = to
		}
	}
	return false
}

// gluedNames returns the servers below the cut of a referral.
func gluedNames(s *sight) map[string]bool {
	names := make(map[string]bool)
	for _, rr := range s.sections[1] {
		if server := parse(fieldOf(rr, 4)).key(); fieldOf(rr, 3) == "ns" && strings.HasSuffix("."+server, "."+parse(fieldOf(rr, 0)).key()) {
			names[fieldOf(rr, 4)] = true
		}
	}
	return names
}

// withoutTTLs takes the TTLs out of records of sets that have several in the zone file.
func (c *comparison) withoutTTLs() bool {
	if len(c.garden.mixed) == 0 {
		return false
	}
	for _, s := range []*sight{c.ours, c.theirs} {
		for i := range s.sections {
			for j, rr := range s.sections[i] {
				if c.garden.mixed[fieldOf(rr, 3)+" "+fieldOf(rr, 4)] {
					s.sections[i][j] = fieldOf(rr, 0) + "\t*\tin\t" + fieldOf(rr, 3) + "\t" + fieldOf(rr, 4)
				}
			}
			slices.Sort(s.sections[i])
		}
	}
	return true
}

// elsewhere makes replies alike whose chain leads from the zone that answers into another one that is served too.
func (c *comparison) elsewhere() bool {
	name := parse(c.q.name)
	for range 20 {
		to := c.ours.at(name.key(), "cname")
		if to == "" {
			return false
		}
		key := parse(to).key()
		if zone := c.garden.zoneOf(key); zone != "" && (zone != c.served() || c.q.typ == dns.TypeDS && zone == key) { // DS is of the zone above
			return alikeNow(c)
		}
		name = parse(to)
	}
	return false
}

// zoneOf returns the origin of the zone that the name with a key is in, "" if it is in none.
func (g *garden) zoneOf(name string) (origin string) {
	for _, p := range g.plots {
		if strings.HasSuffix("."+name, "."+p.origin) && len(p.origin) > len(origin) {
			origin = p.origin
		}
	}
	return origin
}

// served returns the origin of the zone that answers, "" if none does.
func (c *comparison) served() string {
	name := parse(c.q.name)
	if c.q.typ == dns.TypeDS && len(name) > 0 { // the zone above has it (RFC 4035 §3.1.4.1)
		if above := c.garden.zoneOf(domain(name[1:]).key()); above != "" {
			return above
		}
	}
	return c.garden.zoneOf(name.key())
}

// mingled reports whether a name on the way of the answer, or one above it, is in another zone of the same tree.
func (c *comparison) mingled() bool {
	names := []domain{parse(c.q.name)}
	for _, rr := range c.ours.sections[0] {
		names = append(names, parse(fieldOf(rr, 0)))
		if fieldOf(rr, 3) == "cname" {
			names = append(names, parse(fieldOf(rr, 4)))
		}
	}
	served := c.served()
	if served == "" {
		return false
	}
	for _, name := range names {
		for len(name) > len(parse(served)) {
			for _, p := range c.garden.plots {
				if p.origin != served && strings.HasSuffix("."+p.origin, "."+c.garden.plots[0].origin) && (p.owns(name) || p.owns(domain(name[1:]).under("*"))) {
					return true
				}
			}
			name = name[1:]
		}
	}
	return false
}

// owns reports whether a zone file has a name, or one below it.
func (p *plot) owns(name domain) bool {
	return slices.ContainsFunc(p.entries, func(e entry) bool { return strings.HasSuffix("."+parse(e.owner).key(), "."+name.key()) })
}

// overflows reports whether our answer ends in a DNAME with which the name asked for is too long.
func (c *comparison) overflows() bool {
	name := parse(c.q.name)
	for range 20 {
		if set := c.ours.at(name.key(), "cname"); set != "" {
			name = parse(set)
			continue
		}
		for up := 1; up < len(name); up++ {
			if to := c.ours.at(domain(name[up:]).key(), "dname"); to != "" {
				return name.size()-domain(name[up:]).size()+parse(to).size() > 255
			}
		}
		return false
	}
	return false
}

// at returns the data of the first record of an answer with an owner and a type.
func (s *sight) at(owner, typ string) string {
	for _, rr := range s.sections[0] {
		if fieldOf(rr, 3) == typ && parse(fieldOf(rr, 0)).key() == owner {
			return fieldOf(rr, 4)
		}
	}
	return ""
}

// grows reports whether a DNAME of our answer leads below itself.
func (c *comparison) grows() bool {
	return slices.ContainsFunc(c.ours.sections[0], func(rr string) bool {
		return fieldOf(rr, 3) == "dname" && below(parse(fieldOf(rr, 4)), parse(fieldOf(rr, 0)))
	})
}

// openWildcard reports whether the zone that answers has a wildcard with NS or DNAME.
func (c *comparison) openWildcard() bool {
	return slices.ContainsFunc(c.garden.plots, func(p *plot) bool {
		return p.origin == c.served() && slices.ContainsFunc(p.entries, func(e entry) bool {
			return strings.HasPrefix(e.owner, "*.") && (e.typ == "NS" || e.typ == "DNAME")
		})
	})
}
