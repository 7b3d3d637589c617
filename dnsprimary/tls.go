package main

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"log/slog"
	"net"
	"os"
	"strings"

	"hearth/dnsprimary/certs"
	"hearth/settings"
	"hearth/storage/blob"
)

// TLSSettings say where the certificates of DNS over TLS and QUIC come from.
type TLSSettings struct {
	Names       []string `toml:"names" doc:"Names that the certificates are for, in the zones: ns1.example.org."`
	Authorities []string `toml:"authorities" doc:"URLs of the ACME directories of certificate authorities, in the order in which they are tried. Without any the server signs its own certificates."`
	Email       string   `toml:"email" doc:"E-mail address that the authorities may write to; empty for none."`
	RootsFile   string   `toml:"roots_file" doc:"Path of a PEM file of root certificates to trust for the authorities' own HTTPS; the system's if empty."`
}

// certificates returns which certificates are wanted. The program proves its names to itself, by its own socket.
func (s *Settings) certificates(store blob.Store, log *slog.Logger) (certs.Options, error) {
	o := certs.Options{Store: store, Names: s.TLS.Names, Log: log}
	if len(s.TLS.Authorities) == 0 {
		o.Names, o.Local = nil, s.TLS.Names
		return o, nil
	}
	if s.LocalKeyFile == "" || s.Socket == "" || len(s.Zones) == 0 {
		return o, settings.Invalid("tls.authorities", "names are proved by a zone, socket and local_key_file, which must be set")
	}
	k, err := readKey(s.LocalKeyFile)
	if err != nil {
		return o, settings.Invalid("local_key_file", "%w", err)
	}
	o.Challenges = certs.Challenges{
		Zone: s.Zones[0], Key: k.Name.String(), Algorithm: k.Algorithm.String(), Secret: base64.StdEncoding.EncodeToString(k.Secret),
		Dial: func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "unix", s.Socket) },
	}
	var roots *x509.CertPool
	if s.TLS.RootsFile != "" {
		data, err := os.ReadFile(s.TLS.RootsFile)
		if err != nil {
			return o, settings.Invalid("tls.roots_file", "%w", err)
		}
		if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(data) {
			return o, settings.Invalid("tls.roots_file", "%s holds no certificate", s.TLS.RootsFile)
		}
	}
	for _, directory := range s.TLS.Authorities {
		o.Authorities = append(o.Authorities, certs.Authority{Directory: strings.TrimSpace(directory), Email: s.TLS.Email, Roots: roots})
	}
	return o, nil
}
