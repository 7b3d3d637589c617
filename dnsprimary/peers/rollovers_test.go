package peers_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// tryRollovers signs a zone and its parent, and rolls all keys of the zone, while a validating resolver that keeps what it
// hears asks again and again: every answer must be secure. The tools of others judge each version of the zone.
func tryRollovers(t *testing.T, programs string) {
	var all sync.WaitGroup
	for _, f := range flavours() {
		if f.sets != nil && !slices.Contains(f.sets, encrypted) { // else it is not signed, or in no other way
			all.Go(func() { t.Run(f.title, func(t *testing.T) { newLineage(t, programs, f).roll() }) })
		}
	}
	all.Wait()
}

// lineage is a zone, its parent, and a resolver that trusts the parent.
type lineage struct {
	t        *testing.T
	box      *box
	owner    key
	split    bool
	resolver string
	judged   uint32 // serial of the last version that was judged
	versions int
}

const (
	parentZone = "$TTL 1\n@ SOA ns1.hearth hostmaster.hearth 1 60 60 1209600 1\n@ NS ns1.hearth\nhearth NS ns1.hearth\nns1.hearth A 127.0.0.1\n"
	childZone  = "$TTL 1\n@ SOA ns1 hostmaster 1 60 60 1209600 1\n@ NS ns1\nns1 A 127.0.0.1\nwww A 192.0.2.7\n*.wild TXT star\ndeep.empty A 192.0.2.8\nunsigned NS ns1\n"
)

func newLineage(t *testing.T, programs string, f flavour) *lineage {
	need(t, "named", "delv", "ldns-verify-zone", "kzonecheck", "dnssec-verify", "nsupdate")
	l := &lineage{t: t, owner: newKey("owner", "hmac-sha256"), resolver: port(t), split: !strings.Contains(f.title, "CSK")}
	l.box = newBox(t, programs, []string{"test", "hearth.test"}, f.sets...)
	l.box.sets = append(l.box.sets, "keys="+l.owner.file(t, l.box.folder, "update test test"), "dnssec.propagation=2s", "dnssec.key_ttl=1s", "dnssec.parent_ttl=1s",
		"dnssec.parent_propagation=1s", "dnssec.resolvers="+l.resolver)
	l.box.start()
	l.box.load("test", parentZone)
	l.box.load("hearth.test", childZone)
	l.startResolver()
	return l
}

// startResolver starts a BIND that trusts the keys of the parent zone, and validates.
func (l *lineage) startResolver() {
	l.t.Helper()
	anchors := anchors(l.t, l.box.command("ds", "test"))
	write(l.t, l.box.folder, "resolver.conf", fmt.Sprintf(`options {
	directory "%s"; pid-file "named.pid"; session-keyfile "session.key"; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; };
	recursion yes; allow-query { 127.0.0.1; }; dnssec-validation yes; servfail-ttl 0;
};
controls { };
%s
zone "test" { type forward; forward only; forwarders { 127.0.0.1 port %s; }; };
`, l.box.folder, number(l.resolver), anchors, number(l.box.address)))
	start(l.t, l.box.folder, "resolver", find("named"), "-g", "-c", "resolver.conf")
}

// anchors writes what dnsprimary ds prints as trust anchors of BIND and delv.
func anchors(t *testing.T, records string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(records) {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatalf("%q is no DS record: %v", line, err)
		}
		ds := rr.(*dns.DS)
		fmt.Fprintf(&b, "%q static-ds %d %d %d %q; ", ds.Hdr.Name, ds.KeyTag, ds.Algorithm, ds.DigestType, ds.Digest)
	}
	return "trust-anchors { " + b.String() + "};"
}

func (l *lineage) roll() {
	l.delegate()
	await(l.t, "the resolver finds the zone secure", func() error { return secure(l.resolver, question{"www.hearth.test.", dns.TypeA}) })
	await(l.t, "dnsprimary has seen its DS at the parent", func() error {
		for _, k := range l.keys() {
			if k.role != "ZSK" && k.confirmed == "-" {
				return fmt.Errorf("key %s waits for its DS", k.tag)
			}
		}
		return nil
	})
	l.judge()
	first := l.keys()
	watch := l.watch()
	roles := []string{"csk"}
	if l.split {
		roles = []string{"zsk", "ksk"}
	}
	for _, role := range roles {
		l.box.command("keys", "hearth.test", "roll", role)
	}
	begin := time.Now()
	await(l.t, "the old keys are gone", func() error {
		l.judge()
		l.delegate()
		now := l.keys()
		for tag := range first {
			if _, still := now[tag]; still {
				return fmt.Errorf("key %s of %v is still there, beside %v", tag, slices.Collect(maps.Keys(first)), slices.Collect(maps.Keys(now)))
			}
		}
		return nil
	})
	l.judge()
	watch()
	if l.versions < 4 {
		l.t.Errorf("only %d versions were judged", l.versions)
	}
	l.t.Logf("rolled %v in %s; %d versions were judged", roles, time.Since(begin).Round(time.Millisecond), l.versions)
	l.switchDenial()
	l.box.quiet()
}

