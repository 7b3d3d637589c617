// Package dnstest serves DNS on a loopback address for tests.
package dnstest

import (
	"net"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

// Serve answers by a handler over UDP and TCP, at one port, until the test ends.
func Serve(t testing.TB, h dns.Handler) netip.AddrPort {
	t.Helper()
	listener, packets := listen(t)
	Start(t, &dns.Server{Listener: listener, Handler: h, MaxTCPQueries: -1})
	Start(t, &dns.Server{PacketConn: packets, Handler: h})
	return listener.Addr().(*net.TCPAddr).AddrPort()
}

// Start runs a server until the test ends, and returns when it serves.
func Start(t testing.TB, s *dns.Server) {
	t.Helper()
	ready := make(chan struct{})
	s.NotifyStartedFunc = func() { close(ready) }
	go s.ActivateAndServe()
	<-ready
	t.Cleanup(func() { s.Shutdown() })
}

// listen listens at one port over TCP and over UDP.
func listen(t testing.TB) (net.Listener, net.PacketConn) {
	t.Helper()
	for range 100 { // a port that is free for one may be taken for the other
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		packets, err := net.ListenPacket("udp", listener.Addr().String())
		if err == nil {
			return listener, packets
		}
		listener.Close()
	}
	t.Fatal("no port is free for both transports")
	return nil, nil
}
