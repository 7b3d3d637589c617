package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"hearth/process"
	"hearth/storage/blob"
)

const (
	helloTimeout = 5 * time.Second // for a peer to say Hello
	endTimeout   = time.Second     // for a peer to take the last answers
	defaultConns = 16
)

// ServerOptions say who may connect.
type ServerOptions struct {
	// Namespaces are the namespaces that exist, each with the ids of the users who may open it.
	Namespaces map[string][]uint32
	// MaxConns is how many connections one user may have at once; 0 is 16. Each holds at most some 40 MiB, and
	// the values that its multi-gets return.
	MaxConns int
	// Log is told of connections that are refused or broken; nil is nobody.
	Log *slog.Logger
}

// Serve answers the connections that l, of a unix socket, accepts, until ctx ends: then it closes l, answers the
// batches that were handed to a store, closes all connections, and returns nil once it no longer uses any store.
// It opens a namespace's store once for each connection. Serve fails if accepting fails.
func Serve(ctx context.Context, l net.Listener, open func(namespace string) (blob.Store, error), opts ServerOptions) error {
	if opts.MaxConns == 0 {
		opts.MaxConns = defaultConns
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{open: open, opts: opts, conns: make(map[uint32]int), sessions: make(map[sessionKey]*tenure)}
	s.jobs.New = func() any { return new(job) }
	ctx, cancel := context.WithCancel(ctx)
	defer s.wg.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("accepting on %s: %w", l.Addr(), err)
		}
		s.wg.Go(func() { s.serve(ctx, conn) })
	}
}

// server is what the connections of one Serve share.
type server struct {
	open func(string) (blob.Store, error)
	opts ServerOptions
	jobs sync.Pool // of *job
	wg   sync.WaitGroup

	mu       sync.Mutex // guards the following
	conns    map[uint32]int
	sessions map[sessionKey]*tenure
}

// sessionKey names a client that may come back.
type sessionKey struct {
	uid uint32
	id  [16]byte
}

// tenure is a connection's time as the one that a session has.
type tenure struct {
	cancel context.CancelFunc
	over   chan struct{}
}

// serve runs one connection to its end.
func (s *server) serve(ctx context.Context, c net.Conn) {
	defer c.Close()
	conn, ok := c.(*net.UnixConn)
	if !ok {
		s.opts.Log.Warn("connection is not of a unix socket")
		return
	}
	uid, err := process.PeerUser(conn)
	if err != nil {
		s.opts.Log.Warn("connection refused", "err", err)
		return
	}
	out, err := newOutbox(conn)
	if err != nil {
		return
	}
	if err := s.enter(uid); err != nil {
		s.refuse(out, uid, err)
		return
	}
	defer s.leave(uid)
	in := newFrameReader(conn)
	hi, err := s.hello(ctx, conn, in, uid)
	if err != nil {
		s.refuse(out, uid, err)
		return
	}
	ctx, leave := s.succeed(ctx, sessionKey{uid, hi.session})
	defer leave()
	store, err := s.open(hi.namespace)
	if err != nil {
		s.refuse(out, uid, err)
		return
	}
	err = newSession(s, in, out, store).run(ctx)
	if err != nil && !errors.Is(err, io.EOF) {
		s.opts.Log.Warn("connection broken", "uid", uid, "err", err)
	}
}

// succeed makes this connection its session's one, after the end of the one before. The context ends when the next
// comes; leave is to be called at the connection's end.
func (s *server) succeed(ctx context.Context, key sessionKey) (own context.Context, leave func()) {
	own, cancel := context.WithCancel(ctx)
	t := &tenure{cancel: cancel, over: make(chan struct{})}
	s.mu.Lock()
	before := s.sessions[key]
	s.sessions[key] = t
	s.mu.Unlock()
	if before != nil {
		before.cancel()
		<-before.over
	}
	return own, func() {
		cancel()
		s.mu.Lock()
		if s.sessions[key] == t {
			delete(s.sessions, key)
		}
		s.mu.Unlock()
		close(t.over)
	}
}

// enter counts a connection of a user who may open something.
func (s *server) enter(uid uint32) error {
	known := false
	for _, uids := range s.opts.Namespaces {
		known = known || slices.Contains(uids, uid)
	}
	if !known {
		return blob.Errorf(blob.Denied, "connecting", "user %d has no namespace", uid)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[uid] >= s.opts.MaxConns {
		return blob.Errorf(blob.Unavailable, "connecting", "user %d has %d connections", uid, s.conns[uid])
	}
	s.conns[uid]++
	return nil
}

func (s *server) leave(uid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[uid]--
}

// hello reads the client's Hello and decides whether it may have what it asks for.
func (s *server) hello(ctx context.Context, conn *net.UnixConn, in *frameReader, uid uint32) (hi hello, err error) {
	conn.SetReadDeadline(time.Now().Add(helloTimeout))
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	h, err := in.next()
	if err != nil {
		return hi, err
	}
	if h.typ != typeHello || h.id != 0 {
		return hi, blob.Errorf(blob.Invalid, "connecting", "%w: want a Hello", errFrame)
	}
	p, _, err := in.payload(h.size)
	if err != nil {
		return hi, err
	}
	hi, ok := parseHello(p)
	switch {
	case !ok:
		return hi, blob.Errorf(blob.Invalid, "connecting", "%w: Hello", errFrame)
	case hi.version != version:
		return hi, blob.Errorf(blob.Invalid, "connecting", "protocol version %d, this storage speaks %d", hi.version, version)
	case !slices.Contains(s.opts.Namespaces[hi.namespace], uid):
		return hi, blob.Errorf(blob.Denied, "connecting", "user %d may not open namespace %q", uid, hi.namespace)
	}
	conn.SetReadDeadline(time.Time{})
	return hi, nil
}

// refuse tells the peer why its connection ends.
func (s *server) refuse(out *outbox, uid uint32, err error) {
	if !errors.Is(err, io.EOF) {
		s.opts.Log.Warn("connection refused", "uid", uid, "err", err)
	}
	out.conn.SetWriteDeadline(time.Now().Add(endTimeout))
	b, at := beginFrame(out.lock(), typeError, 0)
	out.unlock(endFrame(appendError(b, err, "connecting"), at))
	out.drain()
}