// switchDenial changes between NSEC and NSEC3 by a restart with another setting.
func (l *lineage) switchDenial() {
	l.t.Helper()
	hashed := slices.Contains(l.box.sets, "dnssec.nsec3=true")
	l.box.sets = append(l.box.sets, fmt.Sprintf("dnssec.nsec3=%v", !hashed))
	l.box.primary.kill()
	l.box.start()
	l.judge()
	answer, err := ask(l.box.address, "nothing.hearth.test.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(1232, true) })
	if err != nil {
		l.t.Fatal(err)
	}
	types := make(map[uint16]bool)
	for _, rr := range answer.Ns {
		types[rr.Header().Rrtype] = true
	}
	if types[dns.TypeNSEC] != hashed || types[dns.TypeNSEC3] == hashed {
		l.t.Errorf("NSEC3 was %v, and now a denial has the types %v", hashed, types)
	}
	await(l.t, "the resolver finds the zone secure", func() error { return secure(l.resolver, question{"never.hearth.test.", dns.TypeA}) })
}

// keyLine is a line of dnsprimary keys.
type keyLine struct{ tag, role, confirmed string }

func (l *lineage) keys() map[string]keyLine {
	l.t.Helper()
	keys := make(map[string]keyLine)
	for i, line := range slices.Collect(strings.Lines(l.box.command("keys", "hearth.test"))) {
		columns := strings.Fields(line)
		if i == 0 || columns[0] == "key" {
			continue // titles, and what is to be done
		}
		at := 3 // published and active are each "date time" or "-"
		for range 2 {
			if columns[at] == "-" {
				at++
			} else {
				at += 2
			}
		}
		keys[columns[0]] = keyLine{columns[0], columns[1], columns[at]}
	}
	return keys
}

// delegate does what the registrar does: it puts what CDS asks for into the parent zone (RFC 7344 §6).
func (l *lineage) delegate() {
	l.t.Helper()
	answer, err := ask(l.box.address, "hearth.test.", dns.TypeCDS, nil)
	if err != nil || len(answer.Answer) == 0 {
		l.t.Fatalf("asking for CDS: %v, %v", answer, err)
	}
	ds := &answer.Answer[0].(*dns.CDS).DS
	ds.Hdr.Rrtype = dns.TypeDS
	there, err := ask(l.box.address, "hearth.test.", dns.TypeDS, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	if len(there.Answer) == 1 && there.Answer[0].(*dns.DS).Digest == ds.Digest {
		return
	}
	data := fmt.Sprintf("%d %d %d %s", ds.KeyTag, ds.Algorithm, ds.DigestType, ds.Digest)
	if said := l.box.nsupdate(l.owner, "zone test\nupdate delete hearth.test. DS\nupdate add hearth.test. 1 DS "+data); said != "" {
		l.t.Fatalf("putting the DS into the parent: %s", said)
	}
}

// judge has the tools of others check the zone, if it is another than last time.
func (l *lineage) judge() {
	l.t.Helper()
	now, err := serial(l.box.address, "hearth.test.")
	if err != nil {
		l.t.Fatal(err)
	}
	if now == l.judged {
		return
	}
	l.judged, l.versions = now, l.versions+1
	file := write(l.t, l.box.folder, "judged.zone", l.box.command("show", "hearth.test"))
	for _, judge := range [][]string{
		{"ldns-verify-zone", file},
		{"dnssec-verify", "-z", "-o", "hearth.test", file}, // -z: one key for both is as good
		{"kzonecheck", "-o", "hearth.test", "-d", "on", file},
	} {
		if judge[0] == "kzonecheck" && !l.split {
			continue // it takes two combined keys for KSKs, and then lacks a ZSK
		}
		if out, err := try(l.t, "", judge[0], judge[1:]...); err != nil {
			l.t.Errorf("version %d, serial %d, %s: %v\n%s", l.versions, now, judge[0], err, out)
		}
	}
	trusted := write(l.t, l.box.folder, "delv.conf", anchors(l.t, l.box.command("ds", "hearth.test")))
	for name, want := range map[string]string{
		"www.hearth.test A": "; fully validated", "x.wild.hearth.test TXT": "; fully validated", "hearth.test CDNSKEY": "; fully validated",
		"nothing.hearth.test A": "fully validated", "empty.hearth.test A": "fully validated", "www.hearth.test MX": "fully validated",
	} {
		args := append([]string{"@127.0.0.1", "-p", number(l.box.address), "-a", trusted, "+root=hearth.test"}, strings.Fields(name)...)
		if out, err := try(l.t, "", "delv", args...); err != nil || !strings.Contains(out, want) {
			l.t.Errorf("version %d, serial %d, delv %s: %v\n%s", l.versions, now, name, err, out)
		}
	}
}

// secure asks a resolver, and wants an answer that it has validated.
func secure(resolver string, q question) error {
	answer, err := ask(resolver, q.name, q.typ, func(m *dns.Msg) { m.RecursionDesired, m.AuthenticatedData = true, true })
	switch {
	case err != nil:
		return err
	case answer.Rcode == dns.RcodeServerFailure || !answer.AuthenticatedData:
		return fmt.Errorf("%s %s: %s, secure %v", q.name, dns.Type(q.typ), dns.RcodeToString[answer.Rcode], answer.AuthenticatedData)
	}
	return nil
}

// watch asks the resolver all the time, until the function that it returns is called: that reports what was not secure.
func (l *lineage) watch() (end func()) {
	var wait sync.WaitGroup
	stop := make(chan struct{})
	asked := 0
	wait.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			for i, q := range []question{
				{"www.hearth.test.", dns.TypeA}, {"hearth.test.", dns.TypeDNSKEY}, {"x.wild.hearth.test.", dns.TypeTXT}, {"hearth.test.", dns.TypeDS},
				{fmt.Sprintf("no%d.hearth.test.", asked), dns.TypeA}, {"www.hearth.test.", dns.TypeMX},
			} {
				if err := secure(l.resolver, q); err != nil {
					l.t.Errorf("round %d, question %d: %v", asked, i, err)
				}
			}
			asked++
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	})
	return func() {
		close(stop)
		wait.Wait()
		l.t.Logf("%d rounds of questions were answered securely", asked)
	}
}
