package transport

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"hearth/dnsprimary/primary"
)

// accept serves the connections of a listener.
func (s *Server) accept(l net.Listener, transport primary.Transport) {
	s.own(l.Addr(), l.Close)
	s.work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if s.pause() {
					continue // out of file descriptors, say
				}
				return
			}
			from := addressOf(conn.RemoteAddr())
			if transport != primary.Local && !s.guests.enter(from) {
				conn.Close()
				continue
			}
			s.work.Go(func() {
				defer conn.Close()
				if transport != primary.Local {
					defer s.guests.leave(from)
				}
				defer context.AfterFunc(s.ctx, func() { conn.Close() })()
				s.converse(conn, primary.Peer{Address: from, Transport: transport, Idle: s.limits.Idle})
			})
		}
	})
}

// pause waits a little after a listener failed, and reports whether to go on.
func (s *Server) pause() bool {
	select {
	case <-time.After(50 * time.Millisecond):
		return true
	case <-s.ctx.Done():
		return false
	}
}

// converse answers the messages of one connection until it ends.
func (s *Server) converse(conn net.Conn, peer primary.Peer) {
	if secure, ok := conn.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(s.ctx, s.limits.Patience)
		defer cancel()
		if secure.HandshakeContext(ctx) != nil {
			return
		}
	}
	in, out := bufio.NewReaderSize(conn, 4096), bufio.NewWriterSize(conn, 4096)
	var buf []byte
	for {
		if in.Buffered() == 0 { // nothing was asked yet: what was answered goes out
			if s.flush(conn, out) != nil {
				return
			}
			_ = conn.SetReadDeadline(time.Now().Add(s.limits.Idle))
			if _, err := in.Peek(1); err != nil {
				return
			}
		}
		_ = conn.SetReadDeadline(time.Now().Add(s.limits.Patience))
		message, err := readMessage(in, &buf)
		if err != nil {
			return
		}
		_ = conn.SetWriteDeadline(time.Now().Add(s.limits.Patience))
		err = s.serve(message, peer, func(reply []byte) error {
			_ = conn.SetWriteDeadline(time.Now().Add(s.limits.Patience))
			return writeMessage(out, reply)
		})
		if err != nil {
			return
		}
	}
}

func (s *Server) flush(conn net.Conn, out *bufio.Writer) error {
	_ = conn.SetWriteDeadline(time.Now().Add(s.limits.Patience))
	return out.Flush()
}

// serve has one of the services answer.
func (s *Server) serve(message []byte, peer primary.Peer, send func([]byte) error) error {
	service := s.services.Get().(Service)
	defer s.services.Put(service)
	return service.Serve(message, peer, send)
}

// readMessage reads a message after its length. It is valid until buf is used again.
func readMessage(in io.Reader, buf *[]byte) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(length[:]))
	if cap(*buf) < n {
		*buf = make([]byte, n)
	}
	message := (*buf)[:n]
	_, err := io.ReadFull(in, message)
	return message, err
}

// errTooLong is a fault of a service.
var errTooLong = errors.New("a reply is longer than a message can be")

func writeMessage(out io.Writer, message []byte) error {
	if len(message) > maxMessage {
		return errTooLong
	}
	if _, err := out.Write(binary.BigEndian.AppendUint16(nil, uint16(len(message)))); err != nil {
		return err
	}
	_, err := out.Write(message)
	return err
}
