package transport

import (
	"net"
	"net/netip"
	"sync"
)

// guests counts connections, in all and by address.
type guests struct {
	most, each int

	mu    sync.Mutex // guards the fields below
	all   int
	count map[netip.Prefix]int
}

// household is what counts as one client: an address, of IPv6 all that a customer of a provider has.
func household(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() && !a.Is4In6() {
		bits = 64
	}
	p, _ := a.Unmap().WithZone("").Prefix(min(bits, a.Unmap().BitLen()))
	return p
}

// enter reports whether one more connection may come; then leave must be called.
func (g *guests) enter(a netip.Addr) bool {
	who := household(a)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all >= g.most || g.count[who] >= g.each {
		return false
	}
	g.all++
	g.count[who]++
	return true
}

func (g *guests) leave(a netip.Addr) {
	who := household(a)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	if g.count[who]--; g.count[who] == 0 {
		delete(g.count, who)
	}
}

// addressOf returns the IP address of a peer, the zero Addr of one that has none.
func addressOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap()
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
