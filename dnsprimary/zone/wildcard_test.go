package zone

import (
	"testing"

	"github.com/miekg/dns"
)

// rfc4592 is the zone of RFC 4592 §2.2.1.
const rfc4592 = soa + `
@                3600 NS    ns.example.com.
@                3600 NS    ns.example.net.
*                3600 TXT   "this is a wildcard"
*                3600 MX    10 host1.example.
sub.*            3600 TXT   "this is not a wildcard"
host1            3600 A     192.0.2.1
_ssh._tcp.host1  3600 SRV   0 5 22 host1
_ssh._tcp.host2  3600 SRV   0 5 22 host2
subdel           3600 NS    ns.example.com.
subdel           3600 NS    ns.example.net.
`

// TestWildcardsOfTheRFC asks what RFC 4592 §2.2.1 asks, in its order.
func TestWildcardsOfTheRFC(t *testing.T) {
	check(t, mustZone(t, "example.", rfc4592), []question{
		{"host3.example. MX", `NOERROR aa
			an host3.example. 3600 MX 10 host1.example. ; wildcard *.example.
			ad host1.example. 3600 A 192.0.2.1
			no Expanded host3.example. encloser example. next host3.example.`},
		{"host3.example. A", `NOERROR aa
			au example. 300 SOA
			no NoWildType host3.example. encloser example. next host3.example.`},
		{"foo.bar.example. TXT", `NOERROR aa
			an foo.bar.example. 3600 TXT "this is a wildcard" ; wildcard *.example.
			no Expanded foo.bar.example. encloser example. next bar.example.`},
		{"host1.example. MX", `NOERROR aa
			au example. 300 SOA
			no NoType host1.example.`},
		{"sub.*.example. MX", `NOERROR aa
			au example. 300 SOA
			no NoType sub.*.example.`},
		{"_telnet._tcp.host1.example. SRV", `NXDOMAIN aa
			au example. 300 SOA
			no NoName _telnet._tcp.host1.example. encloser _tcp.host1.example. next _telnet._tcp.host1.example.`},
		{"host.subdel.example. A", `NOERROR
			au subdel.example. 3600 NS ns.example.com.
			au subdel.example. 3600 NS ns.example.net.
			no NoDS subdel.example.`},
		{"ghost.*.example. MX", `NXDOMAIN aa
			au example. 300 SOA
			no NoName ghost.*.example. encloser *.example. next ghost.*.example.`},
	})
}

func TestWildcards(t *testing.T) {
	z := mustZone(t, "example.", soa+`
@        NS  ns1
ns1      A   192.0.2.1
*.wild   CNAME ns1
*.far    CNAME elsewhere.example.net.
a.*.ent  A   192.0.2.9
x.sub.wild A 192.0.2.2
*.mail   MX  5 in.mail
*.mail   A   192.0.2.3
`)
	check(t, z, []question{
		{"*.wild.example. CNAME", `NOERROR aa
			an *.wild.example. 3600 CNAME ns1.example.`}, // asked for by its own name it is a name like any other
		{"b.wild.example. A", `NOERROR aa
			an b.wild.example. 3600 CNAME ns1.example. ; wildcard *.wild.example.
			an ns1.example. 3600 A 192.0.2.1
			no Expanded b.wild.example. encloser wild.example. next b.wild.example.`},
		{"b.far.example. A", `NOERROR aa
			an b.far.example. 3600 CNAME elsewhere.example.net. ; wildcard *.far.example.
			no Expanded b.far.example. encloser far.example. next b.far.example.`},
		{"sub.wild.example. A", `NOERROR aa
			au example. 300 SOA
			no NoType sub.wild.example.`}, // an empty non-terminal keeps the wildcard out
		{"y.sub.wild.example. A", `NXDOMAIN aa
			au example. 300 SOA
			no NoName y.sub.wild.example. encloser sub.wild.example. next y.sub.wild.example.`},
		{"b.ent.example. A", `NOERROR aa
			au example. 300 SOA
			no NoWildType b.ent.example. encloser ent.example. next b.ent.example.`}, // *.ent is there, and empty
		{"q.mail.example. MX", `NOERROR aa
			an q.mail.example. 3600 MX 5 in.mail.example. ; wildcard *.mail.example.
			ad in.mail.example. 3600 A 192.0.2.3 ; wildcard *.mail.example.
			no Expanded q.mail.example. encloser mail.example. next q.mail.example.`},
	})
}

// TestWildcardsThatComeAndGo has a wildcard that is nothing but a name between others: it is there without data (RFC 4592
// §2.2.2), until what is below it goes.
func TestWildcardsThatComeAndGo(t *testing.T) {
	z := mustZone(t, "example.org.", soa+"@ NS ns1\nns1 A 192.0.2.1\n")
	below, err := ParseName("a.*.example.org")
	if err != nil {
		t.Fatal(err)
	}
	rcode := func() int {
		var a Answer
		z.Answer(&a, "\x01x\x07example\x03org\x00", dns.TypeA)
		return a.Rcode
	}
	for range 2 {
		if rcode() != dns.RcodeNameError {
			t.Error("there is no wildcard, and x exists")
		}
		e := z.Edit()
		if _, err := e.Add(Record{below, dns.TypeA, 60, "\xc0\x00\x02\x01"}); err != nil {
			t.Fatal(err)
		}
		if z = e.Zone(); rcode() != dns.RcodeSuccess {
			t.Error("the wildcard is not seen")
		}
		e = z.Edit()
		e.RemoveName(below)
		z = e.Zone()
	}
}
