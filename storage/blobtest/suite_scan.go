package blobtest

import (
	"context"
	"fmt"
	"testing"

	"hearth/storage/blob"
)

func scanBounds(t *testing.T, s blob.Store) {
	var b blob.Batch
	for _, k := range []string{"a", "b", "b\x00", "ba", "c", "\xff", "\xff\xff"} {
		b.Set("t", []byte(k), []byte("v"+k))
		b.Set("t-", []byte(k), nil) // neighbours in name must not leak in
		b.Set("s", []byte(k), nil)
	}
	apply(t, s, &b)
	for _, c := range []struct {
		r    blob.Range
		want []string
	}{
		{blob.Range{}, []string{"a", "b", "b\x00", "ba", "c", "\xff", "\xff\xff"}},
		{blob.Range{Reverse: true}, []string{"\xff\xff", "\xff", "c", "ba", "b\x00", "b", "a"}},
		{blob.Range{From: []byte("b")}, []string{"b", "b\x00", "ba", "c", "\xff", "\xff\xff"}},
		{blob.Range{To: []byte("b")}, []string{"a"}},
		{blob.Range{To: []byte("b"), Reverse: true}, []string{"a"}},
		{blob.Range{From: []byte("b"), To: []byte("c")}, []string{"b", "b\x00", "ba"}},
		{blob.Range{From: []byte("b"), To: []byte("c"), Reverse: true}, []string{"ba", "b\x00", "b"}},
		{blob.Range{From: []byte("b"), To: []byte("c"), Limit: 2}, []string{"b", "b\x00"}},
		{blob.Range{From: []byte("b"), To: []byte("c"), Limit: 2, Reverse: true}, []string{"ba", "b\x00"}},
		{blob.Range{From: []byte("aa"), To: []byte("bb")}, []string{"b", "b\x00", "ba"}},
		{blob.Range{From: []byte("aa"), To: []byte("bb"), Reverse: true}, []string{"ba", "b\x00", "b"}},
		{blob.Range{From: []byte("c"), To: []byte("b")}, nil},
		{blob.Range{From: []byte("b"), To: []byte("b")}, nil},
		{blob.Range{From: []byte("x"), To: []byte("y"), Reverse: true}, nil},
		{blob.Prefix("t", []byte("b")), []string{"b", "b\x00", "ba"}},
		{blob.Prefix("t", []byte{0xff}), []string{"\xff", "\xff\xff"}},
		{blob.Range{Limit: 1}, []string{"a"}},
		{blob.Range{Limit: 1, Reverse: true}, []string{"\xff\xff"}},
		{blob.Range{Limit: 7}, []string{"a", "b", "b\x00", "ba", "c", "\xff", "\xff\xff"}},
	} {
		c.r.Table = "t"
		wantStrings(t, keys(t, s, c.r), c.want...)
	}
	for row, err := range s.Scan(t.Context(), blob.Range{Table: "t"}) {
		must(t, err)
		wantBytes(t, row.Value, append([]byte("v"), row.Key...))
	}
}

func scanMany(t *testing.T, s blob.Store) {
	const n = 5000
	for i := 0; i < n; i += 500 {
		var b blob.Batch
		for j := i; j < i+500; j++ {
			b.Set("many", fmt.Appendf(nil, "%06d", j), fill(j%300, uint64(j)))
		}
		apply(t, s, &b)
	}
	for _, reverse := range []bool{false, true} {
		i := 0
		for row, err := range s.Scan(t.Context(), blob.Range{Table: "many", Reverse: reverse}) {
			must(t, err)
			j := i
			if reverse {
				j = n - 1 - i
			}
			if string(row.Key) != fmt.Sprintf("%06d", j) {
				t.Fatalf("row %d has key %s", j, row.Key)
			}
			wantBytes(t, row.Value, fill(j%300, uint64(j)))
			i++
		}
		if i != n {
			t.Fatalf("scanned %d rows, want %d", i, n)
		}
	}
}

func scanSnapshot(t *testing.T, s blob.Store) {
	const n = 2000
	var b blob.Batch
	for i := range n {
		b.Set("t", fmt.Appendf(nil, "%06d", i), []byte("old"))
	}
	apply(t, s, &b)
	seen := 0
	for row, err := range s.Scan(t.Context(), blob.Range{Table: "t"}) {
		must(t, err)
		if string(row.Value) != "old" {
			t.Fatalf("row %s is %q, written after the scan began", row.Key, row.Value)
		}
		if seen%100 == 0 {
			var b blob.Batch
			b.Set("t", fmt.Appendf(nil, "%06d", seen+50), []byte("new"))
			b.Set("t", fmt.Appendf(nil, "%06dx", seen+50), []byte("new"))
			b.Delete("t", fmt.Appendf(nil, "%06d", seen+51))
			b.Set("t", fmt.Appendf(nil, "%06d", n-1), []byte("new"))
			apply(t, s, &b)
		}
		seen++
	}
	if seen != n {
		t.Fatalf("saw %d rows, want %d", seen, n)
	}
}

func scanStops(t *testing.T, s blob.Store) {
	var b blob.Batch
	for i := range 1000 {
		b.Set("t", fmt.Appendf(nil, "%06d", i), []byte("v"))
	}
	apply(t, s, &b)
	n := 0
	for range s.Scan(t.Context(), blob.Range{Table: "t"}) {
		if n++; n == 3 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	n = 0
	for _, err := range s.Scan(ctx, blob.Range{Table: "t"}) {
		if last != nil {
			t.Fatal("the scan went on after an error")
		}
		if last = err; err == nil {
			n++
		}
		cancel()
	}
	if last == nil && n != 1000 {
		t.Fatalf("a canceled scan ended after %d rows without an error", n)
	}
	if last != nil {
		wantKind(t, last, blob.Canceled)
	}
	for _, r := range []blob.Range{{Table: ""}, {Table: "UPPER"}, {Table: "t", Limit: -1}} {
		n := 0
		for _, err := range s.Scan(t.Context(), r) {
			wantKind(t, err, blob.Invalid)
			n++
		}
		if n != 1 {
			t.Fatalf("a malformed scan yielded %d times, want one error", n)
		}
	}
}
