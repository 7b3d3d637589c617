package network

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/pion/mdns/v2"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// announce answers whoever asks for HOSTNAME.local, anew whenever addresses change, until ctx ends.
func (n *Network) announce(ctx context.Context) {
	for ctx.Err() == nil {
		changed := n.Changed()
		retry := time.Hour // addresses of IPv6 change without being told
		server, err := multicast(mdns.WithLocalNames(n.Hostname + ".local"))
		if err != nil {
			if retry = time.Minute; len(n.Addresses()) == 0 { // nobody could ask
				err = nil
			}
		}
		if err != nil {
			n.Log.Info("not found as "+n.Hostname+".local", "err", err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-time.After(retry):
		}
		if server != nil {
			server.Close()
		}
	}
}

// multicast speaks multicast DNS on all interfaces: it answers what the options say, and can ask.
func multicast(options ...mdns.ServerOption) (*mdns.Conn, error) {
	var over4 *ipv4.PacketConn
	var over6 *ipv6.PacketConn
	conn4, err4 := listen("udp4", mdns.DefaultAddressIPv4)
	if err4 == nil {
		over4 = ipv4.NewPacketConn(conn4)
	}
	conn6, err6 := listen("udp6", mdns.DefaultAddressIPv6)
	if err6 == nil {
		over6 = ipv6.NewPacketConn(conn6)
	}
	if err4 != nil && err6 != nil {
		return nil, fmt.Errorf("listening for multicast DNS: %w", err4)
	}
	server, err := mdns.NewServer(over4, over6, options...)
	if err != nil {
		for _, conn := range []*net.UDPConn{conn4, conn6} {
			if conn != nil {
				conn.Close()
			}
		}
		return nil, fmt.Errorf("starting multicast DNS: %w", err)
	}
	return server, nil
}

func listen(network, address string) (*net.UDPConn, error) {
	at, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		return nil, err
	}
	return net.ListenUDP(network, at)
}
