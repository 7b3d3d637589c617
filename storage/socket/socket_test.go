package socket

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// serveAt serves store as the namespace "test" on a socket at path until the test ends or stop is called.
func serveAt(tb testing.TB, path string, store blob.Store) (stop func()) {
	tb.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	return serveOn(tb, l, store, testOptions())
}

func serveOn(tb testing.TB, l net.Listener, store blob.Store, opts ServerOptions) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, l, func(string) (blob.Store, error) { return store, nil }, opts)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("serving: %v", err)
		}
	})
	tb.Cleanup(stop)
	return stop
}

func testOptions() ServerOptions {
	return ServerOptions{Namespaces: map[string][]uint32{"test": {uint32(os.Getuid())}}, MaxConns: 100}
}

func tempSocket(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "hearth") // t.TempDir may be too long for a socket
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// dial returns a client that is closed at the test's end.
func dial(tb testing.TB, path string) *Client {
	tb.Helper()
	c, err := Dial(context.Background(), path, "test", ClientOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// through returns a client of store.
func through(tb testing.TB, store blob.Store) *Client {
	tb.Helper()
	path := tempSocket(tb)
	serveAt(tb, path, store)
	return dial(tb, path)
}

func TestMemoryThroughSocket(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return through(t, blobtest.NewMemory()) })
}

// plain hides that a store is a blob.AsyncApplier.
type plain struct{ blob.Store }

func TestPlainStoreThroughSocket(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return through(t, plain{blobtest.NewMemory()}) })
}
