package socket

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"

	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

func TestNamespacesAreForTheirUsers(t *testing.T) {
	me := uint32(os.Getuid())
	path := tempSocket(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stores := map[string]blob.Store{"mine": blobtest.NewMemory(), "ours": blobtest.NewMemory(), "theirs": blobtest.NewMemory()}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- Serve(ctx, l, func(n string) (blob.Store, error) { return stores[n], nil },
			ServerOptions{Namespaces: map[string][]uint32{"mine": {me}, "ours": {me + 1, me}, "theirs": {me + 1}, "nobodys": nil}})
	}()
	for _, name := range []string{"mine", "ours"} {
		c, err := Dial(t.Context(), path, name, ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		b := &blob.Batch{}
		b.Set("t", []byte("k"), []byte(name))
		if err := c.Apply(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if got, err := stores[name].Rows(t.Context(), blob.RowKey{Table: "t", Key: []byte("k")}); err != nil || string(got[0]) != name {
			t.Fatalf("%s holds %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"theirs", "nobodys", "unknown"} {
		if _, err := Dial(t.Context(), path, name, ClientOptions{}); blob.KindOf(err) != blob.Denied {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := Dial(t.Context(), path, "Not a name", ClientOptions{}); blob.KindOf(err) != blob.Invalid {
		t.Errorf("got %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestStrangersAreDeniedAtOnce(t *testing.T) {
	path := tempSocket(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, blobtest.NewMemory(), ServerOptions{Namespaces: map[string][]uint32{"test": {uint32(os.Getuid()) + 1}}})
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h, p := readFrame(t, newFrameReader(conn)) // without a Hello
	if e, ok := parseError(p); h.typ != typeError || !ok || e.Kind != blob.Denied {
		t.Fatalf("got %+v, %v", h, e)
	}
}

// A client that was allowed before is told when it is no longer.
func TestDenialAfterReconnecting(t *testing.T) {
	path := tempSocket(t)
	stop := serveAt(t, path, blobtest.NewMemory())
	c := dial(t, path)
	stop()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, blobtest.NewMemory(), ServerOptions{Namespaces: map[string][]uint32{"other": {uint32(os.Getuid())}}})
	for range 2 {
		if _, err := c.Get(t.Context(), blob.Hash{1}); blob.KindOf(err) != blob.Denied {
			t.Fatalf("got %v", err)
		}
	}
}

func TestConnectionsOfAUserAreLimited(t *testing.T) {
	path := tempSocket(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	opts := testOptions()
	opts.MaxConns = 2
	serveOn(t, l, blobtest.NewMemory(), opts)
	for range 2 {
		c := dial(t, path)
		if _, err := c.Get(t.Context(), blob.Hash{1}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = connect(t.Context(), path, hello{version: version, namespace: "test"})
	if blob.KindOf(err) != blob.Unavailable {
		t.Fatalf("got %v", err)
	}
}

func TestStoreThatDoesNotOpen(t *testing.T) {
	path := tempSocket(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	var opened atomic.Int32
	go func() {
		ended <- Serve(ctx, l, func(string) (blob.Store, error) {
			if opened.Add(1) == 1 {
				return nil, errors.New("not now")
			}
			return blobtest.NewMemory(), nil
		}, testOptions())
	}()
	c := dial(t, path)
	if _, err := c.Get(t.Context(), blob.Hash{1}); err != nil || opened.Load() != 2 {
		t.Fatalf("got %v after %d attempts", err, opened.Load())
	}
	cancel()
	<-ended
}
