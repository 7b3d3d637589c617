package socket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"hearth/storage/blob"
)

const (
	backoffFirst = 2 * time.Millisecond
	backoffLast  = 50 * time.Millisecond
)

// link is one connection of a client.
type link struct {
	out *outbox
	in  *frameReader // the receiving goroutine's
}

// connect opens a connection and says Hello.
func connect(ctx context.Context, path string, hi hello) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	conn := nc.(*net.UnixConn)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	l := &link{in: newFrameReader(conn)}
	if l.out, err = newOutbox(conn); err == nil {
		err = l.hello(hi)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return l, nil
}

// hello says Hello and reads the answer.
func (l *link) hello(hi hello) error {
	_, fail := l.out.conn.Write(appendHello(nil, hi))
	h, err := l.in.next() // also after a failure: the server may have refused already
	if err != nil {
		return cmp.Or(fail, err)
	}
	p, _, err := l.in.payload(h.size)
	if err != nil {
		return err
	}
	c := cursor{b: p}
	switch {
	case h.typ == typeError && h.id == 0:
		return refusal(p)
	case h.typ != typeDone || h.id != 0 || c.u16() != version || !c.end():
		return fmt.Errorf("%w: answer to Hello", errFrame)
	}
	return nil
}

// refusal reads an Error that is about the connection.
func refusal(p []byte) error {
	e, ok := parseError(p)
	if !ok {
		return fmt.Errorf("%w: Error", errFrame)
	}
	return e
}

// permanent reports whether connecting again would not help.
func permanent(err error) bool {
	kind := blob.KindOf(err)
	return kind == blob.Denied || kind == blob.Invalid
}

// patience is how long the client has been trying to reach the storage.
type patience struct {
	since time.Time     // zero until it fails
	pause time.Duration // before the next attempt
}

// run receives answers, and connects again as long as calls wait. It ends when no call needs it. l may be nil.
func (c *Client) run(l *link) {
	var p patience
	for {
		if l == nil {
			if l = c.reconnect(&p); l == nil {
				return
			}
		}
		heard, err := c.receive(l)
		l.out.close(err)
		if heard {
			p = patience{}
		} else {
			c.expire(&p, err)
		}
		if !c.lost(err) {
			return
		}
		l = nil
	}
}

// reconnect returns a connection on which all that waits was sent, or nil if nothing waits any more.
func (c *Client) reconnect(p *patience) *link {
	if p.since.IsZero() {
		p.since = time.Now()
	}
	for !c.idle() {
		c.rest(p.pause)
		p.pause = min(max(2*p.pause, backoffFirst), backoffLast)
		l, err := connect(c.life, c.path, c.hello)
		switch {
		case c.life.Err() != nil:
			c.failAll(blob.Unavailable, errClosed)
		case permanent(err):
			c.failAll(blob.KindOf(err), err)
		case err != nil:
			c.expire(p, err)
		}
		if err == nil && c.resend(l) {
			return l
		}
	}
	return nil
}

// expire gives up on the storage if it has been out of reach for so long; err is how it failed last.
func (c *Client) expire(p *patience, err error) {
	if !p.since.IsZero() && time.Since(p.since) >= c.outage {
		c.failAll(blob.Unavailable, err)
	}
}

// rest waits, unless the client is closed.
func (c *Client) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.life.Done():
	}
}

// idle ends the receiving goroutine if nothing waits for it.
func (c *Client) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = len(c.calls) > 0
	return !c.running
}

// resend makes l the client's connection and sends on it what is unanswered, in the old order. It closes l if the
// client is closed.
func (c *Client) resend(l *link) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		l.out.close(errClosed)
		return false
	}
	c.link = l
	calls := slices.SortedFunc(maps.Values(c.calls), func(a, b *call) int { return cmp.Compare(a.serial, b.serial) })
	b := l.out.lock()
	for _, cl := range calls {
		b = cl.append(b)
	}
	l.out.unlock(b)
	l.out.flushSoon()
	return true
}

// lost takes leave of a connection: it finishes the calls that cannot be sent again, and reports whether
// others wait.
func (c *Client) lost(cause error) bool {
	c.mu.Lock()
	c.link = nil
	var ended []*call
	for id, cl := range c.calls {
		if c.closed || cl.gone || !cl.reset() {
			ended = append(ended, cl)
			delete(c.calls, id)
		}
	}
	c.running = len(c.calls) > 0
	running := c.running
	if c.closed {
		cause = errClosed
	}
	c.mu.Unlock()
	for _, cl := range ended {
		c.finish(cl, &blob.Error{Kind: blob.Unavailable, Op: cl.op(), Err: cause})
	}
	return running
}

// failAll finishes all calls.
func (c *Client) failAll(kind blob.Kind, cause error) {
	c.mu.Lock()
	calls := c.calls
	c.calls = make(map[uint32]*call)
	c.mu.Unlock()
	var e *blob.Error
	if errors.As(cause, &e) && e.Err != nil {
		cause = e.Err
	}
	for _, cl := range calls {
		c.finish(cl, &blob.Error{Kind: kind, Op: cl.op(), Err: cause})
	}
}

// receive handles answers until the connection fails; heard is whether there was any.
func (c *Client) receive(l *link) (heard bool, err error) {
	for {
		h, err := l.in.next()
		if err != nil {
			return heard, err
		}
		p, owned, err := l.in.payload(h.size)
		if err != nil {
			return heard, err
		}
		if err := c.answer(h, p, owned); err != nil {
			return heard, err
		}
		heard = true
	}
}

// answer hands one frame to its call. It fails if the server breaks the protocol.
func (c *Client) answer(h header, p []byte, owned bool) error {
	if h.typ == typeError && h.id == 0 {
		return refusal(p)
	}
	c.mu.Lock()
	cl := c.calls[h.id]
	if cl != nil && h.typ != typeMore {
		delete(c.calls, h.id)
	}
	c.mu.Unlock()
	if cl == nil {
		return fmt.Errorf("%w: answer to no request", errFrame)
	}
	var fail error // of the call
	var err error  // of the connection
	switch h.typ {
	case typeMore, typeDone:
		err = cl.receive(h.typ, p, owned)
	case typeError:
		e, ok := parseError(p)
		if fail = e; !ok {
			err = fmt.Errorf("%w: Error", errFrame)
		}
	default:
		err = fmt.Errorf("%w: type %#02x in an answer", errFrame, h.typ)
	}
	switch {
	case err != nil && h.typ == typeMore:
		c.mu.Lock()
		delete(c.calls, h.id)
		c.mu.Unlock()
		fallthrough
	case err != nil:
		c.finish(cl, &blob.Error{Kind: blob.Internal, Op: cl.op(), Err: err})
	case h.typ != typeMore:
		c.finish(cl, fail)
	}
	return err
}
