package primary

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// update makes an UPDATE of example.org from lines as nsupdate has them, with names relative to the zone:
//
//	prereq nxdomain NAME, prereq yxdomain NAME, prereq nxrrset NAME TYPE, prereq yxrrset NAME TYPE [RDATA],
//	add NAME TTL TYPE RDATA, delete NAME [TYPE [RDATA]]
func update(t testing.TB, text string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	m.SetUpdate("example.org.")
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "prereq" {
			m.Answer = append(m.Answer, prerequisite(t, words[1], words[2:]))
			continue
		}
		m.Ns = append(m.Ns, updated(t, words[0], words[1:]))
	}
	return m
}

func prerequisite(t testing.TB, what string, words []string) dns.RR {
	t.Helper()
	class := map[string]uint16{"nxdomain": dns.ClassNONE, "yxdomain": dns.ClassANY, "nxrrset": dns.ClassNONE, "yxrrset": dns.ClassANY}[what]
	switch len(words) {
	case 1:
		return bare(words[0], "ANY", class)
	case 2:
		return bare(words[0], words[1], class)
	}
	return record(t, words[0]+" 0 "+strings.Join(words[1:], " "))
}

func updated(t testing.TB, what string, words []string) dns.RR {
	t.Helper()
	switch {
	case what == "add":
		return record(t, strings.Join(words, " "))
	case len(words) == 1:
		return bare(words[0], "ANY", dns.ClassANY)
	case len(words) == 2:
		return bare(words[0], words[1], dns.ClassANY)
	}
	rr := record(t, words[0]+" 0 "+strings.Join(words[1:], " "))
	rr.Header().Class = dns.ClassNONE
	return rr
}

func record(t testing.TB, line string) dns.RR {
	t.Helper()
	p := dns.NewZoneParser(strings.NewReader(line), "example.org.", "")
	rr, ok := p.Next()
	if !ok {
		t.Fatalf("%s: %v", line, p.Err())
	}
	return rr
}

// bare is a record without rdata.
func bare(owner, typ string, class uint16) dns.RR {
	switch {
	case owner == "@":
		owner = "example.org."
	case !strings.HasSuffix(owner, "."):
		owner += ".example.org."
	}
	return &dns.ANY{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.StringToType[typ], Class: class}}
}

// changed has what an update makes of the zone: lines that go and come, the SOA left out.
type changed struct {
	text  string
	rcode int
	want  string
}

func (w *world) check(cases []changed) {
	w.t.Helper()
	for _, c := range cases {
		before, _ := w.state.Zone(name("example.org."))
		got := w.signed(update(w.t, c.text), "update.").Rcode
		after, _ := w.state.Zone(name("example.org."))
		if diff := difference(before.Zone, after.Zone); got != c.rcode || diff != squeeze(c.want) {
			w.t.Errorf("%s\nis answered %s and changes\n%s\nwant %s and\n%s", c.text, dns.RcodeToString[got], diff, dns.RcodeToString[c.rcode], squeeze(c.want))
		}
		if advanced := zone.Diff(before.Zone, after.Zone).Empty() == (before.Zone.Serial() == after.Zone.Serial()); !advanced {
			w.t.Errorf("%s\nleaves the serial at %d, then %d", c.text, before.Zone.Serial(), after.Zone.Serial())
		}
	}
}

func difference(a, b *zone.Zone) string {
	var lines []string
	d := zone.Diff(a, b)
	for sign, records := range map[string][]zone.Record{"-": d.Removed, "+": d.Added} {
		for _, r := range records {
			if r.Type != dns.TypeSOA {
				lines = append(lines, sign+" "+r.String())
			}
		}
	}
	slices.Sort(lines)
	return squeeze(strings.Join(lines, "\n"))
}

// TestUpdates is RFC 2136 §2.5 and §3.4.2, each on the zone that the ones before left.
func TestUpdates(t *testing.T) {
	newWorld(t).check([]changed{
		{"add new 60 A 192.0.2.10", 0, "+ new.example.org. 60 IN A 192.0.2.10"},
		{"add new 60 A 192.0.2.10", 0, ""},
		{"add new 60 A 192.0.2.11", 0, "+ new.example.org. 60 IN A 192.0.2.11"},
		{"add NEW 90 A 192.0.2.11", 0, `
			+ new.example.org. 90 IN A 192.0.2.10
			+ new.example.org. 90 IN A 192.0.2.11
			- new.example.org. 60 IN A 192.0.2.10
			- new.example.org. 60 IN A 192.0.2.11`}, // a set has one TTL
		{"delete new A 192.0.2.99", 0, ""},
		{"delete new A 192.0.2.10", 0, "- new.example.org. 90 IN A 192.0.2.10"},
		{"add new 60 TXT hello\ndelete new A", 0, "+ new.example.org. 60 IN TXT \"hello\"\n- new.example.org. 90 IN A 192.0.2.11"},
		{"add new 60 AAAA 2001:db8::9", 0, "+ new.example.org. 60 IN AAAA 2001:db8::9"},
		{"delete new", 0, "- new.example.org. 60 IN AAAA 2001:db8::9\n- new.example.org. 60 IN TXT \"hello\""},
		{"delete new\ndelete nobody A", 0, ""},
		{"add a 1 A 192.0.2.1\ndelete a\nadd a 2 A 192.0.2.2", 0, "+ a.example.org. 2 IN A 192.0.2.2"}, // in their order
		{"add a 2 TYPE65280 \\# 2 abcd", 0, "+ a.example.org. 2 IN TYPE65280 \\# 2 abcd"},
	})
}

