package blobtest

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"hearth/storage/blob"
)

// table is a list of rows in the order of their keys. A nil table is empty.
type table struct{ rows []blob.Row }

func (t *table) find(key []byte) (int, bool) {
	if t == nil {
		return 0, false
	}
	return slices.BinarySearchFunc(t.rows, key, func(r blob.Row, k []byte) int { return bytes.Compare(r.Key, k) })
}

func (t *table) get(key []byte) []byte {
	if i, ok := t.find(key); ok {
		return t.rows[i].Value
	}
	return nil
}

// set stores the row, whose slices it keeps; a nil value removes it.
func (t *table) set(r blob.Row) {
	i, ok := t.find(r.Key)
	switch {
	case r.Value == nil && ok:
		t.rows = slices.Delete(t.rows, i, i+1)
	case r.Value == nil:
	case ok:
		t.rows[i] = r
	default:
		t.rows = slices.Insert(t.rows, i, r)
	}
}

// slice returns a copy of the rows of r, in the order in which they are yielded.
func (t *table) slice(r blob.Range) []blob.Row {
	if t == nil {
		return nil
	}
	from, to := 0, len(t.rows)
	if r.From != nil {
		from, _ = t.find(r.From)
	}
	if r.To != nil {
		to, _ = t.find(r.To)
	}
	if from >= to {
		return nil
	}
	n := to - from
	if r.Limit > 0 {
		n = min(n, r.Limit)
	}
	if !r.Reverse {
		return slices.Clone(t.rows[from : from+n])
	}
	out := slices.Clone(t.rows[to-n : to])
	slices.Reverse(out)
	return out
}

// Scan yields the rows of r as they were when the loop began.
func (m *Memory) Scan(ctx context.Context, r blob.Range) iter.Seq2[blob.Row, error] {
	return func(yield func(blob.Row, error) bool) {
		if err := blob.CheckRange(r); err != nil {
			yield(blob.Row{}, err)
			return
		}
		m.mu.Lock()
		rows := m.tables[r.Table].slice(r)
		m.mu.Unlock()
		for _, row := range rows {
			if err := canceled(ctx, "scanning"); err != nil {
				yield(blob.Row{}, err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}
