package peers_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"hearth/homeserver/rig"
)

// tryCertificate starts everything as the owner does: appliance up with a zone, and an authority that asks the primary for
// the proofs. Then it speaks HTTPS of all versions with the homeserver, and TLS with dnsprimary, which proved its own name to
// itself; it believes nobody but the authority.
func tryCertificate(t *testing.T, programs string) {
	dns, dot, https := port(t), port(t), port(t)
	folder := newBox(t, programs, nil).folder
	authority := startAuthority(t, programs, folder, dns)
	client, err := rig.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"up", "--data", filepath.Join(folder, "data")}
	for _, set := range []string{
		"server_name=hearth.test", "client_address=" + client, "dns_address=" + dns, "dnsprimary.zones=hearth.test", "dnsprimary.nameservers=ns1.hearth.test",
		"dnsprimary.hosts=@hearth.test,ns1.hearth.test,matrix.hearth.test", "dnsprimary.addresses=127.0.0.1", "dnsprimary.dnssec.sign=true",
		"dnsprimary.listen_tls=" + dot, "dnsprimary.tls.names=ns1.hearth.test",
		"dnsprimary.tls.authorities=" + authority.directory, "dnsprimary.tls.roots_file=" + authority.rootsFile,
		"homeserver.tls.listen=" + https, "homeserver.tls.names=hearth.test,matrix.hearth.test", "homeserver.tls.zone=hearth.test",
		"homeserver.tls.authorities=" + authority.directory, "homeserver.tls.roots_file=" + authority.rootsFile,
	} {
		args = append(args, "--set", set)
	}
	start(t, folder, "appliance", filepath.Join(programs, "appliance"), args...)
	var roots *x509.CertPool
	await(t, "the homeserver and dnsprimary have their certificates", func() error {
		if roots, err = authority.roots(t.Context()); err != nil {
			return err
		}
		for name, address := range map[string]string{"hearth.test": https, "matrix.hearth.test": https, "ns1.hearth.test": dot} {
			conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, RootCAs: roots})
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			conn.Close()
		}
		return nil
	})
	for _, version := range []struct {
		proto string
		via   http.RoundTripper
	}{
		{"HTTP/1.1", transport(https, roots, false)},
		{"HTTP/2.0", transport(https, roots, true)},
		{"HTTP/3.0", &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "matrix.hearth.test"}}},
	} {
		host := "matrix.hearth.test"
		if version.proto == "HTTP/3.0" {
			host = https // the name is that of the certificate, all the same
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/_matrix/client/versions", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := version.via.RoundTrip(r)
		if err != nil {
			t.Errorf("%s: %v", version.proto, err)
			cancel()
			continue
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		cancel()
		if err != nil || answer.StatusCode != http.StatusOK || answer.Proto != version.proto {
			t.Errorf("%s: %s over %s: %s, %v", version.proto, answer.Status, answer.Proto, body, err)
		}
		if c, ok := version.via.(io.Closer); ok {
			c.Close()
		}
	}
	if answer, err := ask(dns, "_acme-challenge.hearth.test.", 16, nil); err != nil || len(answer.Answer) > 0 {
		t.Errorf("the proof was left in the zone: %v, %v", answer, err)
	}
}

// transport speaks one version of HTTP to an address, whatever name it is asked for.
func transport(address string, roots *x509.CertPool, two bool) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(!two)
	protocols.SetHTTP2(two)
	return &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}, Protocols: &protocols,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
}

// authority is Pebble, running.
type authority struct {
	directory, management string
	rootsFile             string // the root of its own HTTPS
	client                *http.Client
}

func startAuthority(t *testing.T, programs, folder, nameserver string) *authority {
	t.Helper()
	certificate, key := selfSigned(t)
	certificateFile := write(t, folder, "pebble.pem", string(certificate))
	a := &authority{rootsFile: certificateFile}
	acme, management := port(t), port(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": acme, "managementListenAddress": management, "certificate": certificateFile, "privateKey": write(t, folder, "pebble.key", string(key)),
		"httpPort": 5002, "tlsPort": 5001,
	}})
	if err != nil {
		t.Fatal(err)
	}
	start(t, folder, "pebble", filepath.Join(programs, "pebble"), "-config", write(t, folder, "pebble.json", string(config)), "-dnsserver", nameserver, "-strict")
	a.directory, a.management = "https://"+acme+"/dir", "https://"+management
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	a.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}, Timeout: patience}
	await(t, "pebble answers", func() error {
		_, err := a.roots(t.Context())
		return err
	})
	return a
}

// roots returns the root of what the authority issues.
func (a *authority) roots(ctx context.Context) (*x509.CertPool, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.management+"/roots/0", nil)
	if err != nil {
		return nil, err
	}
	answer, err := a.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, errors.New("pebble shows no root")
	}
	return pool, nil
}

// selfSigned makes a certificate for 127.0.0.1.
func selfSigned(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block := func(typ string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: b}) }
	return block("CERTIFICATE", der), block("PRIVATE KEY", secret)
}
