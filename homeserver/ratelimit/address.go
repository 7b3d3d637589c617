package ratelimit

import (
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the addresses of the proxies whose word about a client's address is taken.
type Proxies []netip.Prefix

// ParseProxies reads addresses and networks such as "127.0.0.1", "10.0.0.0/8" or "::1".
func ParseProxies(list []string) (Proxies, error) {
	var all Proxies
	for _, s := range list {
		if !strings.Contains(s, "/") {
			a, err := netip.ParseAddr(s)
			if err != nil {
				return nil, err
			}
			a = a.Unmap().WithZone("")
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, err
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

func (p Proxies) trust(a netip.Addr) bool {
	for _, network := range p {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// maxHops bounds how many proxies are followed.
const maxHops = 16

// Client returns the address from which a request comes, the zero Addr if the connection has none. It is that of the
// connection, unless a proxy is at its other end: then it is the last of X-Forwarded-For that is no proxy's. Whoever
// is not a proxy can write into that header what he likes, in front of what the proxies add, so it is read from its
// end and not beyond the first address that is not trusted.
func (p Proxies) Client(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := peer.Addr().Unmap().WithZone("")
	if len(p) == 0 || !p.trust(client) {
		return client
	}
	lines := r.Header["X-Forwarded-For"]
	for hops := 0; len(lines) > 0; lines = lines[:len(lines)-1] {
		rest, more := lines[len(lines)-1], true
		for ; more; hops++ {
			var last string
			if rest, last, more = cutLast(rest); hops >= maxHops {
				return client
			}
			a, ok := forwarded(last)
			if !ok {
				return client
			}
			if client = a; !p.trust(a) {
				return client
			}
		}
	}
	return client
}

// cutLast splits a list at its last comma; more says whether there is one.
func cutLast(list string) (rest, last string, more bool) {
	i := strings.LastIndexByte(list, ',')
	return list[:max(i, 0)], strings.TrimSpace(list[i+1:]), i >= 0
}

// forwarded reads one address as proxies write it: alone, with a port, IPv6 in brackets or not.
func forwarded(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		a = withPort.Addr()
	}
	return a.Unmap().WithZone(""), true
}

// Address returns the bucket of an address. All addresses of one IPv6 subnet share one: they belong to one customer
// of a provider, who has 2^64 of them.
func (l *Limiter) Address(a netip.Addr) Key {
	bytes := a.As16()
	if a.Is4() || a.Is4In6() || !a.IsValid() {
		return l.Bytes(bytes[:])
	}
	return l.Bytes(bytes[:8])
}
