package resolver

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/miekg/dns"
)

// udpSize is the greatest message over UDP that is asked for (DNS Flag Day 2020); what is longer comes over TCP.
const udpSize = 1232

// maxStrange is how many datagrams that are no answer are passed over before TCP is used: somebody is guessing.
const maxStrange = 16

// exchange asks the servers until one answers, the one that did so last first.
func (r *Resolver) exchange(ctx context.Context, name string, typ uint16) (reply *dns.Msg, trusted bool, err error) {
	c := r.config()
	all, first := c.servers, int(r.preferred.Load())
	for range c.attempts {
		for i := range all {
			at := (first + i) % len(all)
			reply, failed := r.ask(ctx, all[at], c.timeout, name, typ)
			if failed == nil {
				r.preferred.Store(int32(at))
				return reply, all[at].trusted(), nil
			}
			err = fmt.Errorf("asking %s: %w", all[at].Address, failed)
			if ctx.Err() != nil {
				return nil, false, err
			}
		}
	}
	return nil, false, err
}

// ask asks one server, without EDNS if it does not understand that.
func (r *Resolver) ask(ctx context.Context, s Server, timeout time.Duration, name string, typ uint16) (*dns.Msg, error) {
	q := r.question(s, name, typ)
	reply, err := r.send(ctx, s, timeout, q)
	if err == nil && (reply.Rcode == dns.RcodeFormatError || reply.Rcode == dns.RcodeNotImplemented) {
		q.Extra = nil
		reply, err = r.send(ctx, s, timeout, q)
	}
	if err != nil {
		return nil, err
	}
	if reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError {
		return nil, fmt.Errorf("it says %s", dns.RcodeToString[reply.Rcode])
	}
	return reply, nil
}

// question makes a message. AD asks to be told whether the answer was validated (RFC 6840 §5.7); older servers tell it
// only to who asks for signatures, which nobody needs from a server that is not trusted.
func (r *Resolver) question(s Server, name string, typ uint16) *dns.Msg {
	q := new(dns.Msg)
	q.RecursionDesired, q.AuthenticatedData = true, true
	text := []byte(name + ".")
	if r.options.MixCase {
		mixCase(text)
	}
	q.Question = []dns.Question{{Name: string(text), Qtype: typ, Qclass: dns.ClassINET}}
	return q.SetEdns0(udpSize, s.trusted())
}

// mixCase gives each letter one of its cases by chance.
func mixCase(name []byte) {
	chance := make([]byte, len(name))
	_, _ = rand.Read(chance) // it never fails
	for i, c := range name {
		if 'a' <= c && c <= 'z' {
			name[i] = c ^ chance[i]&0x20
		}
	}
}

// send asks over UDP, and over TCP if the answer did not fit.
func (r *Resolver) send(ctx context.Context, s Server, timeout time.Duration, q *dns.Msg) (*dns.Msg, error) {
	var id [2]byte
	_, _ = rand.Read(id[:]) // it never fails
	q.Id = binary.BigEndian.Uint16(id[:])
	message, err := q.Pack()
	if err != nil {
		return nil, fmt.Errorf("making the question: %w", err)
	}
	for _, network := range []string{"udp", "tcp"} {
		r.mu.Lock()
		r.counted.Asked++
		r.mu.Unlock()
		reply, err := over(ctx, network, s, timeout, q, message)
		if errors.Is(err, errTruncated) {
			continue
		}
		return reply, err
	}
	return nil, errTruncated
}

// errTruncated says that there is more to be had over TCP.
var errTruncated = errors.New("the answer is cut short")

// over sends a message from a new socket, and waits for the answer. A socket that is connected takes nothing from
// elsewhere.
func over(ctx context.Context, network string, s Server, timeout time.Duration, q *dns.Msg, message []byte) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, s.Address.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if network == "tcp" {
		return overTCP(conn, q, message)
	}
	return overUDP(conn, q, message)
}

func overUDP(conn net.Conn, q *dns.Msg, message []byte) (*dns.Msg, error) {
	if _, err := conn.Write(message); err != nil {
		return nil, err
	}
	var buf [4096]byte
	for range maxStrange {
		n, err := conn.Read(buf[:])
		if err != nil {
			return nil, err
		}
		reply, err := readReply(buf[:n], q)
		if err == nil || errors.Is(err, errTruncated) {
			return reply, err
		}
	}
	return nil, errTruncated
}

func overTCP(conn net.Conn, q *dns.Msg, message []byte) (*dns.Msg, error) {
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	answer := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return nil, err
	}
	return readReply(answer, q)
}

var errStrange = errors.New("what came is no answer to the question")

// readReply reads a message if it is the answer to q. A truncated one need not be readable.
func readReply(message []byte, q *dns.Msg) (*dns.Msg, error) {
	const header, response, truncated = 12, 0x80, 0x02
	if len(message) < header || binary.BigEndian.Uint16(message) != q.Id || message[2]&response == 0 {
		return nil, errStrange
	}
	if message[2]&truncated != 0 {
		return nil, errTruncated
	}
	reply := new(dns.Msg)
	if err := reply.Unpack(message); err != nil {
		return nil, fmt.Errorf("%w: %w", errStrange, err)
	}
	if reply.Opcode != dns.OpcodeQuery {
		return nil, errStrange
	}
	if len(reply.Question) == 0 && reply.Rcode == dns.RcodeFormatError {
		return reply, nil // by who could not even read the question
	}
	if len(reply.Question) != 1 || reply.Question[0] != q.Question[0] {
		return nil, errStrange
	}
	return reply, nil
}
