package peers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func now() int64 { return time.Now().Unix() }

// world is a zone with a case of everything that is answered in a way of its own.
const world = `$TTL 2
@ SOA ns1 hostmaster 1 3600 2 1209600 2
@ NS ns1
@ NS ns2.other.test.
@ A 192.0.2.80
@ AAAA 2001:db8::80
@ MX 10 mail
@ MX 20 backup.other.test.
@ TXT "v=spf1 -all" "two strings; and a \"quote\""
@ CAA 0 issue "letsencrypt.org"
@ HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.80
ns1 A 127.0.0.1
mail A 192.0.2.25
mail AAAA 2001:db8::25
_25._tcp.mail TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
_matrix-fed._tcp SRV 10 0 8448 matrix
matrix A 192.0.2.48
matrix SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
alias CNAME www
www CNAME matrix
outside CNAME www.example.com.
broken CNAME nowhere
loop1 CNAME loop2
loop2 CNAME loop1
*.wild TXT "from the star"
*.wild MX 10 mail
exact.wild A 192.0.2.1
*.alias.wild CNAME matrix
deep.empty.between A 192.0.2.2
moved DNAME example.com.
renamed DNAME wild
child NS ns.child
child NS ns1
child DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
ns.child A 192.0.2.53
ns.child AAAA 2001:db8::53
insecure NS ns.other.test.
own TYPE65280 \# 4 0a000001
long TXT "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
_sip._udp NAPTR 10 20 "u" "E2U+sip" "!^.*$!sip:info@example.org!" .
here LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
who RP hostmaster.example.org. own.example.org.
svc SVCB 1 matrix port=8448
sl\097sh\.dot A 192.0.2.9
`

// A question is one that all servers are asked.
type question struct {
	name string
	typ  uint16
}

// questions are about every case of the world, for the zone example.org.
func questions() []question {
	var all []question
	for _, q := range []struct {
		names string
		types []uint16
	}{
		{"@", []uint16{dns.TypeSOA, dns.TypeNS, dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypeCAA, dns.TypeHTTPS, dns.TypeDNSKEY, dns.TypeCDS,
			dns.TypeCDNSKEY, dns.TypeNSEC, dns.TypeNSEC3PARAM, dns.TypeDS, dns.TypeSRV, 65280}},
		{"mail _25._tcp.mail _matrix-fed._tcp matrix MAIL.eXample", []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTLSA, dns.TypeSRV, dns.TypeSSHFP, dns.TypeMX}},
		{"alias www outside broken loop1", []uint16{dns.TypeA, dns.TypeCNAME, dns.TypeTXT, dns.TypeDS}},
		{"x.wild x.y.wild *.wild exact.wild wild a.exact.wild x.alias.wild alias.wild", []uint16{dns.TypeTXT, dns.TypeMX, dns.TypeA, dns.TypeCNAME}},
		{"between empty.between deep.empty.between not.between _tcp", []uint16{dns.TypeA, dns.TypeTXT, dns.TypeDS}},
		{"moved x.moved x.y.moved renamed x.renamed exact.renamed", []uint16{dns.TypeA, dns.TypeDNAME, dns.TypeTXT, dns.TypeMX}},
		{"child ns.child x.child insecure www.insecure", []uint16{dns.TypeA, dns.TypeNS, dns.TypeDS, dns.TypeMX, dns.TypeSOA, dns.TypeNSEC}},
		{"nowhere zzz.aaa a.mail \\000.mail ns0 ns1 ns3 ~", []uint16{dns.TypeA, dns.TypeDS, dns.TypeNSEC}},
		{"own long _sip._udp here who svc sl\\097sh\\.dot", []uint16{65280, dns.TypeTXT, dns.TypeNAPTR, dns.TypeLOC, dns.TypeRP, dns.TypeSVCB, dns.TypeA}},
	} {
		for name := range strings.FieldsSeq(q.names) {
			full := name + ".example.org."
			switch name {
			case "@":
				full = "example.org."
			case "MAIL.eXample":
				full = "mAiL.eXample.ORG."
			}
			for _, typ := range q.types {
				all = append(all, question{full, typ})
			}
		}
	}
	return append(all, question{"example.com.", dns.TypeA}, question{".", dns.TypeNS}, question{"org.", dns.TypeSOA}, question{"www.example.net.", dns.TypeA},
		question{"example.net.", dns.TypeSOA})
}

