package blobtest

import (
	"fmt"
	"testing"

	"hearth/storage/blob"
)

func batch(session byte, seq uint64, key, val string) *blob.Batch {
	b := &blob.Batch{ID: blob.BatchID{Session: [16]byte{session}, Seq: seq}}
	b.Set("t", []byte(key), []byte(val))
	return b
}

func resend(t *testing.T, s blob.Store) {
	apply(t, s, batch(1, 1, "k", "first"))
	apply(t, s, batch(1, 2, "k", "second"))
	apply(t, s, batch(1, 1, "k", "first")) // was applied: answered as before, and not applied again
	wantBytes(t, value(t, s, "t", "k"), []byte("second"))
	apply(t, s, batch(2, 1, "k", "other session"))
	wantBytes(t, value(t, s, "t", "k"), []byte("other session"))
	apply(t, s, batch(1, 5, "k", "five")) // numbers may be left out
	apply(t, s, batch(1, 4, "k", "four")) // and then come late: never applied, so it is now
	wantBytes(t, value(t, s, "t", "k"), []byte("four"))
	apply(t, s, batch(1, 4, "k", "again"))
	wantBytes(t, value(t, s, "t", "k"), []byte("four"))
}

func resendConflict(t *testing.T, s blob.Store) {
	must(t, move(s, t, edit("r", blob.Hash{}, h1)))
	b := batch(1, 1, "k", "v")
	b.Roots = []blob.RootEdit{edit("r", h2, h3)}
	wantKind(t, s.Apply(t.Context(), b), blob.Conflict)
	must(t, move(s, t, edit("r", h1, h2))) // now it would succeed
	wantKind(t, s.Apply(t.Context(), b), blob.Conflict)
	wantRoot(t, s, "r", h2)
	if value(t, s, "t", "k") != nil {
		t.Fatal("the resend of a conflict was applied")
	}
	b.ID.Seq = 2 // a new batch with the same changes
	apply(t, s, b)
	wantRoot(t, s, "r", h3)
}

func resendWindow(t *testing.T, s blob.Store) {
	const last = 2*blob.ResendWindow + 10
	must(t, move(s, t, edit("r", blob.Hash{}, h1)))
	conflict := func(seq uint64) *blob.Batch {
		b := batch(1, seq, "conflict", "v")
		b.Roots = []blob.RootEdit{edit("r", h2, h3)}
		return b
	}
	for seq := uint64(1); seq <= last; seq++ {
		if seq%7 == 0 {
			wantKind(t, s.Apply(t.Context(), conflict(seq)), blob.Conflict)
			continue
		}
		apply(t, s, batch(1, seq, "n", fmt.Sprint(seq)))
	}
	for seq := uint64(last - blob.ResendWindow + 1); seq <= last; seq++ {
		if seq%7 == 0 {
			wantKind(t, s.Apply(t.Context(), conflict(seq)), blob.Conflict)
			continue
		}
		apply(t, s, batch(1, seq, "n", "applied twice"))
	}
	want := uint64(last)
	if want%7 == 0 {
		want--
	}
	wantBytes(t, value(t, s, "t", "n"), fmt.Append(nil, want))
	// What is older than the window is refused: nobody knows whether it was applied.
	wantKind(t, s.Apply(t.Context(), batch(1, last-blob.ResendWindow, "n", "too old")), blob.Invalid)
	wantBytes(t, value(t, s, "t", "n"), fmt.Append(nil, want))
}
