package transport

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"github.com/quic-go/quic-go"
	"golang.org/x/sys/unix"

	"hearth/dnsprimary/primary"
)

// echo answers with the transport, the peer's address and the message. "silence" is not answered, "many" many times.
type echo struct{}

func (echo) Serve(message []byte, peer primary.Peer, send func([]byte) error) error {
	reply := fmt.Appendf(nil, "%d %s ", peer.Transport, peer.Address)
	reply = append(reply, message...)
	switch {
	case bytes.HasSuffix(message, []byte("silence")):
		return nil
	case bytes.HasSuffix(message, []byte("many")):
		for range 100 {
			if err := send(bytes.Repeat(reply, 100)); err != nil {
				return err
			}
		}
		return nil
	case bytes.HasSuffix(message, []byte("too long")):
		return send(make([]byte, maxMessage+1))
	}
	return send(reply)
}

func start(t *testing.T, l Limits) *Server {
	t.Helper()
	s := New(func() Service { return echo{} }, l, slog.New(slog.DiscardHandler))
	t.Cleanup(s.Close)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put writes a message after its length.
func put(w io.Writer, message []byte) error {
	out := bufio.NewWriter(w)
	return errors.Join(writeMessage(out, message), out.Flush())
}

// deadline is when a test gives up.
func deadline() time.Time { return time.Now().Add(20 * time.Second) }

func certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "dns.test"}, DNSNames: []string{"dns.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func TestUDP(t *testing.T) {
	s := start(t, Limits{})
	must(t, s.UDP("127.0.0.1:0"))
	must(t, s.UDP("[::1]:0"))
	for i, want := range []string{"127.0.0.1", "::1"} {
		c, err := net.Dial("udp", s.Addrs()[i].String())
		must(t, err)
		defer c.Close()
		must(t, c.SetDeadline(deadline()))
		buf := make([]byte, 2*maxDatagram)
		for n := range 200 {
			question := fmt.Sprintf("question %d", n)
			fmt.Fprint(c, "silence")
			fmt.Fprint(c, question)
			n, err := c.Read(buf)
			if got := fmt.Sprintf("0 %s %s", want, question); err != nil || string(buf[:n]) != got {
				t.Fatalf("%q, %v, want %q", buf[:n], err, got)
			}
		}
		// What is too long or empty is passed over.
		_, _ = c.Write(make([]byte, maxDatagram+1))
		_, _ = c.Write(nil)
		fmt.Fprint(c, "after")
		if n, err := c.Read(buf); err != nil || !bytes.HasSuffix(buf[:n], []byte("after")) {
			t.Errorf("%q, %v", buf[:n], err)
		}
	}
}

// TestRepliesComeFromWhereTheQuestionWent asks a server that listens everywhere at several of its addresses.
func TestRepliesComeFromWhereTheQuestionWent(t *testing.T) {
	s := start(t, Limits{})
	must(t, s.UDP(":0"))
	port := s.Addrs()[0].(*net.UDPAddr).Port
	for _, address := range []string{"127.0.0.1", "127.0.0.2", "127.1.2.3", "::1"} {
		c, err := net.Dial("udp", net.JoinHostPort(address, fmt.Sprint(port))) // it takes nothing from elsewhere
		must(t, err)
		defer c.Close()
		must(t, c.SetDeadline(deadline()))
		fmt.Fprint(c, "who")
		buf := make([]byte, 100)
		if n, err := c.Read(buf); err != nil || !bytes.HasSuffix(buf[:n], []byte(" who")) {
			t.Errorf("%s: %q, %v", address, buf[:n], err)
		}
	}
}

// converse sends questions at once and wants the answers in their order.
func converse(t *testing.T, c net.Conn, transport primary.Transport, questions ...string) {
	t.Helper()
	must(t, c.SetDeadline(deadline()))
	var out bytes.Buffer
	for _, q := range questions {
		must(t, put(&out, []byte(q)))
	}
	_, err := c.Write(out.Bytes())
	must(t, err)
	var buf []byte
	for _, q := range questions {
		got, err := readMessage(c, &buf)
		if err != nil || !bytes.HasPrefix(got, fmt.Appendf(nil, "%d ", transport)) || !bytes.HasSuffix(got, []byte(q)) {
			t.Fatalf("%q, %v, want the answer to %q", got, err, q)
		}
	}
}

func TestStreams(t *testing.T) {
	s := start(t, Limits{})
	config := certificate(t)
	must(t, s.TCP("127.0.0.1:0"))
	must(t, s.TLS("127.0.0.1:0", config))
	path := filepath.Join(t.TempDir(), "dns.sock")
	l, err := net.Listen("unix", path)
	must(t, err)
	s.Local(l)
	dial := []func() (net.Conn, error){
		func() (net.Conn, error) { return net.Dial("tcp", s.Addrs()[0].String()) },
		func() (net.Conn, error) {
			return tls.Dial("tcp", s.Addrs()[1].String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"dot"}})
		},
		func() (net.Conn, error) { return net.Dial("unix", path) },
	}
	for i, transport := range []primary.Transport{primary.TCP, primary.TLS, primary.Local} {
		c, err := dial[i]()
		must(t, err)
		converse(t, c, transport, "one", "two", "three")
		converse(t, c, transport, "four")
		must(t, put(c, []byte("silence")))
		converse(t, c, transport, "five")
		must(t, put(c, []byte("many")))
		var buf []byte
		for range 100 {
			_, err := readMessage(c, &buf)
			must(t, err)
		}
		must(t, put(c, []byte("too long"))) // a fault inside ends the connection
		if _, err := readMessage(c, &buf); !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
		c.Close()
	}
}

