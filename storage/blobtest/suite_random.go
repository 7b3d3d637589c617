package blobtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"hearth/storage/blob"
)

// model is what a store should hold, as plainly as it can be said.
type model struct {
	blobs map[blob.Hash][]byte
	rows  map[string]map[string][]byte
	roots map[string]blob.Hash
}

// randomModel applies random batches to the store and to the model, and compares them by every kind of read.
func randomModel(t *testing.T, s blob.Store) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	m := &model{map[blob.Hash][]byte{}, map[string]map[string][]byte{"a": {}, "b": {}}, map[string]blob.Hash{}}
	for range 200 {
		b, conflict := m.random(rnd)
		err := s.Apply(t.Context(), b)
		if conflict {
			wantKind(t, err, blob.Conflict)
		} else {
			must(t, err)
			m.apply(b)
		}
		m.compareRead(t, s, rnd)
		m.compareScan(t, s, rnd)
	}
	m.compareAll(t, s)
}

func (m *model) random(rnd *rand.Rand) (b *blob.Batch, conflict bool) {
	b = &blob.Batch{}
	for range rnd.IntN(3) {
		b.Put(fill(rnd.IntN(2000), rnd.Uint64N(50)))
	}
	for range rnd.IntN(20) {
		table, key := m.key(rnd)
		if rnd.IntN(4) == 0 {
			b.Delete(table, key)
		} else {
			b.Set(table, key, fill(rnd.IntN(500), rnd.Uint64()))
		}
	}
	if rnd.IntN(3) == 0 {
		name := fmt.Sprint(rnd.IntN(5))
		e := edit(name, m.roots[name], blob.Sum(fill(4, rnd.Uint64())))
		if rnd.IntN(5) == 0 {
			e.New = blob.Hash{}
		}
		if conflict = rnd.IntN(4) == 0; conflict {
			e.Old = blob.Sum([]byte("another"))
		}
		b.Roots = append(b.Roots, e)
	}
	return b, conflict
}

func (m *model) key(rnd *rand.Rand) (table string, key []byte) {
	return string(rune('a' + rnd.IntN(2))), fmt.Appendf(nil, "%03d", rnd.IntN(300))
}

func (m *model) apply(b *blob.Batch) {
	for _, data := range b.Blobs {
		m.blobs[blob.Sum(data)] = data
	}
	for _, r := range b.Rows {
		if r.Value == nil {
			delete(m.rows[r.Table], string(r.Key))
		} else {
			m.rows[r.Table][string(r.Key)] = r.Value
		}
	}
	for _, e := range b.Roots {
		if e.New.IsZero() {
			delete(m.roots, e.Name)
		} else {
			m.roots[e.Name] = e.New
		}
	}
}

func (m *model) compareRead(t *testing.T, s blob.Store, rnd *rand.Rand) {
	t.Helper()
	var keys []blob.RowKey
	for range 10 {
		table, key := m.key(rnd)
		keys = append(keys, blob.RowKey{Table: table, Key: key})
	}
	got, err := s.Rows(t.Context(), keys...)
	must(t, err)
	for i, k := range keys {
		if want := m.rows[k.Table][string(k.Key)]; !bytes.Equal(got[i], want) || (got[i] == nil) != (want == nil) {
			t.Fatalf("row %s/%s is %.20x, want %.20x", k.Table, k.Key, got[i], want)
		}
	}
}

func (m *model) compareScan(t *testing.T, s blob.Store, rnd *rand.Rand) {
	t.Helper()
	table, from := m.key(rnd)
	_, to := m.key(rnd)
	r := blob.Range{Table: table, From: from, To: to, Reverse: rnd.IntN(2) == 0, Limit: rnd.IntN(3) * rnd.IntN(40)}
	var want []string
	for k := range m.rows[table] {
		if k >= string(from) && k < string(to) {
			want = append(want, k)
		}
	}
	slices.Sort(want)
	if r.Reverse {
		slices.Reverse(want)
	}
	if r.Limit > 0 && len(want) > r.Limit {
		want = want[:r.Limit]
	}
	wantStrings(t, keys(t, s, r), want...)
}

func (m *model) compareAll(t *testing.T, s blob.Store) {
	t.Helper()
	for table, rows := range m.rows {
		n := 0
		for row, err := range s.Scan(t.Context(), blob.Range{Table: table}) {
			must(t, err)
			wantBytes(t, row.Value, rows[string(row.Key)])
			n++
		}
		if n != len(rows) {
			t.Fatalf("table %s has %d rows, want %d", table, n, len(rows))
		}
	}
	for h, data := range m.blobs {
		got, err := s.Get(t.Context(), h)
		must(t, err)
		wantBytes(t, got[0], data)
	}
	for name := range 5 {
		wantRoot(t, s, fmt.Sprint(name), m.roots[fmt.Sprint(name)])
	}
}
