package resolver

import (
	"errors"
	"strings"

	"github.com/miekg/dns"
)

// answer is what a reply says.
type answer struct {
	name    string   // where the aliases lead
	records []dns.RR // of the type asked for, at name
	ttl     uint32   // the least of those, the aliases and, if there is nothing, the SOA
	absent  bool     // there is no such name, or no such record
	dated   bool     // a SOA says how long that holds
}

// The bounds of a reply that is believed.
const (
	maxAliases = 12
	maxRecords = 256 // of one set
	maxTTL     = 1<<31 - 1
)

// readAnswer reads a reply to a question. Without records, and if nothing is absent, name is to be asked for next.
func readAnswer(reply *dns.Msg, name string, typ uint16) (answer, error) {
	a := answer{name: name, ttl: maxTTL}
	for range maxAliases {
		a.records = a.at(reply.Answer, typ)
		if len(a.records) > maxRecords {
			return a, errors.New("the answer has too many records")
		}
		if len(a.records) > 0 {
			return a, nil
		}
		aliases := a.at(reply.Answer, dns.TypeCNAME)
		if len(aliases) == 0 {
			a.deny(reply, name)
			return a, nil
		}
		to, ok := plainName(aliases[0].(*dns.CNAME).Target)
		if !ok {
			return a, errors.New("an alias leads to what is no host's name")
		}
		a.name = to
	}
	return a, errors.New("the answer has too many aliases")
}

// at returns the records of a type at the name where the aliases have led, and notes their TTL.
func (a *answer) at(section []dns.RR, typ uint16) (found []dns.RR) {
	for _, rr := range section {
		h := rr.Header()
		if h.Rrtype == typ && h.Class == dns.ClassINET && sameName(h.Name, a.name) {
			found = append(found, rr)
			if h.Ttl <= maxTTL { // more counts as nothing (RFC 2181 §8)
				a.ttl = min(a.ttl, h.Ttl)
			} else {
				a.ttl = 0
			}
		}
	}
	return found
}

// deny reads a reply without records of the type.
// spec: RFC 2308 §2
func (a *answer) deny(reply *dns.Msg, asked string) {
	for _, rr := range reply.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			a.absent, a.dated = true, true
			a.ttl = min(a.ttl, soa.Minttl, soa.Hdr.Ttl)
			return
		}
	}
	// An alias with nothing behind it, and nobody who says that there is nothing: it is to be asked for.
	a.absent = reply.Rcode == dns.RcodeNameError || a.name == asked
}

// plainName returns a name in lower case without its last dot. Only letters, digits, hyphens and underscores make names
// that anything on this box looks up.
func plainName(name string) (plain string, ok bool) {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return "", false
	}
	label, upper := 0, false
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.':
			if label == 0 {
				return "", false
			}
			label = 0
			continue
		case 'A' <= c && c <= 'Z':
			upper = true
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return "", false
		}
		if label++; label > 63 {
			return "", false
		}
	}
	if upper {
		name = strings.ToLower(name)
	}
	return name, label > 0
}

// sameName reports whether a name of a message is the plain one.
func sameName(name, plain string) bool {
	return len(name) == len(plain)+1 && name[len(plain)] == '.' && strings.EqualFold(name[:len(plain)], plain)
}

// clip keeps an error's text from being as long as what a stranger wrote.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
