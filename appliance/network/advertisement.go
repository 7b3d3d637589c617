package network

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"time"
)

// advertisement is what a router says of its network, as far as the kernel does not follow it by itself.
type advertisement struct {
	managed   bool // addresses are given by DHCPv6
	other     bool // DHCPv6 tells resolvers and more
	resolvers []timed
}

// timed is an address that holds until a time.
type timed struct {
	address netip.Addr
	until   time.Time
}

// Of RFC 4861 §4.2, §4.6 and RFC 8106 §5.1.
const (
	typeAdvertisement = 134
	typeSolicitation  = 133
	advertisementSize = 16
	optionRDNSS       = 25
	flagManaged       = 0x80
	flagOther         = 0x40
)

// forever is how long something holds that is said to hold for ever: longer than a box runs.
const forever = 100 * 365 * 24 * time.Hour

// maxKept is how many resolvers are kept of an interface's routers.
const maxKept = 8

var errAdvertisement = errors.New("no router advertisement")

// parseAdvertisement reads a router advertisement from its ICMPv6 header on, which came by an interface. One that breaks a rule of RFC 4861
// §6.1.2 is refused whole; a resolver that cannot be one is passed over.
func parseAdvertisement(b []byte, link string, now time.Time) (*advertisement, error) {
	if len(b) < advertisementSize || b[0] != typeAdvertisement || b[1] != 0 {
		return nil, errAdvertisement
	}
	a := &advertisement{managed: b[5]&flagManaged != 0, other: b[5]&flagOther != 0}
	for options := b[advertisementSize:]; len(options) > 0; {
		if len(options) < 8 {
			return nil, errAdvertisement
		}
		size := 8 * int(options[1])
		if size == 0 || size > len(options) {
			return nil, errAdvertisement
		}
		if options[0] == optionRDNSS {
			a.addResolvers(options[:size], link, now)
		}
		options = options[size:]
	}
	return a, nil
}

// addResolvers reads an option of RFC 8106 §5.1, which is at least 8 bytes long.
func (a *advertisement) addResolvers(option []byte, link string, now time.Time) {
	until := now.Add(seconds(binary.BigEndian.Uint32(option[4:])))
	for b := option[8:]; len(b) >= 16 && len(a.resolvers) < maxKept; b = b[16:] {
		address := hostAddress6(netip.AddrFrom16([16]byte(b[:16])), link)
		if address.IsValid() {
			a.resolvers = append(a.resolvers, timed{address, until})
		}
	}
}

// seconds returns how long a time of a router or of DHCPv6 is.
func seconds(n uint32) time.Duration {
	if n == 1<<32-1 {
		return forever
	}
	return time.Duration(n) * time.Second
}

// hostAddress6 returns an address with its scope if that of a host can be it, and otherwise the zero Addr.
func hostAddress6(a netip.Addr, link string) netip.Addr {
	switch {
	case !a.Is6() || a.Is4In6():
		return netip.Addr{}
	case a.IsLinkLocalUnicast():
		return a.WithZone(link)
	case a.IsGlobalUnicast():
		return a
	}
	return netip.Addr{}
}

// merge returns what is known after routers said more: a new time replaces the old one, and what has none left is forgotten. If there are
// more than are kept, those go that would end first (RFC 8106 §6.2).
func merge(known, said []timed, now time.Time) []timed {
	all := slices.Clone(known)
	for _, s := range said {
		at := slices.IndexFunc(all, func(k timed) bool { return k.address == s.address })
		if at < 0 {
			all = append(all, s)
		} else {
			all[at].until = s.until
		}
	}
	all = slices.DeleteFunc(all, func(k timed) bool { return !k.until.After(now) })
	for len(all) > maxKept {
		first := slices.MinFunc(all, func(a, b timed) int { return a.until.Compare(b.until) })
		at := slices.Index(all, first)
		all = slices.Delete(all, at, at+1)
	}
	return all
}