// TestUpdatesOfTypesThatStandAlone is RFC 2136 §3.4.2.2.
func TestUpdatesOfTypesThatStandAlone(t *testing.T) {
	newWorld(t).check([]changed{
		{"add www 60 CNAME mail", 0, ""}, // other data is there
		{"add alias 60 A 192.0.2.9", 0, ""},
		{"add alias 60 CNAME mail", 0, "+ alias.example.org. 60 IN CNAME mail.example.org.\n- alias.example.org. 3600 IN CNAME www.example.org."},
		{"add @ 60 DS 1 13 2 " + strings.Repeat("01", 32), 0, ""}, // RFC 4035 §2.4: it is the parent's
		{"add moved 60 DNAME example.net.", 0, "+ moved.example.org. 60 IN DNAME example.net."},
		{"add moved 60 DNAME example.com.", 0, "+ moved.example.org. 60 IN DNAME example.com.\n- moved.example.org. 60 IN DNAME example.net."},
		{"add wks 60 TYPE11 \\# 6 c00002010601", 0, "+ wks.example.org. 60 IN TYPE11 \\# 6 c00002010601"},
		{"add wks 60 TYPE11 \\# 6 c00002010602", 0, "+ wks.example.org. 60 IN TYPE11 \\# 6 c00002010602\n- wks.example.org. 60 IN TYPE11 \\# 6 c00002010601"},
		{"add wks 60 TYPE11 \\# 6 c00002011102", 0, "+ wks.example.org. 60 IN TYPE11 \\# 6 c00002011102"},
	})
}

// TestTheApexIsKept is RFC 2136 §3.4.2.3 and §3.4.2.4.
func TestTheApexIsKept(t *testing.T) {
	w := newWorld(t)
	w.check([]changed{
		{"delete @", 0, ""},
		{"delete @ NS\ndelete @ SOA", 0, ""},
		{"delete @ SOA ns1 hostmaster 2026022801 7200 900 1209600 300", 0, ""},
		{"delete @ NS ns1\ndelete @ NS ns2.example.net.", 0, "- example.org. 3600 IN NS ns1.example.org."}, // the last one stays
		{"add @ 60 TXT x", 0, "+ example.org. 60 IN TXT \"x\""},
		{"delete @", 0, "- example.org. 60 IN TXT \"x\""},
		{"delete sub NS ns.sub", 0, "- sub.example.org. 3600 IN NS ns.sub.example.org."}, // elsewhere the last one goes
	})
}

func TestUpdatesOfSOA(t *testing.T) {
	w := newWorld(t)
	serial := func() uint32 { h, _ := w.state.Zone(name("example.org.")); return h.Zone.Serial() }
	for _, c := range []struct {
		text string
		want uint32
	}{
		{"add @ 60 SOA ns1 hostmaster 2026022700 1 1 1 1", 2026022801},                      // is before
		{"add www 60 SOA ns1 hostmaster 2026022900 1 1 1 1", 2026022801},                    // is not the apex
		{"add @ 60 SOA ns1 hostmaster 2026022900 1 1 1 1", 2026022900},                      // is behind
		{"add @ 60 SOA ns1 hostmaster 2026023000 1 1 1 1\nadd x 1 A 192.0.2.1", 2026023000}, // counts once
		{"add y 1 A 192.0.2.1", 2026023001},
	} {
		w.signed(update(t, c.text), "update.")
		if got := serial(); got != c.want {
			t.Errorf("%s: the serial is %d, want %d", c.text, got, c.want)
		}
	}
	if h, _ := w.state.Zone(name("example.org.")); h.Zone.SOA().TTL != 60 || h.Zone.SOA().Len() != 1 || h.Zone.Set(name("www.example.org."), dns.TypeSOA).Len() != 0 {
		t.Error("the SOA is not the one of the update")
	}
}

