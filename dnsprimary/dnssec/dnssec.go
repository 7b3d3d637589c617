// Package dnssec signs a zone and plans the rollovers of its keys, given keys and a time.
//
// A Signer is a policy with keys; it turns one version of a zone into the version that is served, with DNSKEY, CDS and
// CDNSKEY at the apex, a chain of NSEC or NSEC3, and RRSIG everywhere. Signatures are made ahead and kept in the zone,
// so that secondaries get them by transfer, and only what changed or grows old is signed again: Sign does it for an
// edited zone, Refresh for the passing of time. Prove adds to an answer what a validator needs of them, and fails if a
// signature is not valid at that moment, so that whatever a clock does, no such signature is served.
//
// # Keys
//
// A zone has either one combined signing key (CSK), or a key signing key (KSK) and a zone signing key (ZSK). A key goes
// through its life by the times in it (RFC 7583), each zero until it has come:
//
//	ZSK   Publish ─ Dprp+TTLkey ─▶ Activate ─ lifetime ─▶ Retire ─ Dprp+TTLsig ─▶ Remove      (pre-publication)
//	KSK   Publish ─ Dprp+TTLkey ─▶ Activate ─ the parent has the DS ─▶ Confirm ─ lifetime ─▶ Retire ─▶ Remove
//	CSK   the same, but Activate waits for TTLsig too                                         (double signature)
//
// A KSK or CSK leaves when the DS of its successor was confirmed and its own has left all caches: Dreg+TTLds later.
// Advance moves keys on to a time; nothing else does. A KSK or CSK signs DNSKEY, CDS and CDNSKEY from Publish to
// Remove; a CSK all else too, a ZSK from Activate to Retire. From its Activate on a KSK or CSK is what CDS and CDNSKEY
// ask the parent for (RFC 7344), instead of its predecessor.
//
// # In storage
//
// A key is kept as: version (1 byte, 1), algorithm, role (1 byte each), the seven times Made, Publish, Activate,
// Confirm, Retire, Remove and Asked in the order of Key's fields, each 8 bytes of seconds since 1970, 0 for none, and
// the secret: the 32 bytes of the scalar of ECDSA P-256, or of the seed of Ed25519. Numbers have their highest byte
// first. So an Ed25519 CSK that was made a second after 1970 and not used begins
//
//	01 0f 03 00 00 00 00 00 00 00 01 00 …
package dnssec

import (
	"time"

	"github.com/miekg/dns"
)

// Policy is how a zone is signed. The zero value of each field but Algorithm stands for its default.
type Policy struct {
	Algorithm Algorithm // of new keys
	Split     bool      // a KSK and a ZSK instead of a CSK
	NSEC3     bool      // deny by hashes: SHA-1, no salt, no iterations, no opt-out (RFC 9276)
	// Withdraw asks the parent to remove the DS (RFC 8078 §4), so that the zone can become unsigned.
	Withdraw bool

	Validity  time.Duration // of a signature; 14 days
	Refresh   time.Duration // how long before its end it is made anew; 5 days
	Jitter    time.Duration // by how much ends differ, so that not all come at once; 2 days
	Backdate  time.Duration // how long before now a signature is valid already; 1 hour
	KeyTTL    time.Duration // of DNSKEY, CDS and CDNSKEY; 1 hour
	Propagate time.Duration // until all secondaries serve a new version (Dprp); 1 hour

	ZoneKeyLife     time.Duration // of a ZSK; 90 days; less than 0 is for ever
	EntryKeyLife    time.Duration // of a KSK or CSK; less than 0, as by default, is until somebody asks for a new one
	ParentTTL       time.Duration // of the DS at the parent; 1 day
	ParentPropagate time.Duration // until all servers of the parent have a new DS; 1 hour
}

// withDefaults returns the policy with all its fields.
func (p Policy) withDefaults() Policy {
	set := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	const day = 24 * time.Hour
	set(&p.Validity, 14*day)
	set(&p.Refresh, 5*day)
	set(&p.Jitter, 2*day)
	set(&p.Backdate, time.Hour)
	set(&p.KeyTTL, time.Hour)
	set(&p.Propagate, time.Hour)
	set(&p.ZoneKeyLife, 90*day)
	set(&p.EntryKeyLife, -1)
	set(&p.ParentTTL, day)
	set(&p.ParentPropagate, time.Hour)
	if p.Algorithm == 0 {
		p.Algorithm = ECDSAP256SHA256
	}
	return p
}

// Makes reports whether records of this type are the signer's, so that nobody else may change them.
func (*Signer) Makes(typ uint16) bool {
	switch typ {
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, dns.TypeDNSKEY, dns.TypeCDS, dns.TypeCDNSKEY:
		return true
	}
	return false
}
