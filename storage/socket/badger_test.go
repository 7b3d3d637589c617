package socket

import (
	"testing"

	"hearth/storage/badgerstore"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// openBadger returns a namespace of a new store on disk.
func openBadger(tb testing.TB, opts badgerstore.Options) blob.Store {
	tb.Helper()
	db, err := badgerstore.Open(tb.TempDir(), opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("closing: %v", err)
		}
	})
	store, err := db.Namespace("test")
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

func TestBadgerThroughSocket(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return through(t, openBadger(t, badgerstore.Options{})) })
}
