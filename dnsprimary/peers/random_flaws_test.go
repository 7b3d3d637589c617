package peers_test

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"

	"hearth/dnsprimary/zone"
)

// A flaw is what must not be in a zone.
type flaw struct {
	rule    string
	entries func(p *planter, at string) []entry // beside a sound zone
	takes   []string                            // the checkers of others that take such a zone all the same
}

// flaws are those that have a rule. Where the RFC lets a server load such a zone, it is not here.
func flaws() []flaw {
	one := func(at, typ, rdata string) entry { return entry{at, "60", typ, rdata} }
	return []flaw{
		{"a CNAME has other data beside it (RFC 2181 §10.1)", func(p *planter, at string) []entry {
			return []entry{one(at, "CNAME", "a.elsewhere.invalid."), one(at, "TXT", p.string())}
		}, nil},
		{"a name has two CNAMEs (RFC 2181 §10.1)", func(_ *planter, at string) []entry {
			return []entry{one(at, "CNAME", "a.elsewhere.invalid."), one(at, "CNAME", "b.elsewhere.invalid.")}
		}, nil},
		{"a CNAME is at the apex (RFC 1912 §2.4)", func(p *planter, _ string) []entry {
			return []entry{one(p.plot.origin, "CNAME", "a.elsewhere.invalid.")}
		}, nil},
		{"a CNAME has a DNAME beside it (RFC 6672 §2.3)", func(_ *planter, at string) []entry {
			return []entry{one(at, "CNAME", "a.elsewhere.invalid."), one(at, "DNAME", "b.elsewhere.invalid.")}
		}, nil},
		{"a name has two DNAMEs (RFC 6672 §2.4)", func(_ *planter, at string) []entry {
			return []entry{one(at, "DNAME", "a.elsewhere.invalid."), one(at, "DNAME", "b.elsewhere.invalid.")}
		}, nil},
		{"there are two SOAs (RFC 1035 §5.2)", func(p *planter, _ string) []entry {
			return []entry{one(p.plot.origin, "SOA", "ns.elsewhere.invalid. host.elsewhere.invalid. 7 3600 600 86400 60")}
		}, []string{"kzonecheck"}},
		{"a SOA is below the apex (RFC 1035 §5.2)", func(_ *planter, at string) []entry {
			return []entry{one(at, "SOA", "ns.elsewhere.invalid. host.elsewhere.invalid. 7 3600 600 86400 60")}
		}, []string{"kzonecheck"}},
		{"DS is at the apex (RFC 4035 §2.4)", func(p *planter, _ string) []entry {
			return []entry{one(p.plot.origin, "DS", "1 13 2 "+p.hex(32))}
		}, []string{"kzonecheck", "nsd-checkzone"}},
		{"an address is none (RFC 1035 §3.4.1)", func(_ *planter, at string) []entry {
			return []entry{one(at, "A", "192.0.2.256")}
		}, nil},
		{"a label has 64 bytes (RFC 1035 §2.3.4)", func(p *planter, at string) []entry {
			return []entry{one("x23456789012345678901234567890123456789012345678901234567890abcd."+at, "A", "192.0.2.1")}
		}, nil},
		{"rdata of RFC 3597 §5 has another length than it says", func(_ *planter, at string) []entry {
			return []entry{one(at, "TYPE65280", `\# 3 0102`)}
		}, []string{"nsd-checkzone"}},
	}
}

// checkers are the tools of others that judge a zone file.
func checkers() map[string]func(origin, file string) []string {
	return map[string]func(origin, file string) []string{
		"named-checkzone": func(origin, file string) []string { return []string{"-i", "none", "-k", "ignore", origin, file} },
		"kzonecheck":      func(origin, file string) []string { return []string{"-o", origin, file} },
		"nsd-checkzone":   func(origin, file string) []string { return []string{origin, file} },
	}
}

// TestRandomFlaws has zones judged by us and by others, each sound but for one flaw, or sound.
func TestRandomFlaws(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what runs the tools of others")
	}
	rounds := 1
	if long() {
		rounds = 10
	}
	folder := t.TempDir()
	for round := range rounds {
		for i, f := range append(flaws(), flaw{rule: ""}) {
			chance := rand.New(rand.NewPCG(seed(t)+uint64(round), uint64(i)))
			p := soundPlot(chance, fmt.Sprintf("f%d.test.", i))
			if f.entries != nil {
				at := domain{string(rune('a' + chance.IntN(26))), "flawed"}.text(nil) + p.plot.origin
				for _, e := range f.entries(p, at) {
					p.plot.entries = slices.Insert(p.plot.entries, 2+chance.IntN(len(p.plot.entries)-1), e)
				}
			}
			f.judge(t, p.plot, folder)
		}
	}
}

// soundPlot makes a zone that all take.
func soundPlot(chance *rand.Rand, origin string) *planter {
	apex := parse(origin)
	p := &planter{Rand: chance, apex: apex, plot: &plot{origin: origin}, owners: make(map[string]map[string]bool), ttls: make(map[string]int), names: []domain{apex.under("ns")}, even: true}
	p.add(apex, "SOA", "ns."+origin+" host."+origin+" 1 3600 600 1209600 300")
	p.add(apex, "NS", "ns."+origin)
	p.add(apex.under("ns"), "A", "127.0.0.1")
	for range chance.IntN(20) {
		if typ, rdata := p.anything(); typ != "DS" {
			p.names = p.names[:1]
			p.add(apex.under(string(rune('a'+chance.IntN(26)))), typ, rdata)
		}
	}
	return p
}

// judge compares the verdicts.
func (f flaw) judge(t *testing.T, p *plot, folder string) {
	t.Helper()
	name, err := zone.ParseName(p.origin)
	if err != nil {
		t.Fatal(err)
	}
	z, problems := zone.Read(name, p.text())
	err = problems.Err()
	if err == nil {
		err = z.Check().Err()
	}
	if (err != nil) != (f.rule != "") {
		t.Errorf("%q: we say %v\n%s", f.rule, err, p.text())
	}
	file := write(t, folder, "zone", p.text())
	for tool, args := range checkers() {
		if _, err := exec.LookPath(find(tool)); err != nil {
			t.Logf("%s is not installed: it cannot judge", tool)
			continue
		}
		out, err := try(t, "", tool, args(p.origin, file)...)
		if want := f.rule != "" && !slices.Contains(f.takes, tool); (err != nil) != want {
			t.Errorf("%q: %s says %v, want an error %v\n%s\n%s", f.rule, tool, err, want, out, p.text())
		}
	}
}
