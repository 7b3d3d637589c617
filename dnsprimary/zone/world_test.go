package zone

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// mustName reads a name.
func mustName(t testing.TB, text string) Name {
	t.Helper()
	n, err := ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// mustZone reads a zone, whose origin is the owner of its first record or its $ORIGIN, and fails on errors.
func mustZone(t testing.TB, origin, text string) *Zone {
	t.Helper()
	z, problems := Read(mustName(t, origin), text)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return z
}

// soa begins the zones of tests.
const soa = "$TTL 3600\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n"

// question is a question and what is answered, one line for each fact: "an", "au" or "ad", owner, TTL, type and rdata,
// with the names relative to nothing, and notes behind a semicolon.
type question struct {
	ask  string // name and type
	want string
}

// check asks z all questions.
func check(t *testing.T, z *Zone, questions []question) {
	t.Helper()
	for _, q := range questions {
		name, typ, _ := strings.Cut(q.ask, " ")
		number, ok := parseType(typ)
		if !ok {
			t.Fatalf("%s: no such type", q.ask)
		}
		var a Answer
		z.Answer(&a, mustName(t, name), number)
		if got, want := render(a), squeeze(q.want); got != want {
			t.Errorf("%s: the answer is\n%s\nwant\n%s", q.ask, got, want)
		}
	}
}

// squeeze makes single blanks of all, and takes away empty lines.
func squeeze(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// render writes an answer as questions have it.
func render(a Answer) string {
	lines := []string{dns.RcodeToString[a.Rcode]}
	if a.Authoritative {
		lines[0] += " aa"
	}
	for _, f := range a.Answer {
		lines = append(lines, renderFact("an", f)...)
	}
	for _, f := range a.Authority {
		lines = append(lines, renderFact("au", f)...)
	}
	for _, f := range a.Additional {
		lines = append(lines, renderFact("ad", f)...)
	}
	absences := []string{"", "NoName", "NoType", "NoWildType", "Expanded", "NoDS"}
	for _, d := range a.Denials {
		line := fmt.Sprintf("no %s %s", absences[d.Absence], d.Name)
		if d.Encloser != "" {
			line += fmt.Sprintf(" encloser %s next %s", d.Encloser, d.NextCloser)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func renderFact(section string, f Fact) (lines []string) {
	for rdata := range f.Set.All() {
		r := Record{f.Owner, f.Set.Type, f.Set.TTL, rdata}
		line := fmt.Sprintf("%s %s %d %s %s", section, r.Owner, r.TTL, TypeName(r.Type), r.text())
		if r.Type == dns.TypeSOA {
			line = fmt.Sprintf("%s %s %d SOA", section, r.Owner, r.TTL)
		}
		if f.Wildcard != "" {
			line += " ; wildcard " + f.Wildcard.String()
		}
		if f.Made {
			line += " ; made"
		}
		if f.Needed {
			line += " ; needed"
		}
		lines = append(lines, line)
	}
	return lines
}
