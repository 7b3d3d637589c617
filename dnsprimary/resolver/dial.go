package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// maxDials bounds how many addresses of a host are tried.
const maxDials = 8

// Dial connects to host:port at one of the host's addresses that are allowed, and at no other: the address that was
// judged is the one that is used. IPv6 and IPv4 take turns. It fits http.Transport's DialContext.
func (r *Resolver) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	found, err := r.Addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	all := takeTurns(found.Values)
	all = all[:min(len(all), maxDials)]
	var failed error
	for i, a := range all {
		conn, err := dialOne(ctx, network, net.JoinHostPort(a.String(), port), len(all)-i)
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("connecting to %s: %w", address, failed)
}

// dialPatience is how long one address is tried if others are left.
const dialPatience = 5 * time.Second

// dialOne tries one of the addresses that are left, for no more than its share of the time.
func dialOne(ctx context.Context, network, address string, left int) (net.Conn, error) {
	if left > 1 {
		patience := dialPatience
		if end, ok := ctx.Deadline(); ok {
			patience = min(patience, time.Until(end)/time.Duration(left))
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// takeTurns orders addresses so that the two families take turns, the first one's first.
func takeTurns(all []netip.Addr) []netip.Addr {
	var first, other, mixed []netip.Addr
	for _, a := range all {
		if a.Is4() == all[0].Is4() {
			first = append(first, a)
		} else {
			other = append(other, a)
		}
	}
	for i := range max(len(first), len(other)) {
		mixed = append(mixed, first[min(i, len(first)):min(i+1, len(first))]...)
		mixed = append(mixed, other[min(i, len(other)):min(i+1, len(other))]...)
	}
	return mixed
}
