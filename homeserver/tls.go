package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"hearth/dnsprimary/certs"
	"hearth/matrix"
	"hearth/settings"
	"hearth/storage/blob"
)

// TLSSettings say where HTTPS is served, and where its certificates come from.
type TLSSettings struct {
	Listen      []string `toml:"listen" doc:"Addresses, host:port, of HTTPS: over TCP (HTTP/1.1 and 2) and over UDP (HTTP/3). On a box :443 and :8448; none without HTTPS."`
	Names       []string `toml:"names" doc:"Names that the certificates are for; the server name if none is given."`
	Local       []string `toml:"local" doc:"Names and addresses in the home network, such as hearth.local, for which no public authority gives certificates: the server signs its own."`
	Authorities []string `toml:"authorities" doc:"URLs of the ACME directories of certificate authorities, in the order in which they are tried, such as https://acme-v02.api.letsencrypt.org/directory. Without any the server signs its own certificates."`
	Email       string   `toml:"email" doc:"E-mail address that the authorities may write to; empty for none."`
	RootsFile   string   `toml:"roots_file" doc:"Path of a PEM file of root certificates to trust for the authorities' own HTTPS; the system's if empty."`
	KeyID       string   `toml:"key_id" doc:"Id of the external account at the authority, where it asks for one."`
	MACKeyFile  string   `toml:"mac_key_file" doc:"Path of a file with the MAC key of key_id."`
	Zone        string   `toml:"zone" doc:"DNS zone of this box's primary, in which names are proved."`
	DNSSocket   string   `toml:"dns_socket" doc:"Path of the primary DNS server's unix socket."`
	DNSKeyFile  string   `toml:"dns_key_file" doc:"Path of a file with the TSIG key for updates: name, algorithm and secret in Base64, parted by spaces."`
}

// options checks the settings, reads the files that they name, and returns what they say of certificates.
func (t *TLSSettings) options(server matrix.ServerName, store blob.Store, log *slog.Logger) (certs.Options, error) {
	host, _, err := net.SplitHostPort(string(server))
	if err != nil {
		host = string(server)
	}
	o := certs.Options{Store: store, Names: t.Names, Local: t.Local, Log: log}
	if len(t.Authorities) == 0 {
		o.Names, o.Local = nil, append(append([]string{host}, t.Names...), t.Local...)
		return o, nil
	}
	if len(t.Names) == 0 {
		o.Names = []string{host}
	}
	for _, file := range []struct{ setting, value string }{
		{"tls.zone", t.Zone}, {"tls.dns_socket", t.DNSSocket}, {"tls.dns_key_file", t.DNSKeyFile},
	} {
		if file.value == "" {
			return o, settings.Invalid(file.setting, "it is needed to prove names to tls.authorities")
		}
	}
	o.Challenges = certs.Challenges{
		Zone: t.Zone,
		Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", t.DNSSocket)
		},
	}
	key, err := os.ReadFile(t.DNSKeyFile)
	if err != nil {
		return o, settings.Invalid("tls.dns_key_file", "%w", err)
	}
	parts := strings.Fields(string(key))
	if len(parts) != 3 {
		return o, settings.Invalid("tls.dns_key_file", "%s holds not three words: name, algorithm and secret", t.DNSKeyFile)
	}
	o.Challenges.Key, o.Challenges.Algorithm, o.Challenges.Secret = parts[0], parts[1], parts[2]
	roots, err := t.roots()
	if err != nil {
		return o, err
	}
	mac, err := secret("tls.mac_key_file", t.MACKeyFile)
	if err != nil {
		return o, err
	}
	for _, directory := range t.Authorities {
		o.Authorities = append(o.Authorities, certs.Authority{Directory: directory, Email: t.Email, Roots: roots, KeyID: t.KeyID, MACKey: mac})
	}
	return o, nil
}

func (t *TLSSettings) roots() (*x509.CertPool, error) {
	if t.RootsFile == "" {
		return nil, nil
	}
	data, err := os.ReadFile(t.RootsFile)
	if err != nil {
		return nil, settings.Invalid("tls.roots_file", "%w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, settings.Invalid("tls.roots_file", "%s holds no certificate", t.RootsFile)
	}
	return pool, nil
}

// openCertificates returns the certificates of HTTPS, nil if it is not served.
func openCertificates(ctx context.Context, cfg *Settings, store blob.Store, log *slog.Logger) (*certs.Certificates, error) {
	if len(cfg.TLS.Listen) == 0 {
		return nil, nil
	}
	o, err := cfg.TLS.options(matrix.ServerName(cfg.ServerName), store, log)
	if err != nil {
		return nil, err
	}
	c, err := certs.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("preparing HTTPS: %w", err)
	}
	return c, nil
}
