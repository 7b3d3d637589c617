package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"hearth/dnsprimary/certs"
)

// The bounds of a connection.
const (
	maxHeader     = 32 << 10 // of a request's headers, in bytes
	headerTimeout = 10 * time.Second
	bodyTimeout   = time.Minute
	idleTimeout   = 2 * time.Minute
	maxStreams    = 128 // requests at once on one connection of HTTP/2 or HTTP/3
)

// front is where clients reach the API: plain HTTP, and HTTPS by HTTP/1.1, 2 and 3.
type front struct {
	log     *slog.Logger
	handler http.Handler
	servers []*http.Server
	quic    []*http3.Server
	sockets []net.PacketConn
	ended   chan<- error // gets the error of whatever cannot serve any more
}

// plain serves HTTP at an address.
func (f *front) plain(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listening for clients: %w", err)
	}
	f.serve(f.server(f.handler), func(s *http.Server) error { return s.Serve(listener) })
	return nil
}

// secure serves HTTPS at an address: over TCP, which tells clients of HTTP/3, and over UDP.
func (f *front) secure(address string, c *certs.Certificates) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listening for clients: %w", err)
	}
	socket, err := net.ListenPacket("udp", listener.Addr().String())
	if err != nil {
		listener.Close()
		return fmt.Errorf("listening for clients of HTTP/3: %w", err)
	}
	h3 := &http3.Server{
		Handler: f.handler, TLSConfig: http3.ConfigureTLSConfig(c.TLS()), MaxHeaderBytes: maxHeader, IdleTimeout: idleTimeout,
		Port: socket.LocalAddr().(*net.UDPAddr).Port,
		QUICConfig: &quic.Config{
			MaxIncomingStreams: maxStreams, MaxIncomingUniStreams: 8, MaxIdleTimeout: idleTimeout,
			MaxStreamReceiveWindow: 1 << 20, MaxConnectionReceiveWindow: 2 << 20,
		},
		Logger: quietly(f.log),
	}
	f.quic, f.sockets = append(f.quic, h3), append(f.sockets, socket)
	go func() {
		if err := h3.Serve(socket); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			f.ended <- fmt.Errorf("serving clients of HTTP/3: %w", err)
		}
	}()
	s := f.server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = h3.SetQUICHeaders(w.Header()) // it fails only until Serve has begun
		f.handler.ServeHTTP(w, r)
	}))
	s.TLSConfig = c.TLS("h2", "http/1.1")
	f.serve(s, func(s *http.Server) error { return s.ServeTLS(listener, "", "") })
	return nil
}

func (f *front) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout,
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog: slog.NewLogLogger(f.log.Handler(), slog.LevelDebug),
	}
}

func (f *front) serve(s *http.Server, run func(*http.Server) error) {
	f.servers = append(f.servers, s)
	go func() { f.ended <- run(s) }()
}

// quietly makes a log of what concerns single connections, which is nothing to a person.
func quietly(log *slog.Logger) *slog.Logger {
	if log.Enabled(context.Background(), slog.LevelDebug) {
		return log
	}
	return slog.New(slog.DiscardHandler)
}

// close lets the requests under way end until ctx does, then cuts them off.
func (f *front) close(ctx context.Context) {
	done := make(chan struct{})
	for _, s := range f.servers {
		go func() {
			if s.Shutdown(ctx) != nil {
				s.Close()
			}
			done <- struct{}{}
		}()
	}
	for _, s := range f.quic {
		go func() {
			if s.Shutdown(ctx) != nil {
				s.Close()
			}
			done <- struct{}{}
		}()
	}
	for range len(f.servers) + len(f.quic) {
		<-done
	}
	for _, s := range f.sockets {
		s.Close()
	}
}
