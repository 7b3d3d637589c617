package resolver

import (
	"fmt"
	"net"
	"testing"

	"github.com/miekg/dns"

	"hearth/dnsprimary/dnstest"
)

// benchmarkResolver asks a server that has an address for every name.
func benchmarkResolver(b *testing.B) *Resolver {
	b.Helper()
	server := dnstest.Serve(b, dns.HandlerFunc(func(to dns.ResponseWriter, q *dns.Msg) {
		reply := new(dns.Msg).SetReply(q)
		reply.Answer = []dns.RR{&dns.A{
			Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 3600}, A: net.IP{192, 0, 2, 1},
		}}
		_ = to.WriteMsg(reply)
	}))
	r := New(Options{Servers: []Server{{Address: server}}})
	b.Cleanup(r.Close)
	return r
}

func BenchmarkKnown(b *testing.B) {
	r := benchmarkResolver(b)
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("host%d.example.org", i)
		if _, err := r.IPv4(b.Context(), names[i]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			if _, err := r.IPv4(b.Context(), names[i%len(names)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkUnknown(b *testing.B) {
	r := benchmarkResolver(b)
	b.ReportAllocs()
	for i := range b.N {
		if _, err := r.IPv4(b.Context(), fmt.Sprintf("host%d.example.org", i)); err != nil {
			b.Fatal(err)
		}
	}
}