// TestMalformedUpdates is RFC 2136 §3.1 and §3.4.1: nothing is changed, though the first update is good.
func TestMalformedUpdates(t *testing.T) {
	good := "add new 60 A 192.0.2.10"
	for what, c := range map[string]struct {
		change func(m *dns.Msg)
		rcode  int
	}{
		"a zone of type A":           {func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeA }, dns.RcodeFormatError},
		"no zone":                    {func(m *dns.Msg) { m.Question = nil }, dns.RcodeFormatError},
		"a strange zone":             {func(m *dns.Msg) { m.Question[0].Name = "example.net." }, dns.RcodeNotAuth},
		"a name that is no zone":     {func(m *dns.Msg) { m.Question[0].Name = "www.example.org." }, dns.RcodeNotAuth},
		"class CH":                   {func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }, dns.RcodeNotAuth},
		"a name of another zone":     {also(bare("www.example.net.", "A", dns.ClassANY)), dns.RcodeNotZone},
		"adding ANY":                 {also(bare("x", "ANY", dns.ClassINET)), dns.RcodeFormatError},
		"adding AXFR":                {also(bare("x", "AXFR", dns.ClassINET)), dns.RcodeFormatError},
		"adding A without address":   {also(bare("x", "A", dns.ClassINET)), dns.RcodeFormatError},
		"deleting A without address": {also(bare("x", "A", dns.ClassNONE)), dns.RcodeFormatError},
		"deleting AXFR":              {also(bare("x", "AXFR", dns.ClassANY)), dns.RcodeFormatError},
		"deleting MAILA of NONE":     {also(bare("x", "MAILA", dns.ClassNONE)), dns.RcodeFormatError},
		"deleting with a TTL":        {also(withTTL(bare("x", "A", dns.ClassANY))), dns.RcodeFormatError},
		"deleting with rdata":        {also(withClass(record(t, "x 0 A 192.0.2.1"), dns.ClassANY)), dns.RcodeFormatError},
		"deleting one with a TTL":    {also(withClass(record(t, "x 1 A 192.0.2.1"), dns.ClassNONE)), dns.RcodeFormatError},
		"class CH in a record":       {also(withClass(record(t, "x 0 A 192.0.2.1"), dns.ClassCHAOS)), dns.RcodeFormatError},
	} {
		w := newWorld(t)
		m := update(t, good)
		c.change(m)
		wire, _ := w.sign(m, "update.", provider{secret: secret})
		d := w.handle(wire)
		if got := w.parse(d.Reply); got.Rcode != c.rcode || d.Change != nil {
			t.Errorf("%s is answered %s, want %s; changed: %v", what, dns.RcodeToString[got.Rcode], dns.RcodeToString[c.rcode], d.Change != nil)
		}
	}
}

func also(rr dns.RR) func(*dns.Msg) { return func(m *dns.Msg) { m.Ns = append(m.Ns, rr) } }

func withTTL(rr dns.RR) dns.RR {
	rr.Header().Ttl = 1
	return rr
}

func withClass(rr dns.RR, class uint16) dns.RR {
	rr.Header().Class = class
	return rr
}

func TestAnUpdateTellsWhatChanged(t *testing.T) {
	w := newWorld(t)
	h, _ := w.state.Zone(name("example.org."))
	h.Notify = []Target{{Key: name("transfer.")}}
	w.state = w.state.With(h)
	old := w.state
	wire, _ := w.sign(update(t, "add new 60 A 192.0.2.10"), "update.", provider{secret: secret})
	d := w.handle(bytes.Clone(wire))
	if d.Change == nil || d.Change.Old != h.Zone || d.Change.Key != name("update.") || len(d.Change.Notify) != 1 {
		t.Fatalf("the change is %+v", d.Change)
	}
	now, _ := d.Next.Zone(name("example.org."))
	if now.Zone != d.Change.New || len(now.History) != 1 || now.History[0] != h.Zone || now.Zone.Serial() != 2026022802 {
		t.Errorf("the next state has version %d after %d others", now.Zone.Serial(), len(now.History))
	}
	if before, _ := old.Zone(name("example.org.")); before.Zone != h.Zone || len(before.History) != 0 {
		t.Error("the state before has changed")
	}
	w.expect("new.example.org. A", "NOERROR aa\nan new.example.org. 60 IN A 192.0.2.10")
}

func TestTheHistoryIsBounded(t *testing.T) {
	w := newWorld(t)
	for i := range MaxHistory + 10 {
		w.now = w.now.Add(1e9)
		w.signed(update(t, "add new "+string(rune('1'+i%9))+" A 192.0.2.10"), "update.")
	}
	h, _ := w.state.Zone(name("example.org."))
	if len(h.History) != MaxHistory || h.History[MaxHistory-1].Serial()+1 != h.Zone.Serial() {
		t.Errorf("%d versions are kept, the last %d, before %d", len(h.History), h.History[MaxHistory-1].Serial(), h.Zone.Serial())
	}
}

func TestASetThatFitsNoMessageIsRefused(t *testing.T) {
	w := newWorld(t)
	rcode := 0
	for i := 0; rcode == 0 && i < 100; i++ {
		rcode = w.signed(update(t, "add big 60 TXT "+strings.Repeat(" "+strings.Repeat("x", 250), 8)+" "+strings.Repeat("y", i)), "update.").Rcode
		w.now = w.now.Add(1e9)
	}
	if rcode != dns.RcodeRefused {
		t.Errorf("a set without end is answered %s", dns.RcodeToString[rcode])
	}
}
