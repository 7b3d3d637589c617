package primary

import (
	"testing"

	"github.com/miekg/dns"
)

// TestPrerequisites is RFC 2136 §2.4 and §3.2.
func TestPrerequisites(t *testing.T) {
	for text, want := range map[string]int{
		"prereq yxdomain www":            dns.RcodeSuccess,
		"prereq yxdomain WWW":            dns.RcodeSuccess,
		"prereq yxdomain none":           dns.RcodeNameError,
		"prereq yxdomain wild":           dns.RcodeNameError, // an empty non-terminal owns nothing
		"prereq yxdomain x.wild":         dns.RcodeNameError, // nor does what a wildcard stands for
		"prereq nxdomain none":           dns.RcodeSuccess,
		"prereq nxdomain www":            dns.RcodeYXDomain,
		"prereq yxrrset www A":           dns.RcodeSuccess,
		"prereq yxrrset www MX":          dns.RcodeNXRrset,
		"prereq yxrrset none A":          dns.RcodeNXRrset,
		"prereq nxrrset www MX":          dns.RcodeSuccess,
		"prereq nxrrset www A":           dns.RcodeYXRrset,
		"prereq yxrrset www A 192.0.2.2": dns.RcodeSuccess,
		"prereq yxrrset www A 192.0.2.3": dns.RcodeNXRrset,
		"prereq yxrrset alias CNAME WWW": dns.RcodeSuccess, // case of names does not count
		"prereq yxrrset @ NS ns1":        dns.RcodeNXRrset, // all records of the set must be named
		"prereq yxrrset @ NS ns2.example.net.\nprereq yxrrset @ NS ns1":  dns.RcodeSuccess,
		"prereq yxrrset www A 192.0.2.2\nprereq yxrrset www A 192.0.2.3": dns.RcodeNXRrset,
		"prereq yxdomain none\nprereq nxdomain www":                      dns.RcodeNameError, // the first that fails counts
		"prereq yxdomain www.example.net.":                               dns.RcodeNotZone,
	} {
		w := newWorld(t)
		m := update(t, text+"\nadd new 60 A 192.0.2.10")
		d := w.handle(first(w.sign(m, "update.", provider{secret: secret})))
		if got := w.parse(d.Reply).Rcode; got != want || (d.Change != nil) != (want == dns.RcodeSuccess) {
			t.Errorf("%s: the answer is %s, want %s; changed: %v", text, dns.RcodeToString[got], dns.RcodeToString[want], d.Change != nil)
		}
	}
}

func first(wire []byte, _ string) []byte { return wire }

func TestMalformedPrerequisites(t *testing.T) {
	for what, rr := range map[string]dns.RR{
		"a TTL":                 withTTL(bare("www", "A", dns.ClassANY)),
		"rdata that must exist": withClass(record(t, "www 0 A 192.0.2.2"), dns.ClassANY),
		"rdata that must not":   withClass(record(t, "www 0 A 192.0.2.2"), dns.ClassNONE),
		"a value without rdata": bare("www", "A", dns.ClassINET),
		"a value of ANY":        bare("www", "ANY", dns.ClassINET),
		"class CH":              bare("www", "A", dns.ClassCHAOS),
		"a value with a TTL":    withTTL(record(t, "www 0 A 192.0.2.2")),
	} {
		w := newWorld(t)
		m := update(t, "add new 60 A 192.0.2.10")
		m.Answer = append(m.Answer, rr)
		d := w.handle(first(w.sign(m, "update.", provider{secret: secret})))
		if got := w.parse(d.Reply).Rcode; got != dns.RcodeFormatError || d.Change != nil {
			t.Errorf("%s: the answer is %s", what, dns.RcodeToString[got])
		}
	}
}
