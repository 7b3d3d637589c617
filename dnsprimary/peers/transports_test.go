package peers_test

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
)

// tryTransports asks with dig and kdig over UDP, TCP, TLS and QUIC, and in all the ways that EDNS knows.
func tryTransports(t *testing.T, programs string) {
	need(t, "dig", "kdig")
	owner := newKey("owner", "hmac-sha512")
	b := newBox(t, programs, []string{"example.org"}, "dnssec.sign=true", "nsid=box.example.org", "version=hearth test", "tls.names=ns1.example.org")
	dot, doq := port(t), port(t)
	b.sets = append(b.sets, "listen_tls="+dot, "listen_quic="+doq, "socket="+b.path("dns.sock"), "keys="+owner.file(t, b.folder, "transfer example.org"))
	b.start()
	b.load("example.org", world+large())
	at := func(address string) []string { return []string{"@127.0.0.1", "-p", number(address)} }
	for _, c := range []struct {
		title, tool, at string
		args            string
		want            []string // and with a "-" what must not be
	}{
		{"UDP", "dig", b.address, "+norec +dnssec www.example.org A", []string{"status: NOERROR", "192.0.2.48", "RRSIG", "flags: qr aa;", "udp: 1232"}},
		{"TCP", "dig", b.address, "+norec +tcp www.example.org A", []string{"192.0.2.48", "(TCP)"}},
		{"several questions on one connection", "dig", b.address, "+norec +tcp +keepopen www.example.org A +norec +tcp +keepopen mail.example.org A", []string{"192.0.2.48", "192.0.2.25"}},
		{"a cookie of a client", "dig", b.address, "+norec +cookie=0011223344556677 www.example.org A", []string{"COOKIE: 0011223344556677", "(good)"}},
		{"no cookie", "dig", b.address, "+norec +nocookie www.example.org A", []string{"192.0.2.48", "-COOKIE"}},
		{"NSID", "dig", b.address, "+norec +nsid www.example.org A", []string{`("box.example.org")`}},
		{"EXPIRE", "dig", b.address, "+norec +expire example.org SOA", []string{"EXPIRE: 1209600"}},
		{"the version", "dig", b.address, "version.bind TXT CH", []string{`"hearth test"`}},
		{"an unknown version of EDNS", "dig", b.address, "+norec +edns=1 +noednsneg www.example.org A", []string{"BADVERS"}},
		{"an unknown option of EDNS", "dig", b.address, "+norec +ednsopt=65001:aabb www.example.org A", []string{"status: NOERROR", "192.0.2.48"}},
		{"unknown flags of EDNS", "dig", b.address, "+norec +ednsflags=0x40 www.example.org A", []string{"status: NOERROR", "-MBZ"}},
		{"no EDNS", "dig", b.address, "+norec +noedns www.example.org A", []string{"192.0.2.48", "-EDNS"}},
		{"a subnet", "dig", b.address, "+norec +subnet=192.0.2.0/24 www.example.org A", []string{"192.0.2.48", "-CLIENT-SUBNET"}},
		{"too much for UDP, and the truncation is ignored", "dig", b.address, "+norec +ignore +bufsize=512 large.example.org TXT", []string{"flags: qr aa tc", "ANSWER: 0"}},
		{"too much for UDP, asked again over TCP", "dig", b.address, "+norec +bufsize=512 large.example.org TXT", []string{"(TCP)", "ANSWER: 40"}},
		{"a large buffer", "dig", b.address, "+norec +ignore +bufsize=4096 large.example.org TXT", []string{"flags: qr aa tc"}},
		{"ANY", "dig", b.address, "+norec +notcp example.org ANY", []string{"ANSWER: 1"}},
		{"recursion", "dig", b.address, "+rec www.example.com A", []string{"REFUSED", "-flags: qr rd ra", "EDE: 20 (Not Authoritative)"}},
		{"a strange class", "dig", b.address, "+norec -c HS example.org A", []string{"REFUSED"}},
		{"kdig, UDP", "kdig", b.address, "+norec +dnssec nothing.example.org A", []string{"NXDOMAIN", "NSEC"}},
		{"kdig, TLS", "kdig", dot, "+norec +tls www.example.org A", []string{"192.0.2.48", "(TLS1.3)"}},
		{"kdig, TLS, padded", "kdig", dot, "+norec +tls +padding=128 www.example.org A", []string{"192.0.2.48", "PADDING", "468 B"}},
		{"kdig, TLS, the root of the box trusted", "kdig", dot, "+norec +tls +tls-ca=ROOT +tls-hostname=ns1.example.org www.example.org A", []string{"192.0.2.48", "-WARNING"}},
		{"kdig, TLS, another name wanted", "kdig", dot, "+norec +tls +tls-ca=ROOT +tls-hostname=ns9.example.org www.example.org A", []string{"-192.0.2.48"}},
		{"kdig, QUIC", "kdig", doq, "+norec +quic www.example.org A", []string{"192.0.2.48", "QUIC session"}},
		{"kdig, transfer over TLS", "kdig", dot, "+tls -y KEY example.org AXFR", []string{"SOA", "192.0.2.48", "large.example.org."}},
		{"kdig, transfer over QUIC", "kdig", doq, "+quic -y KEY example.org AXFR", []string{"SOA", "192.0.2.48", "large.example.org."}},
		{"kdig, transfer over TLS without key", "kdig", dot, "+tls example.org AXFR", []string{"REFUSED", "-192.0.2.48"}},
		{"kdig, QUIC, transfer without key", "kdig", doq, "+quic example.org AXFR", []string{"REFUSED", "-192.0.2.48"}},
		{"dig, transfer with key", "dig", b.address, "-y KEY example.org AXFR", []string{"192.0.2.48", "TSIG", "-Some TSIG could not be validated"}},
		{"dig, IXFR", "dig", b.address, "-y KEY example.org IXFR=1", []string{"SOA"}},
	} {
		arguments := strings.NewReplacer("ROOT", b.path("root.pem"), "KEY", owner.option()).Replace(c.args)
		if strings.Contains(c.args, "ROOT") {
			write(t, b.folder, "root.pem", rootOf(t, dot))
		}
		out, _ := try(t, "", c.tool, append(at(c.at), strings.Fields(arguments)...)...)
		for _, want := range c.want {
			text, absent := strings.CutPrefix(want, "-")
			if strings.Contains(out, text) == absent {
				t.Errorf("%s: %s %s: contains %q: %v\n%s", c.title, c.tool, c.args, text, absent, out)
			}
		}
	}
	b.quiet()
}

// large is a record set that fits no message over UDP.
func large() string {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "large TXT \"%d %s\"\n", i, strings.Repeat("x", 100))
	}
	return b.String()
}

// rootOf returns the root certificate that a server shows, in PEM, as its owner would hand it out.
func rootOf(t *testing.T, address string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"dot"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	chain := conn.ConnectionState().PeerCertificates
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[len(chain)-1].Raw}))
}
