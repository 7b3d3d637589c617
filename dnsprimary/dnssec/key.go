package dnssec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// Algorithm is how a key signs, by its number in DNSKEY (RFC 8624).
type Algorithm uint8

// The algorithms.
const (
	ECDSAP256SHA256 Algorithm = 13 // RFC 6605
	Ed25519         Algorithm = 15 // RFC 8080
)

// String returns the algorithm's mnemonic.
func (a Algorithm) String() string { return dns.AlgorithmToString[uint8(a)] }

// ParseAlgorithm reads a mnemonic.
func ParseAlgorithm(name string) (Algorithm, error) {
	for _, a := range []Algorithm{ECDSAP256SHA256, Ed25519} {
		if a.String() == name {
			return a, nil
		}
	}
	return 0, fmt.Errorf("the algorithm is %s or %s, not %q", ECDSAP256SHA256, Ed25519, name)
}

// Role says what a key signs.
type Role uint8

// The roles.
const (
	ZSK Role = 1 // all but the keys
	KSK Role = 2 // the keys: the parent has its DS
	CSK Role = 3 // both
)

// String returns the role's abbreviation.
func (r Role) String() string { return [...]string{"?", "ZSK", "KSK", "CSK"}[r&3] }

// Key is one key of a zone, with its life. Times are whole seconds.
type Key struct {
	Algorithm Algorithm
	Role      Role
	Made      time.Time
	Publish   time.Time // when it came into the zone
	Activate  time.Time // when it began to sign the zone, and to be what the parent is asked for
	Confirm   time.Time // when the parent was seen to have its DS
	Retire    time.Time // when its successor took its place
	Remove    time.Time // when it left the zone
	Asked     time.Time // when a successor was asked for

	secret  [seedSize]byte
	private crypto.Signer
	public  []byte // as in DNSKEY
	tag     uint16 // computed once, since it is in every signature
}

const seedSize = 32

// Generate makes a key that is not used yet.
func Generate(a Algorithm, r Role, now time.Time, random io.Reader) (*Key, error) {
	k := &Key{Algorithm: a, Role: r, Made: now.Truncate(time.Second)}
	for {
		if _, err := io.ReadFull(random, k.secret[:]); err != nil {
			return nil, fmt.Errorf("making a key: %w", err)
		}
		if err := k.derive(); err == nil {
			return k, nil
		} else if a != ECDSAP256SHA256 {
			return nil, err
		} // else this one of 2^32 was no scalar of the curve
	}
}

// derive computes the public key.
func (k *Key) derive() error {
	switch k.Algorithm {
	case ECDSAP256SHA256:
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), k.secret[:])
		if err != nil {
			return err
		}
		point, err := private.PublicKey.Bytes()
		if err != nil {
			return err
		}
		k.private, k.public = private, point[1:] // without the mark of an uncompressed point
	case Ed25519:
		private := ed25519.NewKeyFromSeed(k.secret[:])
		k.private, k.public = private, private.Public().(ed25519.PublicKey)
	default:
		return fmt.Errorf("there is no algorithm %d", k.Algorithm)
	}
	k.tag = tagOf(k.rdata())
	return nil
}

// rdata returns the key as the rdata of DNSKEY and CDNSKEY (RFC 4034 §2).
func (k *Key) rdata() string {
	flags := uint16(dns.ZONE)
	if k.Role != ZSK {
		flags |= dns.SEP
	}
	out := binary.BigEndian.AppendUint16(nil, flags)
	return string(append(append(out, 3, byte(k.Algorithm)), k.public...))
}

// Tag returns the key's tag (RFC 4034 appendix B).
func (k *Key) Tag() uint16 { return k.tag }

func tagOf(rdata string) uint16 {
	var sum uint32
	for i, b := range []byte(rdata) {
		if i&1 == 0 {
			sum += uint32(b) << 8
		} else {
			sum += uint32(b)
		}
	}
	return uint16(sum + sum>>16&0xffff)
}

