package blobtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hearth/storage/blob"
)

func conflictWhole(t *testing.T, s blob.Store) {
	must(t, move(s, t, edit("r", blob.Hash{}, h1)))
	var b blob.Batch
	h := b.Put([]byte("in a failed batch"))
	b.Set("t", []byte("k"), []byte("v"))
	b.Roots = []blob.RootEdit{edit("new", blob.Hash{}, h1), edit("r", h2, h3)}
	wantKind(t, s.Apply(t.Context(), &b), blob.Conflict)
	got, err := s.Get(t.Context(), h)
	must(t, err)
	if got[0] != nil || value(t, s, "t", "k") != nil {
		t.Fatal("a batch that met a conflict changed something")
	}
	wantRoot(t, s, "new", blob.Hash{})
	wantRoot(t, s, "r", h1)
}

func limits(t *testing.T, s blob.Store) {
	long := strings.Repeat("x", 300)
	row := func(table, key string, n int) *blob.Batch {
		var b blob.Batch
		b.Set(table, []byte(key), make([]byte, n))
		return &b
	}
	many := &blob.Batch{Rows: make([]blob.Row, blob.MaxBatchOps+1)}
	large := &blob.Batch{}
	for i := range 5 {
		large.Put(fill(blob.MaxBlob, uint64(i)))
	}
	for name, c := range map[string]struct {
		b    *blob.Batch
		kind blob.Kind
	}{
		"blob":         {&blob.Batch{Blobs: [][]byte{make([]byte, blob.MaxBlob+1)}}, blob.TooLarge},
		"value":        {row("t", "k", blob.MaxValue+1), blob.TooLarge},
		"key":          {row("t", strings.Repeat("k", blob.MaxKey+1), 1), blob.TooLarge},
		"empty key":    {row("t", "", 1), blob.Invalid},
		"table":        {row("Table", "k", 1), blob.Invalid},
		"long table":   {row(long, "k", 1), blob.Invalid},
		"root name":    {&blob.Batch{Roots: []blob.RootEdit{edit(long, blob.Hash{}, h1)}}, blob.Invalid},
		"no root name": {&blob.Batch{Roots: []blob.RootEdit{edit("", blob.Hash{}, h1)}}, blob.Invalid},
		"root twice":   {&blob.Batch{Roots: []blob.RootEdit{edit("r", blob.Hash{}, h1), edit("r", h1, h2)}}, blob.Invalid},
		"message": {&blob.Batch{Roots: []blob.RootEdit{
			{Name: "r", New: h1, Message: strings.Repeat("m", blob.MaxMessage+1)}}}, blob.TooLarge},
		"operations": {many, blob.TooLarge},
		"batch":      {large, blob.TooLarge},
	} {
		if err := s.Apply(t.Context(), c.b); blob.KindOf(err) != c.kind || err == nil {
			t.Errorf("%s: got %v, want kind %q", name, err, c.kind)
		}
	}
	_, err := s.Rows(t.Context(), make([]blob.RowKey, blob.MaxMulti+1)...)
	wantKind(t, err, blob.TooLarge)
	_, err = s.Get(t.Context(), make([]blob.Hash, blob.MaxMulti+1)...)
	wantKind(t, err, blob.TooLarge)
	_, err = s.Rows(t.Context(), blob.RowKey{Table: "t"})
	wantKind(t, err, blob.Invalid)
	if names, err := s.RootNames(t.Context(), ""); err != nil || len(names) != 0 {
		t.Fatalf("failed batches left roots %q, %v", names, err)
	}
}

func largestBatch(t *testing.T, s blob.Store) {
	var b blob.Batch
	for i := 0; b.Size()+blob.MaxBlob+64 <= blob.MaxBatch; i++ {
		b.Put(fill(blob.MaxBlob, uint64(i)))
	}
	const row = 64 + 1 + 9 + 30
	for i := range (blob.MaxBatch - b.Size()) / row {
		b.Set("t", fmt.Appendf(nil, "%09d", i), fill(30, uint64(i)))
	}
	apply(t, s, &b)
	var hashes []blob.Hash
	for _, data := range b.Blobs {
		hashes = append(hashes, blob.Sum(data))
	}
	got, err := s.Get(t.Context(), hashes...)
	must(t, err)
	for i := range got {
		wantBytes(t, got[i], b.Blobs[i])
	}
	if n := len(keys(t, s, blob.Range{Table: "t"})); n != len(b.Rows) {
		t.Fatalf("%d rows, want %d", n, len(b.Rows))
	}

	var small blob.Batch
	for i := range blob.MaxBatch / (64 + 1 + 5) {
		small.Set("u", fmt.Appendf(nil, "%05x", i), nil)
	}
	apply(t, s, &small)
	if n := len(keys(t, s, blob.Range{Table: "u"})); n != len(small.Rows) {
		t.Fatalf("%d rows, want %d", n, len(small.Rows))
	}
}

