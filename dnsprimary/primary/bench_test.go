package primary

import (
	"fmt"
	"net/netip"
	"testing"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// bigZone has n hosts with addresses, as a zone file of that many names would.
func bigZone(tb testing.TB, n int) *zone.Zone {
	tb.Helper()
	e := readZone(tb, "example.org.", exampleZone).Edit()
	for i := range n {
		if _, err := e.Add(zone.Record{Owner: name(host(i)), Type: dns.TypeA, TTL: 3600, Rdata: string([]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}); err != nil {
			tb.Fatal(err)
		}
	}
	return e.Zone()
}

func host(i int) string { return fmt.Sprintf("host-%06d.example.org.", i) }

// BenchmarkHandle measures from wire bytes to wire bytes, in a zone of 100,000 names, each question for another one.
func BenchmarkHandle(b *testing.B) {
	w := newWorld(b, func(s *Settings) { s.CookieSecrets = [][]byte{[]byte(secret[:16])} })
	w.state = w.state.With(Hosted{Zone: bigZone(b, 100_000)})
	questions := map[string]func(i int) *dns.Msg{
		"A":        func(i int) *dns.Msg { return query(b, host(i*7919%100_000)+" A") },
		"A+EDNS":   func(i int) *dns.Msg { return query(b, host(i*7919%100_000)+" A").SetEdns0(1232, true) },
		"MX":       func(int) *dns.Msg { return query(b, "mail.example.org. MX").SetEdns0(1232, false) },
		"NXDOMAIN": func(i int) *dns.Msg { return query(b, "x"+host(i*7919%100_000)+" A").SetEdns0(1232, false) },
		"referral": func(i int) *dns.Msg { return query(b, fmt.Sprintf("h%d.sub.example.org. A", i)).SetEdns0(1232, false) },
		"REFUSED":  func(int) *dns.Msg { return query(b, "www.example.net. A").SetEdns0(1232, false) },
		"cookie": func(i int) *dns.Msg {
			m := query(b, host(i*7919%100_000)+" A").SetEdns0(1232, false)
			m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef"})
			return m
		},
	}
	for what, question := range questions {
		for _, limited := range []bool{false, true} {
			name := what
			if limited {
				name += "+limiter"
				rates := DefaultRates()
				rates.Answers, rates.Absent, rates.Errors = 1<<30, 1<<30, 1<<30
				w.desk.Limiter = NewLimiter(rates, [16]byte{})
			} else {
				w.desk.Limiter = nil
			}
			b.Run(name, func(b *testing.B) { benchmark(b, w, question) })
		}
	}
}

func benchmark(b *testing.B, w *world, question func(i int) *dns.Msg) {
	wires := make([][]byte, 8192)
	for i := range wires {
		wires[i] = pack(b, question(i))
	}
	clients := make([]Peer, 251)
	for i := range clients {
		clients[i] = Peer{Address: netip.AddrFrom4([4]byte{198, 51, byte(i), 1}), Transport: UDP}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if w.state.Handle(&w.desk, noon, wires[i%len(wires)], clients[i%len(clients)]).Reply == nil {
			b.Fatal("no reply")
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
}

func BenchmarkAXFR(b *testing.B) {
	w := newWorld(b)
	z := bigZone(b, 100_000)
	b.ReportAllocs()
	for range b.N {
		transfer := &Transfer{from: &whole{zone: z, next: z.Origin()}}
		size := 0
		for message := transfer.Next(w.now); message != nil; message = transfer.Next(w.now) {
			size += len(message)
		}
		b.SetBytes(int64(size))
	}
}

// BenchmarkSigned asks a signed zone of 2,000 names with DO.
func BenchmarkSigned(b *testing.B) {
	for _, hashed := range []bool{false, true} {
		w, s := signedWorld(b, hashed)
		z, err := s.Sign(w.now, nil, bigZone(b, 2000))
		if err != nil {
			b.Fatal(err)
		}
		w.state = w.state.With(Hosted{Zone: z, Signer: s})
		for what, question := range map[string]func(i int) *dns.Msg{
			"A":        func(i int) *dns.Msg { return query(b, host(i%2000)+" A").SetEdns0(1232, true) },
			"NXDOMAIN": func(i int) *dns.Msg { return query(b, "x"+host(i%2000)+" A").SetEdns0(1232, true) },
		} {
			b.Run(fmt.Sprintf("%s/NSEC3=%v", what, hashed), func(b *testing.B) { benchmark(b, w, question) })
		}
	}
}
