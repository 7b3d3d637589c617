// Package blobtest checks any store against the contract of package blob, and is the in-memory store for tests.
package blobtest

import (
	"bytes"
	"fmt"
	"testing"

	"hearth/storage/blob"
)

// Open returns an empty store for one test, which cleans it up by t.Cleanup.
type Open func(t *testing.T) blob.Store

// Run checks the store against the whole contract, each point with a store of its own. Stores that are also a
// blob.AsyncApplier are checked as one.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, blob.Store)
	}{
		{"BlobsComeBackByHash", blobsComeBack},
		{"BlobOfEverySize", blobSizes},
		{"RowsComeBackByKey", rowsComeBack},
		{"RowOfEverySize", rowSizes},
		{"RowsOfOneBatchInOrder", laterRowWins},
		{"AbsentIsNil", absentIsNil},
		{"SlicesMayBeReused", slicesMayBeReused},
		{"ScanBounds", scanBounds},
		{"ScanManyRows", scanMany},
		{"ScanSeesOneSnapshot", scanSnapshot},
		{"ScanLimitsAndCancel", scanStops},
		{"RowsSeeOneSnapshot", rowsSnapshot},
		{"RootsMoveByCompareAndSet", rootsMove},
		{"RootsKeepHistory", rootsHistory},
		{"RootsAreListed", rootsListed},
		{"RootsNeverLoseAnEdit", rootsRace},
		{"ConflictChangesNothing", conflictWhole},
		{"LimitsAreKept", limits},
		{"LargestBatch", largestBatch},
		{"ResendAnswersAsBefore", resend},
		{"ResendOfConflict", resendConflict},
		{"ResendWindow", resendWindow},
		{"CanceledChangesNothing", canceledContext},
		{"AsyncKeepsOrder", asyncOrder},
		{"ConcurrentBatches", concurrentBatches},
		{"VerifyCounts", verifyCounts},
		{"StatsCount", statsCount},
		{"RandomAgainstModel", randomModel},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// must fails the test if err is not nil.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantKind fails the test unless err is a store's error of this kind.
func wantKind(t *testing.T, err error, kind blob.Kind) {
	t.Helper()
	if err == nil || blob.KindOf(err) != kind {
		t.Fatalf("got error %v, want kind %q", err, kind)
	}
}

func apply(t *testing.T, s blob.Applier, b *blob.Batch) {
	t.Helper()
	must(t, s.Apply(t.Context(), b))
}

// value reads one row.
func value(t *testing.T, s blob.Tables, table, key string) []byte {
	t.Helper()
	got, err := s.Rows(t.Context(), blob.RowKey{Table: table, Key: []byte(key)})
	must(t, err)
	if len(got) != 1 {
		t.Fatalf("got %d values for one key", len(got))
	}
	return got[0]
}

// keys scans the range and returns its keys as strings.
func keys(t *testing.T, s blob.Tables, r blob.Range) []string {
	t.Helper()
	var out []string
	for row, err := range s.Scan(t.Context(), r) {
		must(t, err)
		if row.Table != r.Table {
			t.Fatalf("scan of table %q yielded a row of %q", r.Table, row.Table)
		}
		out = append(out, string(row.Key))
	}
	return out
}

func wantStrings(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// fill returns n bytes that differ by seed and do not compress.
func fill(n int, seed uint64) []byte {
	out := make([]byte, n)
	x := seed*0x9e3779b97f4a7c15 + 1
	for i := range out {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		out[i] = byte(x)
	}
	return out
}

func wantBytes(t *testing.T, got, want []byte) {
	t.Helper()
	if got == nil || !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes %.40x, want %d bytes %.40x", len(got), got, len(want), want)
	}
}