// A view is what an answer says, in a form that can be compared.
type view struct {
	rcode         string
	authoritative bool
	sections      [3][]string
}

func look(m *dns.Msg) view {
	v := view{rcode: dns.RcodeToString[m.Rcode], authoritative: m.Authoritative}
	for i, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if rr.Header().Rrtype == dns.TypeOPT {
				continue
			}
			rr.Header().Name = strings.ToLower(rr.Header().Name) // as it was asked, or as it is in the zone: both are right (RFC 4343 §4)
			v.sections[i] = append(v.sections[i], rr.String())
		}
		if m.Question[0].Name != strings.ToLower(m.Question[0].Name) { // names in the data may point to the question
			for j, text := range v.sections[i] {
				v.sections[i][j] = strings.ToLower(text)
			}
		}
		slices.Sort(v.sections[i])
		v.sections[i] = slices.Compact(v.sections[i])
	}
	return v
}

// difference says where two answers differ, "" if they do not.
func difference(ours, theirs view) string {
	var d []string
	if ours.rcode != theirs.rcode {
		d = append(d, fmt.Sprintf("rcode %s, theirs %s", ours.rcode, theirs.rcode))
	}
	if ours.authoritative != theirs.authoritative {
		d = append(d, fmt.Sprintf("authoritative %v, theirs %v", ours.authoritative, theirs.authoritative))
	}
	for i, name := range []string{"answer", "authority", "additional"} {
		for _, rr := range without(ours.sections[i], theirs.sections[i]) {
			d = append(d, name+": only ours has "+rr)
		}
		for _, rr := range without(theirs.sections[i], ours.sections[i]) {
			d = append(d, name+": only theirs has "+rr)
		}
	}
	return strings.Join(d, "\n    ")
}

// without returns what is in a and not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// compare asks us and a secondary every question, with and without DNSSEC, and reports what differs without a reason.
func compare(t *testing.T, ours string, s *secondary) {
	t.Helper()
	mine, theirs := newAsker(t, ours), newAsker(t, s.address)
	excused := make(map[string]int)
	for _, q := range questions() {
		for _, do := range []bool{false, true} {
			a, b := mine.ask(q, do), theirs.ask(q, do)
			d := difference(a, b)
			if d == "" {
				continue
			}
			if why := excuse(s.name, q, do, a, b); why != "" {
				excused[why]++
				continue
			}
			t.Errorf("%s, %s %s, DNSSEC %v:\n    %s", s.name, q.name, dns.Type(q.typ), do, d)
		}
	}
	for why, n := range excused {
		t.Logf("%s: %d answers differ: %s", s.name, n, why)
	}
}

// An asker keeps one connection to a server.
type asker struct {
	t       *testing.T
	address string
	conn    *dns.Conn
}

func newAsker(t *testing.T, address string) *asker {
	a := &asker{t: t, address: address}
	t.Cleanup(func() {
		if a.conn != nil {
			a.conn.Close()
		}
	})
	return a
}

// ask asks on the connection, and on a new one if it is cut off, as NSD does when it reloads.
func (a *asker) ask(q question, do bool) (v view) {
	a.t.Helper()
	m := new(dns.Msg).SetQuestion(q.name, q.typ)
	m.RecursionDesired = false
	if do {
		m.SetEdns0(1232, true)
	}
	await(a.t, fmt.Sprintf("%s answers %s %s", a.address, q.name, dns.Type(q.typ)), func() error {
		answer, err := a.exchange(m)
		if err != nil {
			a.conn = nil
			return err
		}
		v = look(answer)
		return nil
	})
	return v
}

func (a *asker) exchange(m *dns.Msg) (*dns.Msg, error) {
	if a.conn == nil {
		conn, err := dns.DialTimeout("tcp", a.address, patience)
		if err != nil {
			return nil, err
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		a.conn = conn
	}
	if err := a.conn.WriteMsg(m); err != nil {
		return nil, err
	}
	return a.conn.ReadMsg()
}
