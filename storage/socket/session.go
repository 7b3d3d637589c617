package socket

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"hearth/storage/blob"
)

const (
	flushSize  = 16 << 10 // answers are written at the latest when so much waits
	maxPending = 1 << 20  // while more waits to be written, nothing else is read
)

// session is the server's end of one connection. One goroutine reads it (see turn), one hands over batches, and
// each long request has one; run waits for all of them.
type session struct {
	srv   *server
	in    *frameReader // the reader's
	names names        // the reader's
	out   *outbox
	store blob.Store
	turn  turn

	ctx    context.Context // ends with the session
	cancel context.CancelFunc
	broken chan error // gets why reading stopped, once

	queue  chan *job           // batches in order of arrival; closed by run
	window *semaphore.Weighted // of windowBytes: what the batches that are not answered weigh

	wg      sync.WaitGroup // readers and long requests
	mu      sync.Mutex     // guards the following
	ending  bool           // nothing may be added to wg
	readers int
	long    map[uint32]*long
}

func newSession(srv *server, in *frameReader, out *outbox, store blob.Store) *session {
	s := &session{
		srv: srv, in: in, out: out, store: store, names: make(names),
		broken: make(chan error, 1),
		queue:  make(chan *job, blob.ResendWindow),
		window: semaphore.NewWeighted(windowBytes),
		long:   make(map[uint32]*long),
	}
	s.turn.readers = s
	s.turn.timer = time.AfterFunc(time.Hour, s.turn.watch)
	s.turn.timer.Stop()
	return s
}

// run welcomes the client and serves it until it goes, breaks the protocol, or ctx ends.
func (s *session) run(ctx context.Context) error {
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer s.cancel()
	b, at := beginFrame(s.out.lock(), typeDone, 0)
	s.out.unlock(endFrame(append(b, 0, version), at))

	applied := make(chan struct{})
	go func() {
		defer close(applied)
		s.applyQueue()
	}()
	s.reserve()
	s.start()
	var err error
	select {
	case err = <-s.broken:
	case <-ctx.Done():
		s.out.conn.SetReadDeadline(time.Unix(1, 0))
	}
	s.end(err)
	close(s.queue)
	<-applied
	s.window.Acquire(context.Background(), windowBytes) // all batches were answered
	s.out.drain()
	s.out.close(os.ErrClosed)
	return err
}

// end stops everything but the batches that the store has.
func (s *session) end(err error) {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	s.cancel()
	if errors.Is(err, errFrame) {
		b, at := beginFrame(s.out.lock(), typeError, 0)
		s.out.unlock(endFrame(appendError(b, blob.Errorf(blob.Invalid, "reading request", "%w", err), ""), at))
	} else if err != nil {
		s.out.close(err) // nobody is there
	}
	s.out.conn.SetWriteDeadline(time.Now().Add(endTimeout))
	s.wg.Wait()
	s.turn.timer.Stop()
}

func (s *session) reserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending || s.readers == maxReaders {
		return false
	}
	s.readers++
	s.wg.Add(1)
	return true
}

func (s *session) release() {
	s.mu.Lock()
	s.readers--
	s.mu.Unlock()
	s.wg.Done()
}

func (s *session) start() {
	go func() {
		defer s.release()
		if err := (&reader{session: s}).run(); err != nil {
			select {
			case s.broken <- err:
			default: // known already
			}
		}
	}()
}

// reader reads requests while it is the reader of its session's connection.
type reader struct {
	*session
	body   []byte // a copy of the payload, as the next reader may overwrite that
	hashes []blob.Hash
	keys   []blob.RowKey
}

// run returns nil when another reader has taken over.
func (r *reader) run() error {
	for {
		if !r.in.ready() || r.out.size() > flushSize {
			r.out.flush(false)
		}
		if err := r.out.wait(maxPending); err != nil {
			return err
		}
		h, err := r.in.next()
		if err != nil {
			return err
		}
		stay, err := r.handle(h)
		if err != nil {
			return err
		}
		if !stay {
			r.out.flush(false)
			return nil
		}
	}
}