// DS returns the record that the parent of a zone must have for this key, with a digest by SHA-256 (RFC 4509).
func (k *Key) DS(origin zone.Name) zone.Record {
	return zone.Record{Owner: origin, Type: dns.TypeDS, TTL: 86400, Rdata: k.ds(origin)}
}

func (k *Key) ds(origin zone.Name) string {
	digest := sha256.Sum256([]byte(string(origin) + k.rdata()))
	out := binary.BigEndian.AppendUint16(nil, k.Tag())
	return string(append(append(out, byte(k.Algorithm), dns.SHA256), digest[:]...))
}

// sign signs a message. Signatures by ECDSA are deterministic (RFC 6979).
func (k *Key) sign(message []byte) ([]byte, error) {
	if k.Algorithm == Ed25519 {
		return k.private.Sign(nil, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	der, err := k.private.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return rawSignature(der)
}

// rawSignature turns a signature from ASN.1 into its two numbers, 32 bytes each (RFC 6605 §4).
func rawSignature(der []byte) ([]byte, error) {
	out := make([]byte, 64)
	rest := der
	if len(rest) < 2 || rest[0] != 0x30 || int(rest[1]) != len(rest)-2 {
		return nil, errSignature
	}
	rest = rest[2:]
	for i := range 2 {
		if len(rest) < 2 || rest[0] != 0x02 || int(rest[1]) > len(rest)-2 {
			return nil, errSignature
		}
		n := new(big.Int).SetBytes(rest[2 : 2+rest[1]])
		if n.BitLen() > 256 {
			return nil, errSignature
		}
		n.FillBytes(out[32*i : 32*i+32])
		rest = rest[2+rest[1]:]
	}
	return out, nil
}

var errSignature = errors.New("a signature was not of the form expected")

const keyVersion = 1

func (k *Key) times() []*time.Time {
	return []*time.Time{&k.Made, &k.Publish, &k.Activate, &k.Confirm, &k.Retire, &k.Remove, &k.Asked}
}

// Append appends the key as storage keeps it, its secret included.
func (k *Key) Append(dst []byte) []byte {
	dst = append(dst, keyVersion, byte(k.Algorithm), byte(k.Role))
	for _, t := range k.times() {
		var seconds int64
		if !t.IsZero() {
			seconds = t.Unix()
		}
		dst = binary.BigEndian.AppendUint64(dst, uint64(seconds))
	}
	return append(dst, k.secret[:]...)
}

// ParseKey reads what Append wrote.
func ParseKey(data []byte) (*Key, error) {
	k := new(Key)
	if len(data) != 3+8*len(k.times())+seedSize || data[0] != keyVersion {
		return nil, errors.New("a key in storage is malformed")
	}
	k.Algorithm, k.Role = Algorithm(data[1]), Role(data[2])
	if k.Role < ZSK || k.Role > CSK {
		return nil, fmt.Errorf("a key in storage has role %d", data[2])
	}
	data = data[3:]
	for _, t := range k.times() {
		if seconds := int64(binary.BigEndian.Uint64(data)); seconds != 0 {
			*t = time.Unix(seconds, 0).UTC()
		}
		data = data[8:]
	}
	copy(k.secret[:], data)
	if err := k.derive(); err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	return k, nil
}

// signsKeys reports whether the key signs DNSKEY, CDS and CDNSKEY.
func (k *Key) signsKeys() bool { return k.Role != ZSK && k.published() }

// signsZone reports whether the key signs all else. Combined keys do it together (RFC 6781 §4.1.3).
func (k *Key) signsZone() bool {
	return k.Role == CSK && k.published() || k.Role == ZSK && k.published() && !k.Activate.IsZero() && k.Retire.IsZero()
}

// published reports whether the key is in the zone.
func (k *Key) published() bool { return !k.Publish.IsZero() && k.Remove.IsZero() }
