package peers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// nsupdate has BIND's tool send an update of example.org with a key, if it has a name, and returns what it says if that
// fails.
func (b *box) nsupdate(k key, commands string, options ...string) string {
	b.t.Helper()
	if k.name != "" {
		options = append(options, "-y", k.option())
	}
	script := fmt.Sprintf("server 127.0.0.1 %s\n%s\nsend\n", number(b.address), commands)
	out, err := try(b.t, script, "nsupdate", options...)
	if err != nil {
		return fmt.Sprintf("%s (%v)", strings.TrimSpace(out), err)
	}
	return ""
}

// update is an update that must be done.
func (f *family) update(k key, commands string, options ...string) {
	f.t.Helper()
	if said := f.box.nsupdate(k, "zone example.org\n"+commands, options...); said != "" {
		f.t.Errorf("%s\nnsupdate said: %s", commands, said)
	}
}

// tryUpdates changes a zone by nsupdate, with prerequisites that hold and that do not, and with keys that may and may not.
func tryUpdates(t *testing.T, programs string) {
	f := newFamily(t, programs, "dnssec.sign=true", "serial=increment")
	f.converge()
	for _, c := range []struct {
		by       key
		commands string
		refused  string // what nsupdate says; "" if it is done
		options  []string
	}{
		{f.owner, "update add one.example.org. 2 A 192.0.2.1", "", nil},
		{f.owner, "update add one.example.org. 2 A 192.0.2.2\nupdate add one.example.org. 2 AAAA 2001:db8::1", "", []string{"-v"}},
		{f.owner, "update delete one.example.org. A 192.0.2.1", "", nil},
		{f.owner, "update add alias.example.org. 2 A 192.0.2.1", "", nil}, // beside a CNAME it is passed over: RFC 2136 §3.4.2.2
		{f.owner, "prereq yxdomain one.example.org.\nupdate add two.example.org. 2 TXT two", "", nil},
		{f.owner, "prereq yxdomain nowhere.example.org.\nupdate add two.example.org. 2 TXT wrong", "NXDOMAIN", nil},
		{f.owner, "prereq nxdomain three.example.org.\nupdate add three.example.org. 2 TXT three", "", nil},
		{f.owner, "prereq nxdomain three.example.org.\nupdate add three.example.org. 2 TXT wrong", "YXDOMAIN", nil},
		{f.owner, "prereq yxrrset one.example.org. A\nupdate add four.example.org. 2 TXT four", "", nil},
		{f.owner, "prereq yxrrset one.example.org. MX\nupdate add four.example.org. 2 TXT wrong", "NXRRSET", nil},
		{f.owner, "prereq yxrrset one.example.org. A 192.0.2.2\nupdate add five.example.org. 2 TXT five", "", nil},
		{f.owner, "prereq yxrrset one.example.org. A 192.0.2.3\nupdate add five.example.org. 2 TXT wrong", "NXRRSET", nil},
		{f.owner, "prereq nxrrset one.example.org. MX\nupdate add six.example.org. 2 TXT six", "", nil},
		{f.owner, "prereq nxrrset one.example.org. A\nupdate add six.example.org. 2 TXT wrong", "YXRRSET", nil},
		{f.owner, "update add name.example.com. 2 A 192.0.2.1", "NOTZONE", nil},
		{f.owner, "update add one.example.org. 2 NSEC x.example.org. A", "REFUSED", nil},
		{f.owner, "update delete one.example.org. AAAA\nupdate delete two.example.org.", "", []string{"-v"}},
		{f.printer, "update add printer.example.org. 2 A 192.0.2.9", "", nil},
		{f.printer, "update add x.office.example.org. 2 TXT any", "", nil},
		{f.printer, "update add printer.example.org. 2 TXT no", "REFUSED", nil},
		{f.printer, "update add x.printer.example.org. 2 A 192.0.2.9", "REFUSED", nil},
		{f.printer, "update delete one.example.org.", "REFUSED", nil},
		{key{}, "update add evil.example.org. 2 A 192.0.2.66", "REFUSED", nil},
		{f.all[0].key, "update add evil.example.org. 2 A 192.0.2.66", "REFUSED", nil}, // a key for transfers
		{newKey("owner", "hmac-sha256"), "update add evil.example.org. 2 A 192.0.2.66", "BADSIG", nil},
		{newKey("nobody", "hmac-sha256"), "update add evil.example.org. 2 A 192.0.2.66", "BADKEY", nil},
	} {
		said := f.box.nsupdate(c.by, "zone example.org\n"+c.commands, c.options...)
		if (said == "") != (c.refused == "") || !strings.Contains(said, c.refused) {
			t.Errorf("key %q: %s\nwant %q, nsupdate said: %s", c.by.name, c.commands, c.refused, said)
		}
	}
	if said := f.box.nsupdate(f.owner, "zone example.com\nupdate add www.example.com. 2 A 192.0.2.1"); !strings.Contains(said, "NOTAUTH") {
		t.Errorf("another's zone: %s", said)
	}
	f.converge()
	f.want(map[question]string{
		{"one.example.org.", dns.TypeA}: "192.0.2.2", {"one.example.org.", dns.TypeAAAA}: "", {"two.example.org.", dns.TypeTXT}: "",
		{"three.example.org.", dns.TypeTXT}: `"three"`, {"four.example.org.", dns.TypeTXT}: `"four"`, {"five.example.org.", dns.TypeTXT}: `"five"`,
		{"six.example.org.", dns.TypeTXT}: `"six"`, {"printer.example.org.", dns.TypeA}: "192.0.2.9", {"evil.example.org.", dns.TypeA}: "",
		{"x.office.example.org.", dns.TypeTXT}: `"any"`, {"alias.example.org.", dns.TypeCNAME}: "www.example.org.",
	})
	f.outlived()
	f.undone()
	f.box.quiet()
}

