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
	send := func(reply []byte) error {
		if 2+len(reply) > out.Available() { // now something goes out
			_ = conn.SetWriteDeadline(time.Now().Add(s.limits.Patience))
		}
		return writeMessage(out, reply)
	}
	var buf []byte
	for {
		if !whole(in) && s.await(conn, in, out) != nil {
			return
		}
		message, err := readMessage(in, &buf)
		if err != nil {
			return
		}
		if s.serve(message, peer, send) != nil {
			return
		}
	}
}

// whole reports whether a whole message has been read already, so that reading it cannot take long. Deadlines cost more
// than many an answer.
func whole(in *bufio.Reader) bool {
	if in.Buffered() < 2 {
		return false
	}
	length, err := in.Peek(2)
	return err == nil && in.Buffered() >= 2+int(binary.BigEndian.Uint16(length))
}

// await sends what was answered, and waits until the next message begins. From then on it may take as long as
// patience lasts.
func (s *Server) await(conn net.Conn, in *bufio.Reader, out *bufio.Writer) error {
	_ = conn.SetWriteDeadline(time.Now().Add(s.limits.Patience))
	if err := out.Flush(); err != nil {
		return err
	}
	if in.Buffered() == 0 {
		_ = conn.SetReadDeadline(time.Now().Add(s.limits.Idle))
		if _, err := in.Peek(1); err != nil {
			return err
		}
	}
	return conn.SetReadDeadline(time.Now().Add(s.limits.Patience))
}

// serve has one of the services answer.
func (s *Server) serve(message []byte, peer primary.Peer, send func([]byte) error) error {
	service := s.services.Get().(Service)
	defer s.services.Put(service)
	return service.Serve(message, peer, send)
}

// readMessage reads a message after its length. It is valid until buf is used again.
func readMessage(in io.Reader, buf *[]byte) ([]byte, error) {
	if cap(*buf) < 512 {
		*buf = make([]byte, 512)
	}
	if _, err := io.ReadFull(in, (*buf)[:2]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16((*buf)[:2]))
	if cap(*buf) < n {
		*buf = make([]byte, n)
	}
	message := (*buf)[:n]
	_, err := io.ReadFull(in, message)
	return message, err
}

// errTooLong is a fault of a service.
var errTooLong = errors.New("a reply is longer than a message can be")

func writeMessage(out *bufio.Writer, message []byte) error {
	if len(message) > maxMessage {
		return errTooLong
	}
	if out.Available() < 2 {
		if err := out.Flush(); err != nil {
			return err
		}
	}
	if _, err := out.Write(binary.BigEndian.AppendUint16(out.AvailableBuffer(), uint16(len(message)))); err != nil {
		return err
	}
	_, err := out.Write(message)
	return err
}
