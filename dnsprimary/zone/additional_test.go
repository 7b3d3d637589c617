package zone

import "testing"

func TestAdditionalRecords(t *testing.T) {
	z := mustZone(t, "example.org.", soa+`
@           NS    ns1
@           MX    10 mail
@           MX    20 mail.example.net.
@           HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.5
@           A     192.0.2.5
ns1         A     192.0.2.1
mail        A     192.0.2.2
mail        AAAA  2001:db8::2
_x._tcp     SRV   10 5 443 mail
_x._tcp     SRV   10 5 444 mail
_none._tcp  SRV   0 0 0 .
apex        HTTPS 0 svc
svc         HTTPS 1 pool port=8443
pool        AAAA  2001:db8::7
off         SVCB  0 .
ring        SVCB  0 gnir
gnir        SVCB  0 ring
`)
	check(t, z, []question{
		{"example.org. NS", `NOERROR aa
			an example.org. 3600 NS ns1.example.org.
			ad ns1.example.org. 3600 A 192.0.2.1`},
		{"example.org. MX", `NOERROR aa
			an example.org. 3600 MX 10 mail.example.org.
			an example.org. 3600 MX 20 mail.example.net.
			ad mail.example.org. 3600 A 192.0.2.2
			ad mail.example.org. 3600 AAAA 2001:db8::2`},
		{"_x._tcp.example.org. SRV", `NOERROR aa
			an _x._tcp.example.org. 3600 SRV 10 5 443 mail.example.org.
			an _x._tcp.example.org. 3600 SRV 10 5 444 mail.example.org.
			ad mail.example.org. 3600 A 192.0.2.2
			ad mail.example.org. 3600 AAAA 2001:db8::2`},
		{"_none._tcp.example.org. SRV", `NOERROR aa
			an _none._tcp.example.org. 3600 SRV 0 0 0 .`},
		{"example.org. HTTPS", `NOERROR aa
			an example.org. 3600 HTTPS 1 . alpn="h2,h3" ipv4hint="192.0.2.5"
			ad example.org. 3600 A 192.0.2.5`}, // "." is the owner itself
		{"apex.example.org. HTTPS", `NOERROR aa
			an apex.example.org. 3600 HTTPS 0 svc.example.org.
			ad svc.example.org. 3600 HTTPS 1 pool.example.org. port="8443"
			ad pool.example.org. 3600 AAAA 2001:db8::7`},
		{"off.example.org. SVCB", `NOERROR aa
			an off.example.org. 3600 SVCB 0 .`},
		{"ring.example.org. SVCB", `NOERROR aa
			an ring.example.org. 3600 SVCB 0 gnir.example.org.
			ad gnir.example.org. 3600 SVCB 0 ring.example.org.`},
	})
}
