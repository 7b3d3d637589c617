// Package certs gets, keeps and renews the certificates of a program that serves TLS, by ACME DNS-01 through the primary DNS server.
//
// A program gives the names that it serves, and gets a *tls.Config. Accounts, keys and certificates are the program's
// own: they are rows of its namespace in the storage program and are nowhere else. Names are proved by a TXT record
// that is added to the zone by a dynamic update (RFC 2136), signed by TSIG (RFC 8945), over the primary's local socket;
// certificates are renewed when the authority says so (ACME Renewal Information, RFC 9773) or two thirds of their life
// are over; each authority is tried in turn.
//
// Until there is such a certificate, and for names that nobody else can prove (a box that has no public name), the
// certificate is one of a local authority, made at the first start. Its root is limited to the program's own names by
// name constraints, so that people can trust it on their devices without trusting it for anything else.
//
// # Table
//
//	acme    certmagic's key, as a path     time in milliseconds since 1970 (8 bytes, big-endian), then the value
//
// So the value "x" that was written at key "a/b" one second after 1970 is the row a/b with 00 00 00 00 00 00 03 e8 78.
package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"

	"hearth/storage/blob"
)

// Options say which certificates are wanted, and from where.
type Options struct {
	Store blob.Store // the program's own namespace
	// Names are what the program serves by certificates of the authorities. Without any, or without Authorities,
	// only the local authority is used.
	Names []string
	// Local are further names and addresses, for certificates of the local authority: "hearth.local", "192.168.1.7".
	Local       []string
	Authorities []Authority // in the order in which they are tried
	Challenges  Challenges  // how names are proved
	Now         func() time.Time
	Log         *slog.Logger
}

// Authority is one certificate authority that speaks ACME.
type Authority struct {
	Directory string // URL of its directory
	Email     string // where it may write to; "" for nowhere
	// Roots, if not nil, are trusted for the authority's own HTTPS, instead of the system's.
	Roots *x509.CertPool
	// KeyID and MACKey bind the account to one that the authority knows already, where it asks for that.
	KeyID, MACKey string
}

// LetsEncrypt is the directory of the authority that most people use.
const LetsEncrypt = certmagic.LetsEncryptProductionCA

// Certificates are a program's certificates. Close ends their upkeep.
type Certificates struct {
	options Options
	local   *local
	names   map[string]bool
	cache   *certmagic.Cache
	magic   *certmagic.Config // nil if there are no authorities
	cancel  context.CancelFunc
}

// Open reads the certificates that there are, begins to get those that are missing, and returns at once.
func Open(ctx context.Context, o Options) (*Certificates, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	l, err := openLocal(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("making certificates of the local authority: %w", err)
	}
	c := &Certificates{options: o, local: l, names: make(map[string]bool), cancel: func() {}}
	for _, name := range o.Names {
		c.names[strings.ToLower(name)] = true
	}
	if len(o.Names) == 0 || len(o.Authorities) == 0 {
		return c, nil
	}
	if err := o.Challenges.check(o.Names); err != nil {
		return nil, err
	}
	c.manage(ctx)
	return c, nil
}

func (c *Certificates) manage(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	log := zapLogger(c.options.Log)
	c.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return c.magic, nil },
		Logger:           log,
	})
	c.magic = certmagic.New(c.cache, certmagic.Config{
		Storage: &rows{store: c.options.Store, now: c.options.Now, locks: make(map[string]chan struct{})},
		Logger:  log,
		OCSP:    certmagic.OCSPConfig{DisableStapling: true}, // authorities have ended it
	})
	for _, a := range c.options.Authorities {
		issuer := certmagic.ACMEIssuer{
			CA: a.Directory, TestCA: a.Directory, Email: a.Email, Agreed: true, TrustedRoots: a.Roots,
			DNS01Solver: &solver{c.options.Challenges}, DisableHTTPChallenge: true, DisableTLSALPNChallenge: true,
			Logger: log,
		}
		if a.KeyID != "" {
			issuer.ExternalAccount = externalAccount(a)
		}
		c.magic.Issuers = append(c.magic.Issuers, certmagic.NewACMEIssuer(c.magic, issuer))
	}
	// It goes on trying for 30 days, with longer and longer pauses, and again at the next start.
	if err := c.magic.ManageAsync(ctx, c.options.Names); err != nil {
		c.options.Log.Error("getting certificates", "err", err)
	}
}

// Close ends the upkeep. What was begun is begun anew at the next start.
func (c *Certificates) Close() {
	c.cancel()
	if c.cache != nil {
		c.cache.Stop()
	}
}

// TLS returns a configuration of a server that speaks the protocols given by their ALPN names, in the order in which it
// prefers them.
func (c *Certificates) TLS(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     protocols,
		GetCertificate: c.get,
	}
}

// get chooses the certificate of one connection.
func (c *Certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	// Names of others are not looked for: that would cost a read of the disk for whatever a stranger asks.
	if c.magic != nil && c.names[strings.ToLower(hello.ServerName)] {
		if certificate, err := c.magic.GetCertificate(hello); err == nil {
			return certificate, nil
		}
	}
	if c.magic != nil && hello.ServerName == "" {
		named := *hello
		named.ServerName = c.options.Names[0]
		if certificate, err := c.magic.GetCertificate(&named); err == nil {
			return certificate, nil
		}
	}
	return c.local.certificate()
}

// Root returns the certificate of the local authority, in PEM, for people who want to trust it.
func (c *Certificates) Root() []byte { return slices.Clone(c.local.rootPEM) }

// Status is what is known of the certificate for a name.
type Status struct {
	Name    string
	Issuer  string    // "" if there is no certificate yet
	Expires time.Time // the zero time if there is no certificate yet
}

// Status returns what is known of each name's certificate, in the order of Options.Names.
func (c *Certificates) Status() []Status {
	var all []Status
	for _, name := range c.options.Names {
		s := Status{Name: name}
		if c.cache != nil {
			for _, found := range c.cache.AllMatchingCertificates(strings.ToLower(name)) {
				if found.Leaf != nil && found.Leaf.NotAfter.After(s.Expires) {
					s.Issuer, s.Expires = found.Leaf.Issuer.String(), found.Leaf.NotAfter
				}
			}
		}
		all = append(all, s)
	}
	return all
}

// errNoZone is the error of a name that the primary cannot prove.
var errNoZone = errors.New("it is not in the zone that this box serves: change the name, or the zone")

func isAddress(name string) bool { return net.ParseIP(name) != nil }