// want checks what all secondaries answer: the data of one record, or none.
func (f *family) want(answers map[question]string) {
	f.t.Helper()
	for _, s := range f.all {
		for q, want := range answers {
			var answer *dns.Msg
			await(f.t, s.name+" answers", func() (err error) {
				answer, err = ask(s.address, q.name, q.typ, nil)
				return err
			})
			got := ""
			if len(answer.Answer) > 0 {
				got = strings.TrimPrefix(answer.Answer[0].String(), answer.Answer[0].Header().String())
			}
			if got != want {
				f.t.Errorf("%s answers %q to %s %s, want %q", s.name, got, q.name, dns.Type(q.typ), want)
			}
		}
	}
}

// outlived stops a secondary while the zone changes: it hears of it when it is back, by its own question or by ours.
func (f *family) outlived() {
	f.t.Helper()
	for _, s := range f.all {
		s.program.kill()
	}
	for i := range 3 {
		f.update(f.owner, fmt.Sprintf("update add missed%d.example.org. 2 A 192.0.2.%d", i, i))
	}
	for _, s := range f.all {
		s.start(f.t, f.box, f.zones)
	}
	begin := time.Now()
	f.converge()
	f.t.Logf("secondaries that were away knew everything %s after they came back", time.Since(begin).Round(time.Millisecond))
}

// undone takes the last change back: the secondaries follow.
func (f *family) undone() {
	f.t.Helper()
	log := f.box.command("log", "example.org")
	if !strings.Contains(log, "update by key owner.: 1 added") || !strings.Contains(log, "update by key printer.") {
		f.t.Errorf("the log is:\n%s", log)
	}
	f.box.command("undo", "example.org")
	f.converge()
	f.want(map[question]string{{"missed1.example.org.", dns.TypeA}: "192.0.2.1", {"missed2.example.org.", dns.TypeA}: ""})
}
