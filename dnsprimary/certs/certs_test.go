package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"

	"hearth/storage/blobtest"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestTheLocalAuthority(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	store := blobtest.NewMemory()
	o := Options{Store: store, Local: []string{"hearth.local", "192.168.1.7"}, Log: quiet(), Now: func() time.Time { return now }}
	open := func() *Certificates {
		c, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	verify := func(c *Certificates, name string) error {
		certificate, err := c.local.certificate()
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(c.Root())
		_, err = certificate.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: now})
		return err
	}
	c := open()
	for _, name := range []string{"hearth.local", "192.168.1.7"} {
		if err := verify(c, name); err != nil {
			t.Error(err)
		}
	}
	if err := verify(c, "bank.example"); err == nil {
		t.Error("vouches for another's name")
	}
	root := c.Root()
	if again := open(); !slices.Equal(again.Root(), root) {
		t.Error("a restart made another root")
	}
	leaf, _ := c.local.certificate()
	now = now.Add(leafLife - leafRenew + time.Hour)
	if renewed, _ := c.local.certificate(); renewed.Leaf.Equal(leaf.Leaf) {
		t.Error("the certificate was not renewed")
	}
	// What the old root does not permit needs a new one.
	o.Local = append(o.Local, "club.local")
	if c = open(); slices.Equal(c.Root(), root) {
		t.Error("a new name has the old root")
	}
	if err := verify(c, "club.local"); err != nil {
		t.Error(err)
	}
}

func TestTwoBoxesShareNoKey(t *testing.T) { // threat 11
	var roots []string
	for range 2 {
		c, err := Open(t.Context(), Options{Store: blobtest.NewMemory(), Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		roots = append(roots, string(c.Root()))
	}
	if roots[0] == roots[1] {
		t.Error("two stores have one root")
	}
}

func TestNamesOutsideTheZone(t *testing.T) {
	for _, name := range []string{"example.com", "192.168.1.7", "badexample.org"} {
		_, err := Open(t.Context(), Options{
			Store: blobtest.NewMemory(), Names: []string{name}, Authorities: []Authority{{Directory: "https://127.0.0.1:1/"}},
			Challenges: Challenges{Zone: "example.org"}, Log: quiet(),
		})
		if !errors.Is(err, errNoZone) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPrimaryThatRefuses(t *testing.T) {
	dns := newPrimary(t)
	dns.refuse = true
	s := &solver{dns.challenges()}
	err := s.Present(t.Context(), acme.Challenge{Identifier: acme.Identifier{Type: "dns", Value: "example.org"}, KeyAuthorization: "x"})
	if err == nil || !strings.Contains(err.Error(), "REFUSED") {
		t.Errorf("error %v", err)
	}
	dns.refuse = false
	s.Secret = "d3Jvbmc="
	if err := s.Present(t.Context(), acme.Challenge{Identifier: acme.Identifier{Type: "dns", Value: "example.org"}}); err == nil {
		t.Error("a wrong key was accepted")
	}
}

func TestRows(t *testing.T) {
	var s certmagic.Storage = &rows{store: blobtest.NewMemory(), now: func() time.Time { return time.UnixMilli(1000) }, locks: make(map[string]chan struct{})}
	ctx := t.Context()
	for _, key := range []string{"a/b/c", "a/b/d", "a/e", "ab/f"} {
		if err := s.Store(ctx, key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := s.Load(ctx, "a/b/c"); err != nil || string(v) != "a/b/c" {
		t.Errorf("%q, %v", v, err)
	}
	if _, err := s.Load(ctx, "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder: %v", err)
	}
	for _, c := range []struct {
		folder    string
		recursive bool
		want      []string
	}{
		{"a", false, []string{"a/b", "a/e"}},
		{"a/", true, []string{"a/b", "a/b/c", "a/b/d", "a/e"}},
		{"a/b", true, []string{"a/b/c", "a/b/d"}},
		{"", false, []string{"a", "ab"}},
	} {
		if got, err := s.List(ctx, c.folder, c.recursive); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", c.folder, got, err)
		}
	}
	if info, err := s.Stat(ctx, "a/e"); err != nil || !info.IsTerminal || info.Size != 3 || !info.Modified.Equal(time.UnixMilli(1000)) {
		t.Errorf("%+v, %v", info, err)
	}
	if info, err := s.Stat(ctx, "a/b"); err != nil || info.IsTerminal {
		t.Errorf("%+v, %v", info, err)
	}
	if err := s.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if s.Exists(ctx, "a/b/c") || s.Exists(ctx, "a") || !s.Exists(ctx, "ab/f") {
		t.Error("a folder was not removed alone and whole")
	}
}

func TestRowsOnDisk(t *testing.T) {
	m := blobtest.NewMemory()
	r := &rows{store: m, now: func() time.Time { return time.UnixMilli(1000) }}
	if err := r.Store(t.Context(), "a/b", []byte("x")); err != nil {
		t.Fatal(err)
	}
	found, err := r.below(t.Context(), "a")
	if err != nil || string(found[0].Key) != "a/b" || string(found[0].Value) != "\x00\x00\x00\x00\x00\x00\x03\xe8x" {
		t.Errorf("%q, %v", found, err)
	}
}

func TestLocks(t *testing.T) {
	s := &rows{locks: make(map[string]chan struct{})}
	ctx := t.Context()
	if err := s.Lock(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Lock(short, "a"); err == nil {
		t.Error("locked twice")
	}
	got := make(chan error)
	go func() { got <- s.Lock(ctx, "a") }()
	if err := s.Unlock(ctx, "a"); err != nil {
		t.Error(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
	if err := s.Unlock(ctx, "b"); err == nil {
		t.Error("unlocked what was not locked")
	}
}
