package zone

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestChainsOfCNAME(t *testing.T) {
	z := mustZone(t, "example.org.", soa+`
@      NS    ns1
ns1    A     192.0.2.1
www    CNAME host
host   A     192.0.2.2
one    CNAME two
two    CNAME www
away   CNAME www.example.net.
lost   CNAME none
empty  CNAME ent
x.ent  A     192.0.2.3
cut    NS    ns.cut
ns.cut A     192.0.2.4
below  CNAME host.cut
loop   CNAME pool
pool   CNAME loop
self   CNAME self
`)
	check(t, z, []question{
		{"one.example.org. A", `NOERROR aa
			an one.example.org. 3600 CNAME two.example.org.
			an two.example.org. 3600 CNAME www.example.org.
			an www.example.org. 3600 CNAME host.example.org.
			an host.example.org. 3600 A 192.0.2.2`},
		{"one.example.org. CNAME", `NOERROR aa
			an one.example.org. 3600 CNAME two.example.org.`},
		{"www.example.org. NSEC", `NOERROR aa
			an www.example.org. 3600 CNAME host.example.org.
			au example.org. 300 SOA
			no NoType host.example.org.`}, // might stand beside a CNAME; as it does not, a validator wants the CNAME followed (RFC 6840 §4.3)
		{"www.example.org. AAAA", `NOERROR aa
			an www.example.org. 3600 CNAME host.example.org.
			au example.org. 300 SOA
			no NoType host.example.org.`},
		{"away.example.org. A", `NOERROR aa
			an away.example.org. 3600 CNAME www.example.net.`},
		{"lost.example.org. A", `NXDOMAIN aa
			an lost.example.org. 3600 CNAME none.example.org.
			au example.org. 300 SOA
			no NoName none.example.org. encloser example.org. next none.example.org.`}, // RFC 6604 §3
		{"empty.example.org. A", `NOERROR aa
			an empty.example.org. 3600 CNAME ent.example.org.
			au example.org. 300 SOA
			no NoType ent.example.org.`},
		{"below.example.org. A", `NOERROR aa
			an below.example.org. 3600 CNAME host.cut.example.org.
			au cut.example.org. 3600 NS ns.cut.example.org.
			ad ns.cut.example.org. 3600 A 192.0.2.4 ; needed
			no NoDS cut.example.org.`},
		{"loop.example.org. A", `NOERROR aa
			an loop.example.org. 3600 CNAME pool.example.org.
			an pool.example.org. 3600 CNAME loop.example.org.`},
		{"self.example.org. A", `NOERROR aa
			an self.example.org. 3600 CNAME self.example.org.`},
	})
}

func TestALongChainEnds(t *testing.T) {
	var text strings.Builder
	text.WriteString(soa)
	for i := range 100 {
		fmt.Fprintf(&text, "c%d CNAME c%d\n", i, i+1)
	}
	var a Answer
	mustZone(t, "example.org.", text.String()).Answer(&a, mustName(t, "c0.example.org."), dns.TypeA)
	if len(a.Answer) != maxChain {
		t.Errorf("the answer follows %d CNAME, want %d", len(a.Answer), maxChain)
	}
}

// TestDNAME is RFC 6672 §2.2's table, as far as its names lie in one zone, and §3.2.
func TestDNAME(t *testing.T) {
	z := mustZone(t, "example.", soa+`
@           NS    ns1
ns1         A     192.0.2.1
from        600 DNAME to
from        TXT   "beside DNAME other data may stand"
hidden.from A     192.0.2.9
a.to        A     192.0.2.2
grow        DNAME x.grow2
grow2       DNAME grow.y
out         DNAME example.net.
long        DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
alias       CNAME a.from
`)
	check(t, z, []question{
		{"a.from.example. A", `NOERROR aa
			an from.example. 600 DNAME to.example.
			an a.from.example. 600 CNAME a.to.example. ; made
			an a.to.example. 3600 A 192.0.2.2`},
		{"b.from.example. A", `NXDOMAIN aa
			an from.example. 600 DNAME to.example.
			an b.from.example. 600 CNAME b.to.example. ; made
			au example. 300 SOA
			no NoName b.to.example. encloser to.example. next b.to.example.`},
		{"hidden.from.example. A", `NXDOMAIN aa
			an from.example. 600 DNAME to.example.
			an hidden.from.example. 600 CNAME hidden.to.example. ; made
			au example. 300 SOA
			no NoName hidden.to.example. encloser to.example. next hidden.to.example.`},
		{"a.from.example. CNAME", `NOERROR aa
			an from.example. 600 DNAME to.example.
			an a.from.example. 600 CNAME a.to.example. ; made`},
		{"from.example. TXT", `NOERROR aa
			an from.example. 3600 TXT "beside DNAME other data may stand"`},
		{"from.example. DNAME", `NOERROR aa
			an from.example. 600 DNAME to.example.`},
		{"from.example. A", `NOERROR aa
			au example. 300 SOA
			no NoType from.example.`}, // a DNAME says nothing of its own name
		{"shop.out.example. A", `NOERROR aa
			an out.example. 3600 DNAME example.net.
			an shop.out.example. 3600 CNAME shop.example.net. ; made`},
		{"alias.example. A", `NOERROR aa
			an alias.example. 3600 CNAME a.from.example.
			an from.example. 600 DNAME to.example.
			an a.from.example. 600 CNAME a.to.example. ; made
			an a.to.example. 3600 A 192.0.2.2`},
		{"ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.long.example. A", `YXDOMAIN aa
			an long.example. 3600 DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.example.`},
	})
	check(t, mustZone(t, "loop.", soa+"@ NS ns.example.\na DNAME b\nb DNAME a\n"), []question{
		{"x.a.loop. A", `NOERROR aa
			an a.loop. 3600 DNAME b.loop.
			an x.a.loop. 3600 CNAME x.b.loop. ; made
			an b.loop. 3600 DNAME a.loop.
			an x.b.loop. 3600 CNAME x.a.loop. ; made`},
	})
	check(t, mustZone(t, "up.", soa+"@ NS ns.example.\na DNAME @\n"), []question{
		{"a.a.up. DNAME", `NOERROR aa
			an a.up. 3600 DNAME up.
			an a.a.up. 3600 CNAME a.up. ; made`}, // once, though it is both on the way and what was asked for
	})
	check(t, mustZone(t, "moved.", soa+"@ NS ns.example.\n@ DNAME example.net.\n"), []question{
		{"www.moved. A", `NOERROR aa
			an moved. 3600 DNAME example.net.
			an www.moved. 3600 CNAME www.example.net. ; made`}, // a whole zone may move
		{"moved. NS", `NOERROR aa
			an moved. 3600 NS ns.example.`},
	})
}
