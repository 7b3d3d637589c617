package certs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"slices"
	"sync"
	"time"
)

// How long the local authority's certificates live, and how long before its end one is replaced. Devices of Apple
// accept no more than 825 days of a certificate whose root a person has trusted.
const (
	rootLife  = 20 * 365 * 24 * time.Hour
	leafLife  = 397 * 24 * time.Hour
	leafRenew = 30 * 24 * time.Hour
	backdate  = 24 * time.Hour // for devices whose clocks are behind
)

// The keys of the rows.
const (
	localKey  = "local/root.key"
	localCert = "local/root.crt"
)

// local is the authority that everybody has: the program itself.
type local struct {
	names   []string
	now     func() time.Time
	root    *x509.Certificate
	key     crypto.Signer
	rootPEM []byte

	mu   sync.Mutex // guards leaf
	leaf *tls.Certificate
}

// openLocal reads the local authority, or makes it.
func openLocal(ctx context.Context, o Options) (*local, error) {
	l := &local{names: slices.Concat(o.Names, o.Local), now: o.Now}
	if len(l.names) == 0 {
		l.names = []string{"localhost", "127.0.0.1", "::1"}
	}
	storage := &rows{store: o.Store, now: o.Now}
	err := l.load(ctx, storage)
	if err == nil && l.usable() {
		return l, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return l, l.make(ctx, storage)
}

func (l *local) load(ctx context.Context, storage *rows) error {
	keyPEM, err := storage.Load(ctx, localKey)
	if err != nil {
		return err
	}
	if l.rootPEM, err = storage.Load(ctx, localCert); err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(l.rootPEM, keyPEM)
	if err != nil {
		return fmt.Errorf("reading the local authority: %w", err)
	}
	l.root, l.key = pair.Leaf, pair.PrivateKey.(crypto.Signer)
	return nil
}

// usable reports whether the root lives, and permits all names.
func (l *local) usable() bool {
	domains, networks := constraints(l.names)
	for _, d := range domains {
		if !slices.Contains(l.root.PermittedDNSDomains, d) {
			return false
		}
	}
	return l.now().Add(leafLife).Before(l.root.NotAfter) && (len(networks) == 0 || len(l.root.PermittedIPRanges) > 0)
}

// constraints are what a root may speak for: its names, and the addresses of home networks.
func constraints(names []string) (domains []string, networks []*net.IPNet) {
	for _, name := range names {
		if !isAddress(name) {
			domains = append(domains, name)
			continue
		}
		ip := net.ParseIP(name)
		if v4 := ip.To4(); v4 != nil {
			ip = v4
		}
		networks = append(networks, &net.IPNet{IP: ip, Mask: net.CIDRMask(8*len(ip), 8*len(ip))})
	}
	for _, home := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"} {
		if _, network, err := net.ParseCIDR(home); err == nil {
			networks = append(networks, network)
		}
	}
	return domains, networks
}

func (l *local) make(ctx context.Context, storage *rows) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := l.now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Hearth at " + l.names[0]},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(rootLife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true,
	}
	template.PermittedDNSDomains, template.PermittedIPRanges = constraints(l.names)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := storage.Store(ctx, localKey, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})); err != nil {
		return err
	}
	if err := storage.Store(ctx, localCert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); err != nil {
		return err
	}
	return l.load(ctx, storage)
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return n
}

// certificate returns the local authority's certificate for all names, a new one when the last is near its end.
func (l *local) certificate() (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leaf != nil && l.now().Add(leafRenew).Before(l.leaf.Leaf.NotAfter) {
		return l.leaf, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := l.now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: l.names[0]},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range l.names {
		if isAddress(name) {
			template.IPAddresses = append(template.IPAddresses, net.ParseIP(name))
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, l.root, key.Public(), l.key)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate of the local authority: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	l.leaf = &tls.Certificate{Certificate: [][]byte{der, bytes.Clone(l.root.Raw)}, PrivateKey: key, Leaf: leaf}
	return l.leaf, nil
}
