package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hearth/storage/blobtest"
)

// pebble is Let's Encrypt's own test authority, running.
type pebble struct {
	directory  string // URL of the ACME directory
	management string // URL of the management interface
	roots      *x509.CertPool
}

// startPebble builds and starts the authority, which asks the primary about names.
func startPebble(t *testing.T, nameserver string) *pebble {
	t.Helper()
	folder := t.TempDir()
	program := filepath.Join(folder, "pebble")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/letsencrypt/pebble/v2/cmd/pebble").CombinedOutput(); err != nil {
		t.Fatalf("building pebble: %v\n%s", err, out)
	}
	// Its own HTTPS needs a certificate: the local authority has one.
	l, err := openLocal(t.Context(), Options{Store: blobtest.NewMemory(), Local: []string{"localhost", "127.0.0.1"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := l.certificate()
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		name = filepath.Join(folder, name)
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	p := &pebble{roots: x509.NewCertPool()}
	p.roots.AddCert(l.root)
	acme, management := freeAddress(t), freeAddress(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": acme, "managementListenAddress": management,
		"certificate": write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})),
		"privateKey":  write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
		"httpPort":    5002, "tlsPort": 5001,
	}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-config", write("config.json", config), "-dnsserver", nameserver, "-strict")
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("pebble: %s", log.Bytes())
		}
	})
	p.directory, p.management = "https://"+acme+"/dir", "https://"+management
	p.await(t)
	return p
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (p *pebble) client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}}, Timeout: 5 * time.Second}
}

// await waits until the authority answers.
func (p *pebble) await(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for {
		if answer, err := p.client().Get(p.directory); err == nil {
			answer.Body.Close()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("pebble does not answer")
		}
	}
}

// root returns the root of what the authority issues.
func (p *pebble) root(t *testing.T) *x509.CertPool {
	t.Helper()
	answer, err := p.client().Get(p.management + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		t.Fatalf("no root in %q", data)
	}
	return pool
}

// journal keeps what is logged and tells when a line has come.
type journal struct {
	mu    sync.Mutex // guards the fields below
	lines []string
	more  chan struct{} // closed at the next line
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, string(line))
	close(j.more)
	j.more = make(chan struct{})
	return len(line), nil
}

func (j *journal) await(ctx context.Context, what string) error {
	for {
		j.mu.Lock()
		text, more := strings.Join(j.lines, ""), j.more
		j.mu.Unlock()
		if strings.Contains(text, what) {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("%q was not logged:\n%s", what, text)
		}
	}
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// shown returns the certificate that a server shows to who asks for a name.
func shown(t *testing.T, c *Certificates, name string, roots *x509.CertPool) *x509.Certificate {
	t.Helper()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	server := tls.Server(ours, c.TLS("h2", "http/1.1"))
	go func() { server.Handshake(); server.Close() }()
	client := tls.Client(theirs, &tls.Config{ServerName: name, RootCAs: roots, NextProtos: []string{"h2"}})
	if err := client.HandshakeContext(t.Context()); err != nil {
		t.Fatalf("shaking hands as %s: %v", name, err)
	}
	if p := client.ConnectionState().NegotiatedProtocol; p != "h2" {
		t.Errorf("protocol %q", p)
	}
	return client.ConnectionState().PeerCertificates[0]
}

// TestAnAuthorityIssues gets a certificate of a real ACME server, shows it, and finds it again after a restart.
func TestAnAuthorityIssues(t *testing.T) {
	dns := newPrimary(t)
	authority := startPebble(t, dns.public)
	store, log := blobtest.NewMemory(), newJournal()
	o := Options{
		Store: store, Names: []string{"matrix.example.org", "example.org"}, Log: log.logger(), Challenges: dns.challenges(),
		Authorities: []Authority{
			{Directory: "https://127.0.0.1:1/dir"}, // does not answer: the next one is tried
			{Directory: authority.directory, Email: "owner@example.org", Roots: authority.roots},
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	local := x509.NewCertPool()
	local.AppendCertsFromPEM(c.Root())
	shown(t, c, "matrix.example.org", local) // before there is another
	for _, name := range o.Names {
		if err := log.await(ctx, "certificate obtained successfully\" identifier="+name); err != nil {
			t.Fatal(err)
		}
	}
	c.awaitCached(ctx, t)
	roots := authority.root(t)
	first := shown(t, c, "matrix.example.org", roots)
	shown(t, c, "EXAMPLE.org", roots)
	for _, s := range c.Status() {
		if s.Expires.IsZero() || !strings.Contains(s.Issuer, "Pebble") {
			t.Errorf("status %+v", s)
		}
	}
	c.Close()
	if len(dns.records) != 0 || dns.added < 2 {
		t.Errorf("%d records were added, and are left: %v", dns.added, dns.records)
	}

	again, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	again.awaitCached(ctx, t)
	if second := shown(t, again, "matrix.example.org", roots); !second.Equal(first) {
		t.Error("after a restart there is another certificate")
	}
	if strings.Contains(strings.Join(log.lines, ""), "PRIVATE KEY") || strings.Contains(strings.Join(log.lines, ""), secret) {
		t.Error("a key was logged")
	}
}

// awaitCached waits until all certificates are ready to be shown.
func (c *Certificates) awaitCached(ctx context.Context, t *testing.T) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		ready := 0
		for _, s := range c.Status() {
			if !s.Expires.IsZero() {
				ready++
			}
		}
		if ready == len(c.options.Names) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("certificates: %+v", c.Status())
		}
	}
}
