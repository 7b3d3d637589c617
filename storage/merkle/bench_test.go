package merkle

import (
	"fmt"
	"testing"

	"hearth/storage/blob"
)

// BenchmarkEdit edits one entry of a map whose nodes are all in memory.
func BenchmarkEdit(b *testing.B) {
	for _, size := range []int{30, 1000, 10_000, 100_000} {
		s := newNodes()
		root := s.build(b, members(size))
		for name, edit := range map[string]func(i int) Edit{
			"replace": func(i int) Edit { k, _ := member(i * 7919 % size); return set(k, fmt.Sprintf("%052d", i)) },
			"insert": func(i int) Edit {
				k, v := member(i * 7919 % size)
				return set(fmt.Sprintf("%s%d", k[:24], i), v)
			},
			"remove": func(i int) Edit { k, _ := member(i * 7919 % size); return del(k) },
		} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				edits := make([]Edit, 1024)
				for i := range edits {
					edits[i] = edit(i)
				}
				wrote, count, most := 0, 0, 0
				put := func(data []byte) blob.Hash {
					wrote, count = wrote+len(data), count+1
					return blob.Sum(data)
				}
				s.reset()
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					before := wrote
					if _, err := Apply(b.Context(), s, root, edits[i%len(edits):i%len(edits)+1], put); err != nil {
						b.Fatal(err)
					}
					most = max(most, wrote-before)
					i++
				}
				b.ReportMetric(float64(wrote)/float64(i), "bytes-written/op")
				b.ReportMetric(float64(most), "max-bytes-written")
				b.ReportMetric(float64(count)/float64(i), "nodes-written/op")
				b.ReportMetric(float64(s.reads)/float64(i), "nodes-read/op")
			})
		}
	}
}

func BenchmarkGet(b *testing.B) {
	for _, size := range []int{30, 10_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := newNodes()
			root := s.build(b, members(size))
			keys := make([][]byte, 1024)
			for i := range keys {
				k, _ := member(i * 7919 % size)
				keys[i] = []byte(k)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if v, err := Get(b.Context(), s, root, keys[i%len(keys)]); err != nil || v[0] == nil {
					b.Fatal(v, err)
				}
				i++
			}
		})
	}
}

// BenchmarkDiff compares two maps of 100,000 entries that differ in 10.
func BenchmarkDiff(b *testing.B) {
	s := newNodes()
	root := s.build(b, members(100_000))
	var edits []Edit
	for i := range 10 {
		k, _ := member(i * 9973)
		edits = append(edits, set(k, "changed"))
	}
	after := s.apply(b, root, edits...)
	s.reset()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		found := 0
		for _, err := range Diff(b.Context(), s, root, after) {
			if err != nil {
				b.Fatal(err)
			}
			found++
		}
		if found != 10 {
			b.Fatal(found)
		}
		n++
	}
	b.ReportMetric(float64(s.reads)/float64(n), "nodes-read/op")
	b.ReportMetric(float64(s.calls)/float64(n), "calls/op")
}

func BenchmarkScan(b *testing.B) {
	const size = 100_000
	s := newNodes()
	root := s.build(b, members(size))
	s.reset()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, err := range Scan(b.Context(), s, root, nil, nil) {
			if err != nil {
				b.Fatal(err)
			}
		}
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/size, "ns/entry")
	b.ReportMetric(float64(s.calls)/float64(n), "calls/op")
}

func BenchmarkBuild(b *testing.B) {
	const size = 100_000
	m := members(size)
	b.ReportAllocs()
	total, count, n := 0, 0, 0
	for b.Loop() {
		if _, err := Build(sorted(m), func(data []byte) blob.Hash { total, count = total+len(data), count+1; return blob.Sum(data) }); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/size, "ns/entry")
	b.ReportMetric(float64(total)/float64(n)/size, "bytes/entry")
	b.ReportMetric(float64(total)/float64(count), "bytes/node")
}