func TestIdleConnectionsEnd(t *testing.T) {
	s := start(t, Limits{Idle: 30 * time.Millisecond, Patience: 30 * time.Millisecond})
	must(t, s.TCP("127.0.0.1:0"))
	for _, beginning := range []string{"", "\x00", "\x00\x05hal"} {
		c, err := net.Dial("tcp", s.Addrs()[0].String())
		must(t, err)
		must(t, c.SetDeadline(deadline()))
		_, _ = io.WriteString(c, beginning) // on a slow machine it has ended before
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %q: %d, %v", beginning, n, err)
		}
		c.Close()
	}
}

func TestOneClientCannotTakeAllConnections(t *testing.T) {
	s := start(t, Limits{Connections: 5, PerClient: 3})
	must(t, s.TCP("127.0.0.1:0"))
	from := func(address string) (net.Conn, error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		return d.Dial("tcp", s.Addrs()[0].String())
	}
	refused := func(c net.Conn) bool {
		must(t, c.SetDeadline(deadline()))
		_, _ = c.Write([]byte("\x00\x01q"))
		var buf []byte
		_, err := readMessage(c, &buf)
		return err != nil
	}
	var open []net.Conn
	for i := range 4 {
		c, err := from("127.0.0.1")
		must(t, err)
		defer c.Close()
		if refused(c) != (i == 3) {
			t.Errorf("connection %d: refused %v", i, i != 3)
		}
		open = append(open, c)
	}
	for i := range 3 {
		c, err := from("127.0.0.9")
		must(t, err)
		defer c.Close()
		if refused(c) != (i == 2) { // five in all
			t.Errorf("another's connection %d: refused %v", i, i != 2)
		}
	}
	// Who leaves makes room.
	open[0].Close()
	for {
		c, err := from("127.0.0.1")
		must(t, err)
		defer c.Close()
		if !refused(c) {
			break
		}
	}
}

func TestQUIC(t *testing.T) {
	s := start(t, Limits{})
	must(t, s.QUIC("127.0.0.1:0", certificate(t)))
	ctx, cancel := context.WithDeadline(t.Context(), deadline())
	defer cancel()
	dial := func() *quic.Conn {
		c, err := quic.DialAddr(ctx, s.Addrs()[0].String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"doq"}}, nil)
		must(t, err)
		return c
	}
	c := dial()
	ask := func(question string) *quic.Stream {
		stream, err := c.OpenStreamSync(ctx)
		must(t, err)
		must(t, put(stream, []byte(question)))
		must(t, stream.Close())
		return stream
	}
	first, second := ask("\x00\x00one"), ask("\x00\x00many")
	all, err := io.ReadAll(second)
	must(t, err)
	n := 0
	for rest := all; len(rest) > 2; n++ {
		rest = rest[2+int(binary.BigEndian.Uint16(rest)):]
	}
	if n != 100 {
		t.Errorf("%d messages, want 100", n)
	}
	if one, err := io.ReadAll(first); err != nil || string(one[2:]) != "3 127.0.0.1 \x00\x00one" {
		t.Errorf("%q, %v", one, err)
	}
	if rest, err := io.ReadAll(ask("\x00\x00silence")); len(rest) != 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	// A message with an id breaks the protocol.
	_, err = io.ReadAll(ask("\x00\x01id"))
	var broken *quic.ApplicationError
	if !errors.As(err, &broken) || broken.ErrorCode != doqProtocolError {
		t.Errorf("%v", err)
	}
	c = dial()
	if _, err := io.ReadAll(ask("\x00\x00again")); err != nil {
		t.Error(err)
	}
	// So does a second question on a stream.
	stream, err := c.OpenStreamSync(ctx)
	must(t, err)
	must(t, put(stream, []byte("\x00\x00one")))
	must(t, put(stream, []byte("\x00\x00two")))
	select {
	case <-c.Context().Done():
	case <-ctx.Done():
		t.Fatal("a second question on a stream is taken")
	}
	if err := context.Cause(c.Context()); !errors.As(err, &broken) || broken.ErrorCode != doqProtocolError {
		t.Errorf("%v", err)
	}
}

