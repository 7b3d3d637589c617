package transport

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/quic-go/quic-go"

	"hearth/dnsprimary/primary"
)

// The errors of DNS over QUIC (RFC 9250 §8.4).
const (
	doqNoError       = 0
	doqProtocolError = 2
	doqExcessiveLoad = 4
)

// maxStreams is how many questions one connection may have under way.
const maxStreams = 64

// QUIC serves an address, host:port.
func (s *Server) QUIC(address string, config *tls.Config) error {
	socket, err := new(net.ListenConfig).ListenPacket(s.ctx, "udp", address)
	if err != nil {
		return fmt.Errorf("listening for DNS over QUIC: %w", err)
	}
	config = config.Clone()
	config.NextProtos = []string{"doq"}
	config.MinVersion = tls.VersionTLS13
	l, err := quic.Listen(socket, config, &quic.Config{
		MaxIdleTimeout: s.limits.Idle, HandshakeIdleTimeout: s.limits.Patience, MaxIncomingStreams: maxStreams, MaxIncomingUniStreams: -1,
		MaxStreamReceiveWindow: 128 << 10, MaxConnectionReceiveWindow: 256 << 10,
	})
	if err != nil {
		socket.Close()
		return fmt.Errorf("listening for DNS over QUIC: %w", err)
	}
	s.own(socket.LocalAddr(), func() error { return errors.Join(l.Close(), socket.Close()) })
	s.work.Go(func() {
		for {
			conn, err := l.Accept(s.ctx)
			if err != nil {
				return
			}
			from := addressOf(conn.RemoteAddr())
			if !s.guests.enter(from) {
				_ = conn.CloseWithError(doqExcessiveLoad, "too many connections")
				continue
			}
			s.work.Go(func() {
				defer s.guests.leave(from)
				defer context.AfterFunc(s.ctx, func() { _ = conn.CloseWithError(doqNoError, "") })()
				s.streams(conn, primary.Peer{Address: from, Transport: primary.QUIC, Idle: s.limits.Idle})
			})
		}
	})
	return nil
}

// streams answers the questions of one connection until it ends.
func (s *Server) streams(conn *quic.Conn, peer primary.Peer) {
	for {
		stream, err := conn.AcceptStream(s.ctx)
		if err != nil {
			return
		}
		s.work.Go(func() {
			if s.question(stream, peer) {
				return
			}
			_ = conn.CloseWithError(doqProtocolError, "")
		})
	}
}

// question answers the question of one stream, and reports whether the client kept to the protocol: if not, the stream
// is left as it is, since the connection is closed.
// spec: RFC 9250 §4.2, §4.3.3
func (s *Server) question(stream *quic.Stream, peer primary.Peer) bool {
	_ = stream.SetReadDeadline(time.Now().Add(s.limits.Patience))
	var buf []byte
	message, err := readMessage(stream, &buf)
	if err != nil || len(message) < 2 || message[0] != 0 || message[1] != 0 {
		return false
	}
	out := bufio.NewWriter(stream)
	err = s.serve(message, peer, func(reply []byte) error {
		_ = stream.SetWriteDeadline(time.Now().Add(s.limits.Patience))
		return writeMessage(out, reply)
	})
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = stream.Close()
	}
	if err != nil {
		stream.CancelWrite(doqNoError)
	}
	if n, _ := stream.Read(buf[:1]); n > 0 {
		return false // there is no second question on a stream
	}
	stream.CancelRead(doqNoError) // nothing is left to be read, or it comes too late
	return true
}
