package zone

import "testing"

func TestExactNames(t *testing.T) {
	z := mustZone(t, "example.org.", soa+`
@            NS   ns1
ns1          A    192.0.2.1
www          A    192.0.2.2
www          A    192.0.2.3
www          AAAA 2001:db8::2
WWW          600 TXT  "Case is no matter"
a.b.c        A    192.0.2.4
unknown      TYPE65280 \# 3 01ff00
sshfp        SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
_443._tcp    TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
@            CAA  0 issue "ca.example.net"
`)
	check(t, z, []question{
		{"www.example.org. A", `NOERROR aa
			an www.example.org. 3600 A 192.0.2.2
			an www.example.org. 3600 A 192.0.2.3`},
		{"wWw.EXAMPLE.org. TXT", `NOERROR aa
			an www.example.org. 600 TXT "Case is no matter"`},
		{"www.example.org. MX", `NOERROR aa
			au example.org. 300 SOA
			no NoType www.example.org.`},
		{"c.example.org. A", `NOERROR aa
			au example.org. 300 SOA
			no NoType c.example.org.`}, // an empty non-terminal
		{"b.c.example.org. ANY", `NOERROR aa
			au example.org. 300 SOA
			no NoType b.c.example.org.`},
		{"none.example.org. A", `NXDOMAIN aa
			au example.org. 300 SOA
			no NoName none.example.org. encloser example.org. next none.example.org.`},
		{"x.y.b.c.example.org. A", `NXDOMAIN aa
			au example.org. 300 SOA
			no NoName x.y.b.c.example.org. encloser b.c.example.org. next y.b.c.example.org.`},
		{"unknown.example.org. TYPE65280", `NOERROR aa
			an unknown.example.org. 3600 TYPE65280 \# 3 01ff00`},
		{"sshfp.example.org. SSHFP", `NOERROR aa
			an sshfp.example.org. 3600 SSHFP 4 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF`},
		{"_443._tcp.example.org. TLSA", `NOERROR aa
			an _443._tcp.example.org. 3600 TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef`},
		{"example.org. CAA", `NOERROR aa
			an example.org. 3600 CAA 0 issue "ca.example.net"`},
		{"example.org. SOA", `NOERROR aa
			an example.org. 3600 SOA`},
		{"example.org. DS", `NOERROR aa
			au example.org. 300 SOA
			no NoType example.org.`}, // RFC 4035 §3.1.4.1: the side below, which has none
	})
}

// TestAnyIsAnsweredWithOneSet is RFC 8482 §4.1.
func TestAnyIsAnsweredWithOneSet(t *testing.T) {
	z := mustZone(t, "example.org.", soa+`
@    NS   ns1
ns1  A    192.0.2.1
big  TXT  "a long text that an attacker would like to be sent to somebody else"
big  A    192.0.2.2
big  AAAA 2001:db8::2
nick CNAME big
`)
	check(t, z, []question{
		{"big.example.org. ANY", `NOERROR aa
			an big.example.org. 3600 A 192.0.2.2`},
		{"nick.example.org. ANY", `NOERROR aa
			an nick.example.org. 3600 CNAME big.example.org.`},
		{"none.example.org. ANY", `NXDOMAIN aa
			au example.org. 300 SOA
			no NoName none.example.org. encloser example.org. next none.example.org.`},
	})
}
