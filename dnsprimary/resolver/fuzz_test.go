package resolver

import (
	"testing"

	"github.com/miekg/dns"
)

// FuzzReply reads what a server may send.
func FuzzReply(f *testing.F) {
	q := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)
	q.Id = 0x1234
	for _, records := range [][]string{
		{"www.example.org. 300 A 192.0.2.1"},
		{"www.example.org. 300 CNAME b.example.org.", "b.example.org. 60 CNAME www.example.org."},
		{"www.example.org. 4294967295 CNAME b.example.org.", "b.example.org. 60 A 192.0.2.1"},
		nil,
	} {
		m := new(dns.Msg).SetReply(q)
		for _, text := range records {
			rr, err := dns.NewRR(text)
			if err != nil {
				f.Fatal(err)
			}
			m.Answer = append(m.Answer, rr)
		}
		soa, _ := dns.NewRR("example.org. 3600 SOA ns. h. 1 2 3 4 60")
		m.Ns = []dns.RR{soa}
		wire, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		reply, err := readReply(message, q)
		if err != nil || len(reply.Question) == 0 {
			return
		}
		if reply.Id != q.Id || reply.Question[0] != q.Question[0] {
			t.Fatalf("%v is no answer", reply)
		}
		a, err := readAnswer(reply, "www.example.org", dns.TypeA)
		if err != nil {
			return
		}
		if _, ok := plainName(a.name); !ok || a.ttl > maxTTL || len(a.records) > maxRecords || a.absent && len(a.records) > 0 {
			t.Fatalf("%+v", a)
		}
		for _, rr := range a.records {
			if _, ok := rr.(*dns.A); !ok || !sameName(rr.Header().Name, a.name) {
				t.Fatalf("%v is not of %s", rr, a.name)
			}
		}
	})
}

// FuzzRecords decodes all types of records that anybody looks up.
func FuzzRecords(f *testing.F) {
	for _, text := range []string{
		"h.example.org. 300 HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1 mandatory=port",
		"h.example.org. 300 SRV 10 5 8448 a.example.org.", "h.example.org. 300 TLSA 3 1 1 00ff", "h.example.org. 300 DS 7 13 2 0102",
	} {
		rr, err := dns.NewRR(text)
		if err != nil {
			f.Fatal(err)
		}
		wire := make([]byte, 512)
		n, err := dns.PackRR(rr, wire, 0, nil, false)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire[:n])
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		rr, _, err := dns.UnpackRR(wire, 0)
		if err != nil {
			return
		}
		if h, ok := rr.(*dns.HTTPS); ok {
			if b, ok := binding(&h.SVCB); ok && b.Target != "" {
				if plain, ok := plainName(b.Target); !ok || plain != b.Target {
					t.Fatalf("the target %q", b.Target)
				}
			}
		}
	})
}

func FuzzConfig(f *testing.F) {
	f.Add("options timeout:3 attempts:9 trust-ad\nnameserver 192.0.2.1\nnameserver fe80::1%eth0 # x")
	f.Fuzz(func(t *testing.T, text string) {
		c := parseConfig(text)
		if len(c.servers) == 0 || len(c.servers) > maxServers || c.attempts < 0 || c.attempts > maxAttempts || c.timeout < 0 {
			t.Fatalf("%+v", c)
		}
	})
}