// handle reads a request's payload and answers it or sees to it that it is answered; stay is false if another
// reader has taken over since.
func (r *reader) handle(h header) (stay bool, err error) {
	if h.typ == typeApply {
		return true, r.enqueue(h)
	}
	p, owned, err := r.in.payload(h.size)
	if err != nil {
		return true, err
	}
	switch h.typ {
	case typeGet:
		return r.get(h, p)
	case typeRows:
		return r.rows(h, p, owned)
	case typeRoot:
		return r.root(h, p)
	case typeHistory, typeRootNames, typeScan, typeVerify, typeStats:
		return true, r.startLong(h, p)
	case typeCredit:
		return true, r.giveCredit(h, p)
	case typeCancel:
		r.cancelLong(h.id)
		return true, nil
	}
	return true, fmt.Errorf("%w: type %#02x in a request", errFrame, h.typ)
}

func (r *reader) get(h header, p []byte) (bool, error) {
	var ok bool
	if r.hashes, ok = parseGet(p, r.hashes[:0]); !ok {
		return true, malformed(h)
	}
	if isLong(typeGet, len(r.hashes)) {
		hashes := r.hashes
		r.hashes = nil
		return true, r.launch(h.id, func(l *long) error { return l.getMany(hashes) })
	}
	v := r.turn.begin()
	values, err := r.store.Get(r.ctx, r.hashes...)
	stay := r.turn.end(v)
	return stay, r.answerValues(h.id, values, err)
}

func (r *reader) rows(h header, p []byte, owned bool) (bool, error) {
	if !owned {
		r.body = append(r.body[:0], p...)
		p = r.body
	}
	var ok bool
	if r.keys, ok = parseRows(p, r.keys[:0], r.names); !ok {
		return true, malformed(h)
	}
	if isLong(typeRows, len(r.keys)) {
		keys := r.keys
		r.keys, r.body = nil, nil
		return true, r.launch(h.id, func(l *long) error { return l.rowsMany(keys) })
	}
	v := r.turn.begin()
	values, err := r.store.Rows(r.ctx, r.keys...)
	stay := r.turn.end(v)
	return stay, r.answerValues(h.id, values, err)
}

func (r *reader) root(h header, p []byte) (bool, error) {
	c := cursor{b: p}
	name := string(c.str8())
	if !c.end() {
		return true, malformed(h)
	}
	v := r.turn.begin()
	commit, exists, err := r.store.Root(r.ctx, name)
	stay := r.turn.end(v)
	if err != nil {
		r.answerError(h.id, err)
		return stay, nil
	}
	b, at := beginFrame(r.out.lock(), typeDone, h.id)
	if exists {
		b = appendCommit(b, &commit)
	}
	r.out.unlock(endFrame(b, at))
	return stay, nil
}

// answerValues appends the answer to a Get or Rows, in parts if it is large; it may wait until the client has
// read the first ones.
func (s *session) answerValues(id uint32, values [][]byte, err error) error {
	if err != nil {
		s.answerError(id, err)
		return nil
	}
	b, at := beginFrame(s.out.lock(), typeDone, id)
	for i, v := range values {
		if len(b)-at+len(v) > partSize && i > 0 {
			s.out.unlock(endFrameAs(b, at, typeMore))
			s.out.flush(false)
			if err := s.out.wait(maxPending); err != nil {
				return err
			}
			b, at = beginFrame(s.out.lock(), typeDone, id)
		}
		b = appendOpt32(b, v)
	}
	s.out.unlock(endFrame(b, at))
	return nil
}

func (s *session) answerError(id uint32, err error) {
	b, at := beginFrame(s.out.lock(), typeError, id)
	s.out.unlock(endFrame(appendError(b, err, "serving request"), at))
}

func malformed(h header) error {
	return fmt.Errorf("%w: payload of type %#02x", errFrame, h.typ)
}
