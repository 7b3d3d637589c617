package zone

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// TestAnswersAgainstAModel asks random small zones for names, and compares what kind of answer comes with what follows
// from the definitions, looked up in a plain list of owners.
func TestAnswersAgainstAModel(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	labels := []string{"a", "b", "c", "*"}
	some := func() string {
		var parts []string
		for range 1 + random.IntN(4) {
			parts = append(parts, labels[random.IntN(len(labels))])
		}
		return strings.Join(parts, ".") + ".test."
	}
	for range 300 {
		m := model{}
		e := mustZone(t, "test.", soa).Edit()
		for range random.IntN(8) {
			owner, typ, rdata := some(), uint16(dns.TypeA), "\x7f\x00\x00\x01"
			if random.IntN(4) == 0 && !strings.HasPrefix(owner, "*") {
				typ, rdata = dns.TypeNS, "\x02ns\x04else\x00"
			}
			m[owner] = append(m[owner], typ)
			if _, err := e.Add(Record{mustName(t, owner), typ, 60, rdata}); err != nil {
				t.Fatal(err)
			}
		}
		z := e.Zone()
		for range 50 {
			ask := some()
			var a Answer
			z.Answer(&a, mustName(t, ask), dns.TypeA)
			if got, want := kindOf(a), m.answer(ask); got != want {
				t.Fatalf("in %v, %s is answered %q, want %q", m, ask, got, want)
			}
		}
	}
}

// model has the types of each owner.
type model map[string][]uint16

func kindOf(a Answer) string {
	switch {
	case a.Cut != "":
		return "cut at " + a.Cut.String()
	case a.Rcode == dns.RcodeNameError:
		return "no name, below " + a.Denials[0].Encloser.String() + " before " + a.Denials[0].NextCloser.String()
	case len(a.Answer) == 0 && a.Denials[0].Absence == NoWildType:
		return "no type of a wildcard"
	case len(a.Answer) == 0:
		return "no type"
	case a.Answer[0].Wildcard != "":
		return "from " + a.Answer[0].Wildcard.String()
	}
	return "here"
}

func (m model) answer(ask string) string {
	names := ancestors(ask) // from the top
	for _, n := range names {
		if m.has(n, dns.TypeNS) {
			return "cut at " + n
		}
	}
	if m.exists(ask) {
		if m.has(ask, dns.TypeA) {
			return "here"
		}
		return "no type"
	}
	encloser, next := "test.", names[0]
	for i, n := range names {
		if m.exists(n) {
			encloser, next = n, names[i+1]
		}
	}
	switch wildcard := "*." + encloser; {
	case m.has(wildcard, dns.TypeA):
		return "from " + wildcard
	case m.exists(wildcard):
		return "no type of a wildcard"
	}
	return "no name, below " + encloser + " before " + next
}

// ancestors returns the names below test. from the top down to name.
func ancestors(name string) (all []string) {
	for ; name != "test."; _, name, _ = strings.Cut(name, ".") {
		all = append([]string{name}, all...)
	}
	return all
}

func (m model) has(name string, typ uint16) bool {
	for _, have := range m[name] {
		if have == typ {
			return true
		}
	}
	return false
}

// exists is RFC 4592 §2.2.2: a name exists if it or anything below owns something.
func (m model) exists(name string) bool {
	for owner := range m {
		if owner == name || strings.HasSuffix(owner, "."+name) {
			return true
		}
	}
	return false
}
