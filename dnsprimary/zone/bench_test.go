package zone

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/miekg/dns"
)

// bigZone has n names with an address each.
func bigZone(tb testing.TB, n int) *Zone {
	tb.Helper()
	e := mustZone(tb, "example.org.", soa+"@ NS ns1\nns1 A 192.0.2.1\n").Edit()
	for i := range n {
		if _, err := e.Add(Record{host(i), dns.TypeA, 3600, string([]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}); err != nil {
			tb.Fatal(err)
		}
	}
	return e.Zone()
}

func host(i int) Name { return Name(fmt.Sprintf("\x0bhost-%06d\x07example\x03org\x00", i)) }

func TestMemoryOfAZone(t *testing.T) {
	for _, limit := range []struct{ zones, names, bytes int }{{50, 50, 1 << 20}, {1, 100_000, 60 << 20}} {
		before := heap()
		zones := make([]*Zone, limit.zones)
		for i := range zones {
			zones[i] = bigZone(t, limit.names)
		}
		used := (int(heap()) - int(before)) / limit.zones
		t.Logf("%d names take %d KiB, %d bytes each", limit.names, used>>10, used/limit.names)
		if used > limit.bytes {
			t.Errorf("a zone of %d names takes %d bytes, want at most %d", limit.names, used, limit.bytes)
		}
		runtime.KeepAlive(zones)
	}
}

// TestMemoryOfAHistory keeps 64 versions of a big zone.
func TestMemoryOfAHistory(t *testing.T) {
	versions := []*Zone{bigZone(t, 100_000)}
	before := heap()
	for i := range 64 {
		e := versions[i].Edit()
		e.RemoveName(host(i * 1000))
		versions = append(versions, e.Zone())
	}
	if used := int(heap()) - int(before); used > 2<<20 {
		t.Errorf("64 more versions take %d bytes", used)
	}
	runtime.KeepAlive(versions)
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func BenchmarkAnswer(b *testing.B) {
	z := bigZone(b, 100_000)
	names := make([]Name, 4096)
	for i := range names {
		names[i] = host(i * 23 % 100_000)
	}
	missing := make([]Name, len(names))
	for i, n := range names {
		missing[i] = "\x01x" + n
	}
	for what, ask := range map[string][]Name{"exact": names, "missing": missing} {
		b.Run(what, func(b *testing.B) {
			var a Answer
			b.ReportAllocs()
			for i := range b.N {
				z.Answer(&a, ask[i%len(ask)], dns.TypeA)
			}
		})
	}
}

func BenchmarkEdit(b *testing.B) {
	z := bigZone(b, 100_000)
	b.ReportAllocs()
	for i := range b.N {
		e := z.Edit()
		if _, err := e.Add(Record{host(i % 100_000), dns.TypeA, 3600, string([]byte{11, 1, byte(i >> 8), byte(i)})}); err != nil {
			b.Fatal(err)
		}
		next := e.Zone()
		if len(Diff(z, next).Added) != 1 {
			b.Fatal("one edit is not one difference")
		}
	}
}
