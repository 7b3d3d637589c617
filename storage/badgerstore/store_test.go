package badgerstore_test

import (
	"fmt"
	"testing"

	"hearth/storage/badgerstore"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// open opens a store and its namespace "n", and closes it with the test.
func open(t testing.TB, dir string, o badgerstore.Options) (*badgerstore.DB, blob.Store) {
	t.Helper()
	db, err := badgerstore.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := db.Namespace("n")
	if err != nil {
		t.Fatal(err)
	}
	return db, s
}

func TestConformance(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store {
		_, s := open(t, t.TempDir(), badgerstore.Options{})
		return s
	})
}

func TestNamespacesAreApart(t *testing.T) {
	db, one := open(t, t.TempDir(), badgerstore.Options{})
	two, err := db.Namespace("n2")
	if err != nil {
		t.Fatal(err)
	}
	var b blob.Batch
	h := b.Put([]byte("blob"))
	b.Set("t", []byte("k"), []byte("one"))
	b.Roots = []blob.RootEdit{{Name: "r", New: h}}
	if err := one.Apply(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	got, err := two.Get(t.Context(), h)
	if err != nil || got[0] != nil {
		t.Fatalf("a blob of another namespace: %q, %v", got, err)
	}
	if got, err = two.Rows(t.Context(), blob.RowKey{Table: "t", Key: []byte("k")}); err != nil || got[0] != nil {
		t.Fatalf("a row of another namespace: %q, %v", got, err)
	}
	for row, err := range two.Scan(t.Context(), blob.Range{Table: "t"}) {
		t.Fatalf("scanned %v, %v", row, err)
	}
	if names, err := two.RootNames(t.Context(), ""); err != nil || len(names) != 0 {
		t.Fatalf("roots of another namespace: %q, %v", names, err)
	}
	for _, name := range []string{"", "UPPER", "a/b", "a\x00"} {
		if _, err := db.Namespace(name); blob.KindOf(err) != blob.Invalid {
			t.Errorf("namespace %q: %v", name, err)
		}
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		db, err := badgerstore.Open(dir, badgerstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := db.Namespace("n")
		if err != nil {
			t.Fatal(err)
		}
		for j := range i {
			got, err := s.Rows(t.Context(), blob.RowKey{Table: "t", Key: fmt.Append(nil, j)})
			if err != nil || string(got[0]) != fmt.Sprint("v", j) {
				t.Fatalf("open %d: row %d is %q, %v", i, j, got, err)
			}
		}
		var b blob.Batch
		b.Set("t", fmt.Append(nil, i), fmt.Append(nil, "v", i))
		if err := s.Apply(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if _, err := badgerstore.Open(dir, badgerstore.Options{}); blob.KindOf(err) != blob.Unavailable {
			t.Fatalf("opened twice: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(t.Context(), &b); blob.KindOf(err) != blob.Unavailable {
			t.Fatalf("applied to a closed store: %v", err)
		}
		if _, err := s.Rows(t.Context(), blob.RowKey{Table: "t", Key: []byte("k")}); blob.KindOf(err) != blob.Unavailable {
			t.Fatalf("read from a closed store: %v", err)
		}
	}
}