func canceledContext(t *testing.T, s blob.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var b blob.Batch
	h := b.Put([]byte("x"))
	wantKind(t, s.Apply(ctx, &b), blob.Canceled)
	_, err := s.Get(ctx, h)
	wantKind(t, err, blob.Canceled)
	_, err = s.Rows(ctx, blob.RowKey{Table: "t", Key: []byte("k")})
	wantKind(t, err, blob.Canceled)
	_, _, err = s.Root(ctx, "r")
	wantKind(t, err, blob.Canceled)
	_, err = s.Stats(ctx)
	wantKind(t, err, blob.Canceled)
}

func asyncOrder(t *testing.T, s blob.Store) {
	a, ok := s.(blob.AsyncApplier)
	if !ok {
		t.Skip("the store applies batches only one by one")
	}
	const n = 500
	answers := make(chan int, n)
	old := blob.Hash{}
	for i := range n {
		var b blob.Batch
		b.Set("t", []byte("last"), fmt.Append(nil, i))
		next := blob.Sum(fmt.Append(nil, i))
		b.Roots = []blob.RootEdit{edit("chain", old, next)} // holds only if the order is kept
		old = next
		a.ApplyAsync(&b, func(err error) {
			if err != nil {
				t.Errorf("batch %d: %v", i, err)
			}
			answers <- i
		})
	}
	for i := range n {
		if got := <-answers; got != i {
			t.Fatalf("answer %d came as number %d", got, i)
		}
	}
	wantBytes(t, value(t, s, "t", "last"), fmt.Append(nil, n-1))
	wantRoot(t, s, "chain", old)
}

func concurrentBatches(t *testing.T, s blob.Store) {
	const writers, each = 16, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				var b blob.Batch
				b.Set("t", fmt.Appendf(nil, "%d/%d/a", w, i), fill(200, uint64(i)))
				b.Set("t", fmt.Appendf(nil, "%d/%d/b", w, i), fill(200, uint64(i)))
				if err := s.Apply(t.Context(), &b); err != nil {
					t.Error(err)
				}
				got, err := s.Rows(t.Context(), blob.RowKey{Table: "t", Key: b.Rows[1].Key})
				if err != nil || string(got[0]) != string(b.Rows[1].Value) {
					t.Errorf("a writer does not see its own batch: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(keys(t, s, blob.Range{Table: "t"})); n != writers*each*2 {
		t.Fatalf("%d rows, want %d", n, writers*each*2)
	}
}

func verifyCounts(t *testing.T, s blob.Store) {
	var b blob.Batch
	b.Put([]byte("one"))
	b.Put(fill(1<<20, 1))
	b.Set("t", []byte("k"), fill(1<<20, 2))
	b.Set("t", []byte("l"), nil)
	b.Roots = []blob.RootEdit{edit("r", blob.Hash{}, h1)}
	apply(t, s, &b)
	v, err := s.Verify(t.Context(), func(d blob.Damage) { t.Errorf("damaged: %+v", d) })
	must(t, err)
	if v.Blobs != 2 || v.Rows != 2 || v.Roots != 1 || v.Damaged != 0 || v.Bytes < 2<<20 {
		t.Fatalf("verified %+v", v)
	}
}

func statsCount(t *testing.T, s blob.Store) {
	before, err := s.Stats(t.Context())
	must(t, err)
	var b blob.Batch
	h := b.Put([]byte("one"))
	b.Set("t", []byte("k"), []byte("v"))
	apply(t, s, &b)
	_, err = s.Get(t.Context(), h)
	must(t, err)
	value(t, s, "t", "k")
	after, err := s.Stats(t.Context())
	must(t, err)
	if after.Batches != before.Batches+1 || after.Groups <= before.Groups || after.Reads != before.Reads+2 ||
		after.LogicalBytes != before.LogicalBytes+uint64(b.Size()) {
		t.Fatalf("before %+v, after %+v", before, after)
	}
}
