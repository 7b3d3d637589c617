package report

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blobtest"
)

func newReports(t testing.TB) *Reports {
	t.Helper()
	s, err := store.Open(t.Context(), blobtest.NewMemory(), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return New(s, func() time.Time { return time.UnixMilli(1000) })
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	var m *matrix.Error
	if code == "" && err != nil || code != "" && (!errors.As(err, &m) || m.Code != code) {
		t.Fatalf("error %v, want %q", err, code)
	}
}

// reasons lists the reasons of reports below an id.
func reasons(t testing.TB, r *Reports, below store.Pos) string {
	t.Helper()
	var all []string
	for one, err := range r.Newest(t.Context(), below) {
		wantCode(t, err, "")
		all = append(all, one.Reason)
	}
	return strings.Join(all, " ")
}

// The record in the package comment.
func TestRecord(t *testing.T) {
	r := Report{Time: time.UnixMilli(1000), Reporter: "@a:x", Room: "!r:x", Reason: "bad"}
	if got := hex.EncodeToString(appendReport(nil, &r)); got != "d00f0440613a780421723a78000003626164" {
		t.Errorf("wrote %s", got)
	}
}

func TestReports(t *testing.T) {
	r := newReports(t)
	first := Report{Reporter: "@a:x", Room: "!r:x", Event: "$e", Reason: "one"}
	id, err := r.Add(t.Context(), first)
	wantCode(t, err, "")
	second, err := r.Add(t.Context(), Report{Reporter: "@b:x", User: "@c:x", Reason: "two"})
	wantCode(t, err, "")
	_, err = r.Add(t.Context(), Report{Reporter: "@a:x", Room: "!r:x", Reason: "three"})
	wantCode(t, err, "")
	if got := reasons(t, r, 0); got != "three two one" {
		t.Errorf("all: %s", got)
	}
	if got := reasons(t, r, second); got != "one" {
		t.Errorf("below the second: %s", got)
	}
	first.ID, first.Time = id, time.UnixMilli(1000)
	if got, err := r.Report(t.Context(), id); err != nil || *got != first {
		t.Errorf("read %+v, %v", got, err)
	}
	wantCode(t, r.Delete(t.Context(), second), "")
	wantCode(t, r.Delete(t.Context(), second), matrix.MNotFound)
	if got := reasons(t, r, 0); got != "three one" {
		t.Errorf("after one was deleted: %s", got)
	}
	if n, err := r.Count(t.Context()); n != 2 || err != nil {
		t.Errorf("%d reports, %v", n, err)
	}
	if got, err := r.Report(t.Context(), second); got != nil || err != nil {
		t.Errorf("read %+v, %v", got, err)
	}
}

// Threat 12: one user cannot fill the disk; others can report nevertheless, and the user too, once some are dealt with.
func TestReportsOfAUserAreBounded(t *testing.T) {
	r := newReports(t)
	var id store.Pos
	for i := range MaxOfUser {
		var err error
		id, err = r.Add(t.Context(), Report{Reporter: "@a:x", User: "@c:x", Reason: fmt.Sprint(i)})
		wantCode(t, err, "")
	}
	_, err := r.Add(t.Context(), Report{Reporter: "@a:x", User: "@c:x"})
	wantCode(t, err, matrix.MLimitExceeded)
	_, err = r.Add(t.Context(), Report{Reporter: "@a:xy", User: "@c:x"})
	wantCode(t, err, "")
	wantCode(t, r.Delete(t.Context(), id), "")
	_, err = r.Add(t.Context(), Report{Reporter: "@a:x", User: "@c:x"})
	wantCode(t, err, "")
	_, err = r.Add(t.Context(), Report{Reporter: "@z:x", User: "@c:x", Reason: strings.Repeat("x", MaxReason+1)})
	wantCode(t, err, matrix.MTooLarge)
}

func TestAllReportsAreBounded(t *testing.T) {
	r := newReports(t)
	_, err := r.store.Apply(t.Context(), func(tx *store.Tx) { tx.Set(tableReports, []byte{rowCount}, []byte{0x90, 0x4e}) }) // 10,000
	wantCode(t, err, "")
	_, err = r.Add(t.Context(), Report{Reporter: "@a:x", User: "@c:x"})
	wantCode(t, err, matrix.MLimitExceeded)
}

func FuzzReport(f *testing.F) {
	f.Add(appendReport(nil, &Report{Time: time.UnixMilli(1000), Reporter: "@a:x", Room: "!r:x", Reason: "bad"}))
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := readReport(1, data)
		if err != nil {
			return
		}
		written := appendReport(nil, r)
		if again, err := readReport(1, written); err != nil || *again != *r || !bytes.Equal(appendReport(nil, again), written) {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}
