package peers_test

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// excuse says why an answer may differ from another server's, "" if it may not.
func excuse(server string, q question, do bool, ours, theirs view) string {
	switch {
	case moreOrLess(ours, theirs):
		return "additional records that are no glue may be given or left out (RFC 1034 §4.3.2 step 6, RFC 9471 §2)"
	case server == "bind" && strings.HasPrefix(q.name, "loop1.") && theirs.rcode == "SERVFAIL":
		return "a loop of CNAMEs is answered as far as it goes; BIND reports it as a failure, for which there is no rule"
	case server == "bind" && q.typ == dns.TypeNSEC && !ours.authoritative && theirs.authoritative:
		return "NSEC at a cut is of both sides (RFC 4035 §2.3), and only DS is said to be the parent's to answer (§3.1.4.1); BIND does it for NSEC too"
	case server == "nsd" && do && strings.HasSuffix(q.name, ".renamed.example.org.") && alike(ours, theirs):
		return "NSD proves that the name asked for does not exist, and not the one to which DNAME led, for which the wildcard stood in (RFC 4035 §3.1.3.3)"
	case server == "nsd" && do && strings.HasPrefix(q.name, "*.") && alike(ours, theirs) && len(without(ours.sections[1], theirs.sections[1])) == 0:
		return "NSD proves more than is needed where a wildcard is asked for by its own name (RFC 5155 §7.2.3)"
	}
	return ""
}

// alike reports whether two answers differ in what they prove only.
func alike(ours, theirs view) bool {
	a, b := ours, theirs
	a.sections[1], b.sections[1] = nil, nil
	return moreOrLess(a, b)
}

// moreOrLess reports whether two answers differ in additional records only, and not in the glue that a referral needs.
func moreOrLess(ours, theirs view) bool {
	a, b := ours, theirs
	a.sections[2], b.sections[2] = nil, nil
	return difference(a, b) == "" && slices.Equal(glue(ours), glue(theirs))
}

// glue returns the additional records of a referral whose owners are below the cut.
func glue(v view) (records []string) {
	if v.authoritative {
		return nil
	}
	for _, ns := range v.sections[1] {
		cut, rest, _ := strings.Cut(ns, "\t")
		if !strings.Contains(rest, "\tNS\t") {
			continue
		}
		for _, rr := range v.sections[2] {
			if owner, _, _ := strings.Cut(rr, "\t"); strings.HasSuffix("."+owner, "."+cut) && !slices.Contains(records, rr) {
				records = append(records, rr)
			}
		}
	}
	return records
}
