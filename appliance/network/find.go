package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/pion/mdns/v2"
)

// Within which a box that is there answers.
const (
	resolverPatience  = 3 * time.Second
	multicastPatience = 5 * time.Second
)

// Find returns the address of a host of the local network, NAME.local: by this machine's resolver if that can, and otherwise by
// asking with multicast DNS.
func Find(ctx context.Context, name string) (netip.Addr, error) {
	patient, cancel := context.WithTimeout(ctx, resolverPatience)
	defer cancel()
	if found, err := net.DefaultResolver.LookupNetIP(patient, "ip", name); err == nil && len(found) > 0 {
		return found[0], nil
	}
	asking, err := multicast(mdns.WithQueryInterval(time.Second))
	if err != nil {
		return netip.Addr{}, err
	}
	defer asking.Close()
	patient, cancel = context.WithTimeout(ctx, multicastPatience)
	defer cancel()
	_, found, err := asking.QueryAddr(patient, name)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("finding %s: nobody on this network answers to it; is the box on, and its cable in? Its address does too", name)
	}
	return found, nil
}

// Dial connects to host:port, where the host may be NAME.local.
func Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(strings.TrimSuffix(strings.ToLower(host), "."), ".local") {
		found, err := Find(ctx, host)
		if err != nil {
			return nil, err
		}
		address = net.JoinHostPort(found.String(), port)
	}
	return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
}