// TestCloseEndsEverything closes a server that is in the middle of things.
func TestCloseEndsEverything(t *testing.T) {
	s := start(t, Limits{})
	must(t, s.UDP("127.0.0.1:0"))
	must(t, s.TCP("127.0.0.1:0"))
	must(t, s.QUIC("127.0.0.1:0", certificate(t)))
	c, err := net.Dial("tcp", s.Addrs()[1].String())
	must(t, err)
	defer c.Close()
	converse(t, c, primary.TCP, "before")
	q, err := quic.DialAddr(t.Context(), s.Addrs()[2].String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"doq"}}, nil)
	must(t, err)
	s.Close()
	s.Wait()
	must(t, c.SetDeadline(deadline()))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the connection goes on: %v", err)
	}
	<-q.Context().Done()
}

func FuzzSource(f *testing.F) {
	f.Add([]byte{28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, oob []byte) {
		if out := source(bytes.Clone(oob)); len(out) > len(oob) {
			t.Error("longer than what came")
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add([]byte("\x00\x03abc\x00\x00\xff\xff"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		in := bytes.NewReader(stream)
		var buf []byte
		for {
			message, err := readMessage(in, &buf)
			if err != nil {
				return
			}
			if len(message) > maxMessage {
				t.Fatal("too long")
			}
		}
	})
}

// BenchmarkUDP asks one server from one client, many questions under way at once.
func BenchmarkUDP(b *testing.B) {
	s := New(func() Service { return echo{} }, Limits{}, slog.New(slog.DiscardHandler))
	defer s.Close()
	if err := s.UDP("127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	c, err := net.Dial("udp", s.Addrs()[0].String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 512)
	const window = 64
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := c.Write([]byte("question of ordinary length.")); err != nil {
			b.Fatal(err)
		}
		if i >= window {
			if _, err := c.Read(buf); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// TestAnAnswerDoesNotWaitForTheNextQuestion sends one and a half.
func TestAnAnswerDoesNotWaitForTheNextQuestion(t *testing.T) {
	s := start(t, Limits{})
	must(t, s.TCP("127.0.0.1:0"))
	c, err := net.Dial("tcp", s.Addrs()[0].String())
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(deadline()))
	_, err = c.Write([]byte("\x00\x03one\x00\x03t"))
	must(t, err)
	var buf []byte
	for _, want := range []string{"one", "two"} {
		if got, err := readMessage(c, &buf); err != nil || !bytes.HasSuffix(got, []byte(want)) {
			t.Fatalf("%q, %v, want %s", got, err, want)
		}
		_, err = c.Write([]byte("wo"))
		must(t, err)
	}
}

// quick answers with what it is asked.
type quick struct{}

func (quick) Serve(message []byte, _ primary.Peer, send func([]byte) error) error {
	return send(message)
}

func TestDatagramsAllocateNothing(t *testing.T) {
	socket, err := listenUDP(t.Context(), "127.0.0.1:0")
	must(t, err)
	defer socket.Close()
	d, err := newDatagrams(socket, quick{})
	must(t, err)
	d.in.empty()
	d.in.names[0] = unix.RawSockaddrInet6{Family: unix.AF_INET}
	h := &d.in.headers[0]
	h.length = 4
	h.message.SetControllen(0)
	copy(d.in.buffers[0][:], "what")
	if n := testing.AllocsPerRun(100, func() { d.replies = 0; d.answer(h) }); n != 0 || d.replies != 1 || d.out.vectors[0].Len != 4 {
		t.Errorf("%v allocations, %d replies", n, d.replies)
	}
}

// TestDropsAreCounted fills a socket that nobody reads.
func TestDropsAreCounted(t *testing.T) {
	socket, err := listenUDP(t.Context(), "127.0.0.1:0")
	must(t, err)
	defer socket.Close()
	must(t, socket.SetReadBuffer(1))
	s := &Server{sockets: []*net.UDPConn{socket}}
	if n := s.Dropped(); n != 0 {
		t.Fatalf("%d before anything came", n)
	}
	c, err := net.Dial("udp", socket.LocalAddr().String())
	must(t, err)
	defer c.Close()
	for range 100 {
		_, err := c.Write(make([]byte, 1000))
		must(t, err)
	}
	if n := s.Dropped(); n < 50 || n > 100 {
		t.Errorf("%d of 100 were dropped", n)
	}
}

func TestAddressIn(t *testing.T) {
	v4 := unix.RawSockaddrInet4{Family: unix.AF_INET, Port: 53, Addr: [4]byte{192, 0, 2, 7}}
	v6 := unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: netip.MustParseAddr("2001:db8::7").As16()}
	mapped := unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: netip.MustParseAddr("::ffff:192.0.2.7").As16()}
	var room unix.RawSockaddrInet6
	*(*unix.RawSockaddrInet4)(unsafe.Pointer(&room)) = v4
	for _, c := range []struct {
		name unix.RawSockaddrInet6
		want string
	}{{room, "192.0.2.7"}, {v6, "2001:db8::7"}, {mapped, "192.0.2.7"}, {unix.RawSockaddrInet6{Family: unix.AF_UNIX}, "invalid IP"}} {
		if a, ok := addressIn(&c.name); a.String() != c.want || ok != a.IsValid() {
			t.Errorf("%v: %s, want %s", c.name, a, c.want)
		}
	}
}
