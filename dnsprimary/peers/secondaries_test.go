package peers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// flavour is one way to sign.
type flavour struct {
	title string
	sets  []string
}

// encrypted lets secondaries transfer over TLS (RFC 9103), and names dnsprimary's certificate.
const encrypted = "tls.names=ns1.example.org"

func flavours() []flavour {
	all := []flavour{
		{"NSEC, ECDSA, KSK and ZSK", []string{"dnssec.sign=true"}},
		{"NSEC3, Ed25519, CSK", []string{"dnssec.sign=true", "dnssec.nsec3=true", "dnssec.algorithm=ED25519", "dnssec.split=false"}},
		{"NSEC, Ed25519, KSK and ZSK", []string{"dnssec.sign=true", "dnssec.algorithm=ED25519"}},
		{"NSEC3, ECDSA, KSK and ZSK", []string{"dnssec.sign=true", "dnssec.nsec3=true"}},
		{"unsigned", nil},
		{"transfers over TLS", []string{"dnssec.sign=true", encrypted}},
	}
	if !long() {
		return all[:2]
	}
	return all
}

// trySecondaries lets BIND, Knot and NSD fetch two zones by AXFR and IXFR, told by NOTIFY signed and unsigned, and compares
// what they serve with what we serve.
func trySecondaries(t *testing.T, programs string) {
	for _, f := range flavours() {
		t.Run(f.title, func(t *testing.T) { newFamily(t, programs, f.sets...).agree() })
	}
}

// family is a primary and its secondaries.
type family struct {
	t       *testing.T
	box     *box
	owner   key // may do everything
	printer key // may change its own name's addresses, and all in the office
	zones   []hosted
	all     []*secondary
}

func newFamily(t *testing.T, programs string, sets ...string) *family {
	t.Helper()
	f := &family{
		t: t, all: secondaries(t), zones: []hosted{{"example.org", true}, {"example.net", false}},
		owner: newKey("owner", "hmac-sha256"), printer: newKey("printer", "hmac-sha384"),
	}
	f.box = newBox(t, programs, []string{"example.org", "example.net"}, sets...)
	keys := []string{
		f.owner.file(t, f.box.folder, "transfer example.org", "update example.org example.org", "transfer example.net", "update example.net example.net"),
		f.printer.file(t, f.box.folder, "update example.org =printer.example.org A AAAA", "update example.org office.example.org"),
	}
	var notify []string
	for _, s := range f.all {
		file, targets := s.register(t, f.box, f.zones)
		keys, notify = append(keys, file), append(notify, targets...)
	}
	if slices.Contains(sets, encrypted) {
		dot := port(t)
		f.box.sets = append(f.box.sets, "listen_tls="+dot)
		for _, s := range f.all {
			if s.name != "knot" { // Debian's cannot
				s.via = dot
			}
		}
	}
	f.box.sets = append(f.box.sets, "keys="+strings.Join(keys, ","), "notify="+strings.Join(notify, ","))
	f.box.start()
	f.box.load("example.org", world)
	f.box.load("example.net", "$TTL 2\n@ SOA ns1 hostmaster 1 3600 2 1209600 2\n@ NS ns1\nns1 A 127.0.0.1\nx A 192.0.2.5\n")
	for _, s := range f.all {
		s.start(t, f.box, f.zones)
	}
	return f
}

// converge waits until all serve the newest version of all zones, and checks that their records are ours.
func (f *family) converge() {
	f.t.Helper()
	for _, z := range f.zones {
		for _, s := range f.all {
			await(f.t, s.name+" has the newest "+z.name, func() error {
				ours, err := serial(f.box.address, z.name+".")
				if err != nil {
					return err
				}
				theirs, err := serial(s.address, z.name+".")
				if err == nil && ours != theirs {
					err = fmt.Errorf("it has serial %d, we have %d", theirs, ours)
				}
				return err
			})
		}
		ours, err := transfer(f.box.address, z.name+".", &f.owner)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, s := range f.all {
			var theirs []string
			await(f.t, s.name+" gives us "+z.name, func() error { // NSD cuts connections off when it reloads
				theirs, err = transfer(s.address, z.name+".", nil)
				return err
			})
			if !slices.Equal(ours, theirs) {
				f.t.Errorf("%s of %s is another zone:\nonly ours: %q\nonly theirs: %q", z.name, s.name, without(ours, theirs), without(theirs, ours))
			}
		}
	}
}

func (f *family) agree() {
	f.converge() // by AXFR
	for _, s := range f.all {
		compare(f.t, f.box.address, s)
	}
	before, err := serial(f.box.address, "example.org.")
	if err != nil {
		f.t.Fatal(err)
	}
	for i := range 5 {
		f.update(f.owner, fmt.Sprintf("update add www%d.example.org. 2 A 192.0.2.%d\nupdate add extra.wild.example.org. 2 TXT %d", i, i, i))
	}
	f.update(f.owner, "update delete child.example.org.\nupdate delete *.wild.example.org. TXT\nupdate add below.mail.example.org. 2 A 192.0.2.7")
	f.converge() // by IXFR
	if after, err := serial(f.box.address, "example.org."); err != nil || after == before {
		f.t.Errorf("serial %d after %d: %v", after, before, err)
	}
	for _, s := range f.all {
		compare(f.t, f.box.address, s)
		s.wantIncremental(f.t)
	}
	if slices.Contains(f.box.sets, encrypted) {
		if n := f.box.metric(`hearth_dns_queries_total{transport="tls"}`); n < 8 { // BIND and NSD, two zones, AXFR and IXFR
			f.t.Errorf("%d messages came over TLS", n)
		}
	}
	f.box.quiet()
}

// wantIncremental looks for a sign that the secondary took changes by IXFR. NSD leaves none.
func (s *secondary) wantIncremental(t *testing.T) {
	t.Helper()
	switch s.name {
	case "knot":
		if log, err := os.ReadFile(s.program.log); err != nil || !strings.Contains(string(log), "IXFR, incoming") {
			t.Errorf("Knot took no IXFR: %v", err)
		}
	case "bind": // it keeps a journal of them
		if _, err := os.Stat(filepath.Join(s.folder, "example.org.zone.jnl")); err != nil {
			t.Errorf("BIND took no IXFR: %v", err)
		}
	}
}
