package agent

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"hearth/appliance/ota"
)

// keyPrefix begins the text of a public key, as it stands in settings and in files.
const keyPrefix = "ed25519:"

// FormatKey returns a public key as text: "ed25519:" and base64.
func FormatKey(key ed25519.PublicKey) string {
	return keyPrefix + base64.RawStdEncoding.EncodeToString(key)
}

// ParseKey reads what FormatKey writes.
func ParseKey(text string) (ed25519.PublicKey, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(text), keyPrefix)
	key, err := base64.RawStdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%q is not a public key: want %s and 43 characters", text, keyPrefix)
	}
	return key, nil
}

// PublicKey returns the public half of a key.
func PublicKey(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// privateKey reads an Ed25519 key's seed from a file, or makes it there.
func privateKey(file string) (key ed25519.PrivateKey, made bool, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		_, key, err = ed25519.GenerateKey(rand.Reader)
		if err == nil {
			err = keepFile(file, base64.RawStdEncoding.EncodeToString(key.Seed())+"\n")
		}
		return key, true, err
	}
	if err != nil {
		return nil, false, err
	}
	seed, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, false, fmt.Errorf("%s does not hold a key", file)
	}
	return ed25519.NewKeyFromSeed(seed), false, nil
}

// keepFile writes a small file for its user only, whole or not at all.
func keepFile(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // fails if it has its name
	_, err = file.WriteString(text)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// certificate returns a certificate that shows a key.
func certificate(key ed25519.PrivateKey) (tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hearth"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// peerKey returns the key that the other side has shown, and proved to have by the handshake.
func peerKey(state *tls.ConnectionState) (ed25519.PublicKey, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return nil, errors.New("the other side shows no key")
	}
	key, ok := state.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("the other side's key is not of Ed25519")
	}
	return key, nil
}

// secure returns how both sides speak: with a key, and with whoever has one, which accept then judges.
func secure(key ed25519.PrivateKey, accept func(ed25519.PublicKey) error) (*tls.Config, error) {
	own, err := certificate(key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}, NextProtos: []string{"http/1.1"},
		ClientAuth: tls.RequireAnyClientCert, InsecureSkipVerify: true, SessionTicketsDisabled: true, // accept verifies
		VerifyConnection: func(state tls.ConnectionState) error {
			peer, err := peerKey(&state)
			if err != nil {
				return err
			}
			return accept(peer)
		},
	}, nil
}

// keys are the box's own, and its owner's.
type keys struct {
	own       ed25519.PrivateKey
	ownerFile string

	mu    sync.Mutex // guards owner, and the file's making
	owner ed25519.PublicKey
}

// openKeys reads the keys in a folder, and makes the box's own if there is none. An owner that is given is the owner.
func openKeys(folder string, owner ed25519.PublicKey) (*keys, error) {
	own, _, err := privateKey(filepath.Join(folder, "key"))
	if err != nil {
		return nil, fmt.Errorf("reading the box's key: %w", err)
	}
	k := &keys{own: own, owner: owner, ownerFile: filepath.Join(folder, "owner")}
	if owner != nil {
		return k, nil
	}
	text, err := os.ReadFile(k.ownerFile)
	if err == nil {
		k.owner, err = ParseKey(string(text))
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading who the owner is: %w", err)
	}
	return k, nil
}

// current returns the owner, nil if there is none.
func (k *keys) current() ed25519.PublicKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.owner
}

// errOwned is returned by enrol if the box belongs to another.
var errOwned = errors.New("this box belongs to another key")

// enrol makes a key the owner if there is none. It holds the lock while it writes, so that of two one is the first.
func (k *keys) enrol(key ed25519.PublicKey) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.owner != nil {
		if k.owner.Equal(key) {
			return nil
		}
		return errOwned
	}
	if err := keepFile(k.ownerFile, FormatKey(key)+"\n"); err != nil {
		return fmt.Errorf("keeping the owner's key: %w", err)
	}
	k.owner = key
	return nil
}

func (k *keys) fingerprint() string { return ota.Fingerprint(PublicKey(k.own)) }
