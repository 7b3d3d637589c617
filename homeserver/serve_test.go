package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/homeserver/store"
	"hearth/process"
	"hearth/storage/blobtest"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func openStore(t *testing.T, backend *blobtest.Memory) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), backend, store.Options{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Two servers share no key; one keeps its key over a restart, and refuses another name.
func TestIdentity(t *testing.T) {
	backend := blobtest.NewMemory()
	first, err := identity(t.Context(), openStore(t, backend), "a.example")
	if err != nil {
		t.Fatal(err)
	}
	again, err := identity(t.Context(), openStore(t, backend), "a.example")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Key, again.Key) || first.KeyID != again.KeyID || again.Server != "a.example" {
		t.Error("the key changed over a restart")
	}
	other, err := identity(t.Context(), openStore(t, blobtest.NewMemory()), "a.example")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(first.Key, other.Key) || first.KeyID == other.KeyID {
		t.Error("two servers have one key")
	}
	_, err = identity(t.Context(), openStore(t, backend), "b.example")
	if err == nil || !strings.Contains(err.Error(), "a.example") {
		t.Errorf("another name gives %v", err)
	}
}

func TestIdentityIsMalformed(t *testing.T) {
	backend := blobtest.NewMemory()
	s := openStore(t, backend)
	if _, err := identity(t.Context(), s, "a.example"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(t.Context(), func(tx *store.Tx) { tx.Set(tableSelf, []byte("key"), []byte("ed25519:1\x00short")) }); err != nil {
		t.Fatal(err)
	}
	if _, err := identity(t.Context(), s, "a.example"); err == nil {
		t.Error("a short seed was taken for a key")
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct{ arg, want string }{
		{"server_name=not a name", "server_name"},
		{"registration=maybe", "registration"},
		{"federation_cert=cert.pem", "federation_cert"},
		{"registration_secret_file=/does/not/exist", "registration_secret_file"},
		{"limits.messages=often", "limits.messages"},
		{"trusted_proxies=localhost", "trusted_proxies"},
		{"turn.uris=stun:turn.example", "turn.uris"},
		{"turn.uris=turn:turn.example", "turn.secret_file"},
		{"server_notices.user=not a name", "server_notices.user"},
		{"server_notices.name=", "server_notices.name"},
		{"turn.lifetime=1s", "turn.lifetime"},
		{"turn.secret_file=/does/not/exist", "turn.secret_file"},
		{"sever_name=a.example", "sever_name"},
	} {
		err := run(t.Context(), []string{"-set", c.arg}, process.Streams{Out: io.Discard, Err: io.Discard})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s gives %v", c.arg, err)
		}
	}
	if err := run(t.Context(), []string{"rest"}, process.Streams{Out: io.Discard, Err: io.Discard}); err == nil {
		t.Error("an argument was ignored")
	}
}

// The server answers clients and administrators, and ends when it is told to, with those who wait answered.
func TestServe(t *testing.T) {
	cfg := defaultSettings()
	cfg.Listen = freeAddress(t)
	cfg.AdminSocket = filepath.Join(t.TempDir(), "admin.sock")
	s, err := assemble(t.Context(), &cfg, blobtest.NewMemory(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx) }()
	admin := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", cfg.AdminSocket)
	}}}
	get := func(c *http.Client, url string) string {
		deadline := time.Now().Add(20 * time.Second)
		for {
			r, err := c.Get(url)
			if err == nil {
				defer r.Body.Close()
				body, err := io.ReadAll(r.Body)
				if err != nil || r.StatusCode != http.StatusOK {
					t.Fatalf("%s: %d %s %v", url, r.StatusCode, body, err)
				}
				return string(body)
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
	}
	if v := get(http.DefaultClient, "http://"+cfg.Listen+"/_matrix/client/versions"); !strings.Contains(v, "v1.") {
		t.Errorf("versions: %s", v)
	}
	if h := get(admin, "http://admin/health"); h != "ok\n" {
		t.Errorf("health: %s", h)
	}
	if m := get(admin, "http://admin/metrics"); !strings.Contains(m, "\nhearth_log_position ") {
		t.Errorf("metrics: %s", m)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("serving ended with %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
	admin.CloseIdleConnections()
}

// freeAddress returns an address that nobody listens at, over TCP or UDP.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		packets, err := net.ListenPacket("udp", address)
		l.Close()
		if err == nil {
			packets.Close()
			return address
		}
	}
	t.Fatal("no port is free for both transports")
	return ""
}
