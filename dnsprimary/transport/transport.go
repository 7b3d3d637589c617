// Package transport carries DNS messages over UDP, TCP, TLS, QUIC and unix sockets.
//
// A Server has listeners, and a function that makes Services; each of its goroutines has one for itself while it
// handles a message. What a message means is not known here.
//
//   - UDP (RFC 1035 §4.2.1): messages are read and written many at a time (recvmmsg, sendmmsg) from several sockets that
//     share the port (SO_REUSEPORT), one for each processor. A reply leaves from the address that was asked.
//   - TCP (RFC 7766) and unix sockets: each message after its length in two bytes; a client may send the next before the
//     last is answered, and gets the answers in the order of its questions.
//   - TLS (RFC 7858): the same, with ALPN "dot".
//   - QUIC (RFC 9250): one question a stream, with ALPN "doq"; a stream's reply may be many messages, as of a transfer.
//
// # Bounds
//
// There are at most Limits.Connections at once, of which one address (of IPv6: one /64) has at most Limits.PerClient;
// who comes then is cut off. A connection that asks nothing for Limits.Idle is closed, and so is one that takes longer
// than Limits.Patience to send a message or to take a reply.
package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"hearth/dnsprimary/primary"
)

// Service answers messages, one after the other.
type Service interface {
	// Serve answers one message: it calls send for each message of the reply, not at all to stay silent. Neither keeps
	// the slices it is given. An error of send is returned at once.
	Serve(message []byte, peer primary.Peer, send func(reply []byte) error) error
}

// maxMessage is the greatest length of a message, in bytes.
const maxMessage = 1<<16 - 1

// Limits bound what clients may take. The zero value of each stands for its default.
type Limits struct {
	Connections int           // of TCP, TLS and QUIC together; 512
	PerClient   int           // of these from one address; 32
	Idle        time.Duration // 20 seconds
	Patience    time.Duration // 10 seconds
}

func (l Limits) withDefaults() Limits {
	if l.Connections == 0 {
		l.Connections = 512
	}
	if l.PerClient == 0 {
		l.PerClient = 32
	}
	if l.Idle == 0 {
		l.Idle = 20 * time.Second
	}
	if l.Patience == 0 {
		l.Patience = 10 * time.Second
	}
	return l
}

// Server carries messages to Services. Close ends it.
type Server struct {
	make     func() Service
	limits   Limits
	log      *slog.Logger
	services sync.Pool
	guests   guests
	ctx      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup // listeners and connections

	mu      sync.Mutex // guards the fields below
	closers []func() error
	addrs   []net.Addr
	sockets []*net.UDPConn
}

// New returns a server without listeners.
func New(service func() Service, limits Limits, log *slog.Logger) *Server {
	s := &Server{make: service, limits: limits.withDefaults(), log: log}
	s.services.New = func() any { return service() }
	s.guests = guests{most: s.limits.Connections, each: s.limits.PerClient, count: make(map[netip.Prefix]int)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends all listeners and connections, and returns when none is left.
func (s *Server) Close() {
	s.cancel()
	s.mu.Lock()
	closers := s.closers
	s.closers = nil
	s.mu.Unlock()
	for _, c := range closers {
		_ = c()
	}
	s.work.Wait()
}

// Addrs returns the addresses of all listeners, in the order in which they were added.
func (s *Server) Addrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]net.Addr(nil), s.addrs...)
}

// Dropped returns how many datagrams were lost before they could be read: the server is too slow for what comes.
func (s *Server) Dropped() (n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, socket := range s.sockets {
		n += drops(socket)
	}
	return n
}

// own lets Close end something, and counts it.
func (s *Server) own(address net.Addr, closer func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closers = append(s.closers, closer)
	if address != nil {
		s.addrs = append(s.addrs, address)
	}
}

// UDP serves an address, host:port.
func (s *Server) UDP(address string) error {
	first, err := listenUDP(s.ctx, address)
	if err != nil {
		return fmt.Errorf("listening for DNS over UDP: %w", err)
	}
	sockets := []*net.UDPConn{first}
	for range runtime.GOMAXPROCS(0) - 1 {
		more, err := listenUDP(s.ctx, first.LocalAddr().String())
		if err != nil {
			break // one is enough
		}
		sockets = append(sockets, more)
	}
	for i, socket := range sockets {
		var shown net.Addr
		if i == 0 {
			shown = socket.LocalAddr()
		}
		s.own(shown, socket.Close)
		s.mu.Lock()
		s.sockets = append(s.sockets, socket)
		s.mu.Unlock()
		d, err := newDatagrams(socket, s.make())
		if err != nil {
			return fmt.Errorf("serving DNS over UDP: %w", err)
		}
		s.work.Go(func() {
			if err := d.run(); !errors.Is(err, net.ErrClosed) {
				s.log.Error("serving DNS over UDP", "address", address, "err", err)
			}
		})
	}
	return nil
}

// TCP serves an address, host:port.
func (s *Server) TCP(address string) error {
	l, err := new(net.ListenConfig).Listen(s.ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening for DNS over TCP: %w", err)
	}
	s.accept(l, primary.TCP)
	return nil
}

// TLS serves an address, host:port.
func (s *Server) TLS(address string, config *tls.Config) error {
	l, err := new(net.ListenConfig).Listen(s.ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening for DNS over TLS: %w", err)
	}
	config = config.Clone()
	config.NextProtos = []string{"dot"}
	s.accept(tls.NewListener(l, config), primary.TLS)
	return nil
}

// Local serves a listener on a unix socket.
func (s *Server) Local(l net.Listener) { s.accept(l, primary.Local) }

// Wait returns when everything has ended: after Close, or when no listener can go on.
func (s *Server) Wait() { s.work.Wait() }
