package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// IPv4 looks up A records. As with all look-ups of addresses, those that are not allowed are left out.
func (r *Resolver) IPv4(ctx context.Context, name string) (Result[netip.Addr], error) {
	return r.addresses(ctx, name, dns.TypeA)
}

// IPv6 looks up AAAA records.
func (r *Resolver) IPv6(ctx context.Context, name string) (Result[netip.Addr], error) {
	return r.addresses(ctx, name, dns.TypeAAAA)
}

func (r *Resolver) addresses(ctx context.Context, name string, typ uint16) (Result[netip.Addr], error) {
	found, err := lookup(ctx, r, name, typ, func(rr dns.RR) (a netip.Addr, ok bool) {
		switch rr := rr.(type) {
		case *dns.A:
			a, ok = netip.AddrFromSlice(rr.A)
		case *dns.AAAA:
			a, ok = netip.AddrFromSlice(rr.AAAA)
		}
		return a.Unmap(), ok
	})
	if err != nil {
		return found, err
	}
	found.Values = r.allowed(found.Values)
	if len(found.Values) == 0 {
		return found, fmt.Errorf("using the addresses of %s: %w", name, ErrForbidden)
	}
	return found, nil
}

// allowed leaves out what may not be used. It may change all.
func (r *Resolver) allowed(all []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(all, func(a netip.Addr) bool { return r.options.Allow != nil && !r.options.Allow(a) })
}

// Addresses returns all addresses of a host that are allowed, those of IPv6 first. If the host is an address, that is
// it; localhost is this machine (RFC 6761 §6.3). One family is enough: the other's failure is then no error.
func (r *Resolver) Addresses(ctx context.Context, host string) (Result[netip.Addr], error) {
	if known, ok := literal(host); ok {
		known = r.allowed(known)
		if len(known) == 0 {
			return Result[netip.Addr]{}, fmt.Errorf("using the address %s: %w", clip(host), ErrForbidden)
		}
		return Result[netip.Addr]{Values: known, Name: host, Authentic: true, Until: r.options.Now().Add(r.options.Most)}, nil
	}
	type outcome struct {
		found Result[netip.Addr]
		err   error
	}
	other := make(chan outcome, 1)
	go func() { // ends with the look-up
		found, err := r.IPv6(ctx, host)
		other <- outcome{found, err}
	}()
	four, err := r.IPv4(ctx, host)
	six := <-other
	switch {
	case err != nil && six.err != nil:
		if errors.Is(err, ErrNotFound) { // then the other says more
			err = six.err
		}
		return Result[netip.Addr]{}, err
	case err != nil:
		return six.found, nil
	case six.err != nil:
		return four, nil
	}
	six.found.Values = append(six.found.Values, four.Values...)
	six.found.Authentic = six.found.Authentic && four.Authentic
	if four.Until.Before(six.found.Until) {
		six.found.Until = four.Until
	}
	return six.found, nil
}

// literal returns the addresses of a host that nobody needs to be asked for.
func literal(host string) ([]netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")); err == nil {
		return []netip.Addr{a.Unmap()}, true
	}
	name, _ := plainName(host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return []netip.Addr{netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1})}, true
	}
	return nil, false
}
