package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"

	"hearth/settings"
	"hearth/storage/blobtest"
)

// HTTPS is served by HTTP/1.1, HTTP/2 and HTTP/3, by a certificate of the local authority, and ends with the server.
func TestServeHTTPS(t *testing.T) {
	cfg := defaultSettings()
	cfg.Listen = freeAddress(t)
	cfg.ServerName = "hearth.example:8448"
	cfg.TLS.Listen = []string{freeAddress(t), freeAddress(t)}
	s, err := assemble(t.Context(), &cfg, blobtest.NewMemory(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx) }()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.certs.Root())
	config := &tls.Config{RootCAs: roots, ServerName: "hearth.example"}
	three := &http3.Transport{TLSClientConfig: config}
	old := &http.Transport{TLSClientConfig: config.Clone(), Protocols: new(http.Protocols)}
	old.Protocols.SetHTTP1(true)
	transports := map[string]http.RoundTripper{
		"HTTP/1.1": old,
		"HTTP/2.0": &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: true},
		"HTTP/3.0": three,
	}
	awaitServed(t, cfg.Listen)
	for _, address := range cfg.TLS.Listen {
		for protocol, transport := range transports {
			client := &http.Client{Transport: transport}
			answer, err := client.Get("https://" + address + "/_matrix/client/versions")
			if err != nil {
				t.Fatalf("%s: %v", protocol, err)
			}
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.Proto != protocol || !strings.Contains(string(body), "v1.") {
				t.Errorf("%s answered %s: %s, %v", protocol, answer.Proto, body, err)
			}
			_, port, _ := strings.Cut(address, ":")
			if offer := answer.Header.Get("Alt-Svc"); protocol != "HTTP/3.0" && !strings.Contains(offer, `h3=":`+port+`"`) {
				t.Errorf("%s offers %q", protocol, offer)
			}
		}
	}
	three.Close()
	for _, transport := range transports {
		if c, ok := transport.(*http.Transport); ok {
			c.CloseIdleConnections()
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("serving ended with %v", err)
	}
}

// awaitServed returns when something listens.
func awaitServed(t *testing.T, address string) {
	t.Helper()
	for t.Context().Err() == nil {
		answer, err := http.Get("http://" + address + "/_matrix/client/versions")
		if err == nil {
			answer.Body.Close()
			http.DefaultClient.CloseIdleConnections()
			return
		}
	}
}

func TestTLSSettings(t *testing.T) {
	for _, c := range []struct {
		sets []string
		want string
	}{
		{[]string{"tls.authorities=https://ca.example/dir"}, "tls.zone"},
		{[]string{"tls.authorities=https://ca.example/dir", "tls.zone=example.org"}, "tls.dns_socket"},
		{[]string{"tls.authorities=https://ca.example/dir", "tls.zone=example.org", "tls.dns_socket=x", "tls.dns_key_file=/does/not/exist"}, "tls.dns_key_file"},
		{[]string{"tls.authorities=https://ca.example/dir", "tls.zone=example.org", "tls.dns_socket=x", "tls.dns_key_file=front_test.go"}, "three words"},
	} {
		args := []string{"-set", "tls.listen=127.0.0.1:0"}
		for _, set := range c.sets {
			args = append(args, "-set", set)
		}
		cfg := defaultSettings()
		if _, err := settings.Load("homeserver", &cfg, args, io.Discard); err != nil {
			t.Fatal(err)
		}
		_, err := assemble(t.Context(), &cfg, blobtest.NewMemory(), quiet())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v gives %v", c.sets, err)
		}
	}
}
