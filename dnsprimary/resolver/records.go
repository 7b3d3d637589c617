package resolver

import (
	"context"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// TLSA says what a server's certificate must be (RFC 6698 §2).
type TLSA struct {
	Usage, Selector, Matching uint8
	Data                      []byte
}

// DS is the digest of a key of the zone below (RFC 4034 §5).
type DS struct {
	Tag               uint16
	Algorithm, Digest uint8
	Data              []byte
}

// Binding is how a service can be reached (RFC 9460).
type Binding struct {
	Priority uint16 // 0: an alias for Target
	Target   string // without the last dot; the owner itself if the record says so
	ALPN     []string
	Port     uint16 // 0 if it is not said
	Hints    []netip.Addr
}

// Texts looks up TXT records, each with its strings joined.
func (r *Resolver) Texts(ctx context.Context, name string) (Result[string], error) {
	return lookup(ctx, r, name, dns.TypeTXT, func(rr dns.RR) (string, bool) {
		t, ok := rr.(*dns.TXT)
		if !ok {
			return "", false
		}
		return strings.Join(t.Txt, ""), true
	})
}

// TLSA looks up TLSA records. They say nothing unless they are authentic.
func (r *Resolver) TLSA(ctx context.Context, name string) (Result[TLSA], error) {
	return lookup(ctx, r, name, dns.TypeTLSA, func(rr dns.RR) (TLSA, bool) {
		t, ok := rr.(*dns.TLSA)
		if !ok {
			return TLSA{}, false
		}
		data, err := hex.DecodeString(t.Certificate)
		return TLSA{t.Usage, t.Selector, t.MatchingType, data}, err == nil
	})
}

// DS looks up DS records.
func (r *Resolver) DS(ctx context.Context, name string) (Result[DS], error) {
	return lookup(ctx, r, name, dns.TypeDS, func(rr dns.RR) (DS, bool) {
		d, ok := rr.(*dns.DS)
		if !ok {
			return DS{}, false
		}
		data, err := hex.DecodeString(d.Digest)
		return DS{d.KeyTag, d.Algorithm, d.DigestType, data}, err == nil
	})
}

// HTTPS looks up HTTPS records, by priority. Hints that are not allowed are left out, and so are records that a client
// must understand and this one does not (RFC 9460 §8).
func (r *Resolver) HTTPS(ctx context.Context, name string) (Result[Binding], error) {
	owner, _ := plainName(name)
	found, err := lookup(ctx, r, name, dns.TypeHTTPS, func(rr dns.RR) (Binding, bool) {
		h, ok := rr.(*dns.HTTPS)
		if !ok {
			return Binding{}, false
		}
		return binding(&h.SVCB)
	})
	if found.Name != "" {
		owner = found.Name
	}
	for i := range found.Values {
		b := &found.Values[i]
		b.Hints = r.allowed(slices.Clone(b.Hints))
		if b.Target == "" {
			b.Target = owner
		}
	}
	slices.SortStableFunc(found.Values, func(a, b Binding) int { return int(a.Priority) - int(b.Priority) })
	return found, err
}

func binding(s *dns.SVCB) (b Binding, ok bool) {
	b.Priority = s.Priority
	if s.Target != "." {
		if b.Target, ok = plainName(s.Target); !ok {
			return b, false
		}
	}
	for _, value := range s.Value {
		switch v := value.(type) {
		case *dns.SVCBAlpn:
			b.ALPN = v.Alpn
		case *dns.SVCBPort:
			b.Port = v.Port
		case *dns.SVCBIPv4Hint:
			for _, ip := range v.Hint {
				b.hint(ip)
			}
		case *dns.SVCBIPv6Hint:
			for _, ip := range v.Hint {
				b.hint(ip)
			}
		case *dns.SVCBMandatory:
			for _, code := range v.Code {
				switch code {
				case dns.SVCB_ALPN, dns.SVCB_PORT, dns.SVCB_IPV4HINT, dns.SVCB_IPV6HINT:
				default:
					return b, false
				}
			}
		}
	}
	return b, true
}

func (b *Binding) hint(ip []byte) {
	if a, ok := netip.AddrFromSlice(ip); ok {
		b.Hints = append(b.Hints, a.Unmap())
	}
}
