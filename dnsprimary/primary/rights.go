package primary

import (
	"fmt"
	"slices"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// Key is a secret shared with somebody who may do what its grants say.
type Key struct {
	Name      zone.Name
	Algorithm zone.Name // as HMACSHA256
	Secret    []byte
	Grants    []Grant
}

// Grant is a right in one zone.
type Grant struct {
	Zone     zone.Name
	Transfer bool // the whole zone may be read
	Update   bool // Name and what is below may be changed
	Name     zone.Name
	Exact    bool     // Name only
	Types    []uint16 // which types may be changed; none means all
}

// minSecret is the least length of a secret in bytes: 128 bits.
const minSecret = 16

func (k *Key) check() error {
	if _, size := algorithm(k.Algorithm); size == 0 {
		return fmt.Errorf("key %s: the algorithm %s is not known", k.Name, k.Algorithm)
	}
	if len(k.Secret) < minSecret {
		return fmt.Errorf("key %s: the secret has %d bytes, want at least %d", k.Name, len(k.Secret), minSecret)
	}
	for _, g := range k.Grants {
		if g.Update && !g.Name.Under(g.Zone) {
			return fmt.Errorf("key %s: it may update %q, which is not in the zone %s", k.Name, g.Name, g.Zone)
		}
	}
	return nil
}

// mayTransfer reports whether the holder may read the whole zone. Nobody's key may not.
func (k *Key) mayTransfer(origin zone.Name) bool {
	return k != nil && slices.ContainsFunc(k.Grants, func(g Grant) bool { return g.Transfer && g.Zone == origin })
}

// mayUpdate reports whether the holder may change anything in the zone.
func (k *Key) mayUpdate(origin zone.Name) bool {
	return k != nil && slices.ContainsFunc(k.Grants, func(g Grant) bool { return g.Update && g.Zone == origin })
}

// mayChange reports whether the holder may change records of one type and owner; with ANY, of all types.
func (k *Key) mayChange(origin, owner zone.Name, typ uint16) bool {
	return slices.ContainsFunc(k.Grants, func(g Grant) bool {
		if !g.Update || g.Zone != origin || g.Exact && owner != g.Name || !owner.Under(g.Name) {
			return false
		}
		return len(g.Types) == 0 || typ != dns.TypeANY && slices.Contains(g.Types, typ)
	})
}
