package socket

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"hearth/storage/blob"
)

const defaultOutage = 10 * time.Second

var errClosed = errors.New("client is closed")

// ClientOptions tune a client; the zero value is good.
type ClientOptions struct {
	// Outage is how long a call waits for a storage that cannot be reached, before it fails with kind
	// Unavailable; 0 is 10 seconds. A batch that was sent before may or may not have been applied then.
	Outage time.Duration
}

// Client is a program's end of the protocol: a blob.Store and blob.AsyncApplier for one namespace. It connects when
// it is called and not connected, and resends what is unanswered. A call returns when it is answered, when its
// context ends, or after an outage (see ClientOptions). All methods may be called at once.
//
// A batch without ID is given one of the client's session, so it is applied at most once however often the
// connection breaks. If a batch's call fails with kind Canceled or Unavailable it may have been applied or not, but
// it will not be applied later than another batch that was sent after that call returned.
type Client struct {
	path   string
	hello  hello // what it says when it connects; its session is that of its batches
	outage time.Duration

	window *semaphore.Weighted // of windowBytes, for batches
	long   *semaphore.Weighted // of maxLong, for long requests
	pool   sync.Pool           // of *call, for short reads
	life   context.Context     // ends with Close
	end    context.CancelFunc
	wg     sync.WaitGroup // the receiving goroutine

	mu      sync.Mutex // guards the following
	closed  bool
	running bool  // the receiving goroutine is there
	link    *link // nil while not connected
	calls   map[uint32]*call
	lastID  uint32
	serial  uint64 // of the last call
	seq     uint64 // of the last batch
}

var (
	_ blob.Store        = (*Client)(nil)
	_ blob.AsyncApplier = (*Client)(nil)
)

// Dial returns a client of the storage that listens, or will listen, at path. It tries to connect once, for as long
// as ctx allows. A storage that is not there is no error; one that denies the namespace (kind Denied) or speaks
// another version (kind Invalid) is.
func Dial(ctx context.Context, path, namespace string, opts ClientOptions) (*Client, error) {
	if err := blob.CheckNamespace(namespace); err != nil {
		return nil, err
	}
	if opts.Outage == 0 {
		opts.Outage = defaultOutage
	}
	c := &Client{
		path: path, hello: hello{version: version, namespace: namespace}, outage: opts.Outage,
		window: semaphore.NewWeighted(windowBytes),
		long:   semaphore.NewWeighted(maxLong),
		calls:  make(map[uint32]*call),
	}
	c.pool.New = func() any { return &call{ready: make(chan struct{}, 1)} }
	rand.Read(c.hello.session[:])
	c.life, c.end = context.WithCancel(context.Background())
	l, err := connect(ctx, path, c.hello)
	switch {
	case err == nil:
		c.running, c.link = true, l
		c.wg.Go(func() { c.run(l) })
	case permanent(err):
		c.end()
		return nil, err
	}
	return c, nil
}

// Close disconnects. Calls that are under way fail with kind Unavailable. It waits for the client's goroutines.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	link := c.link
	c.mu.Unlock()
	c.end()
	if link != nil {
		link.out.close(os.ErrClosed)
	}
	c.wg.Wait()
	return nil
}

// do sends a call and waits for its answer.
func (c *Client) do(ctx context.Context, cl *call) error {
	if err := c.start(cl); err != nil {
		return err
	}
	select {
	case <-cl.ready:
		return cl.err
	case <-ctx.Done():
	}
	if !c.abandon(cl) {
		<-cl.ready // the answer is just arriving
		return cl.err
	}
	return canceled(cl.op(), ctx.Err())
}

// start sends a call, or sees to it that it is sent once connected. If it fails, the call's slot is free again.
func (c *Client) start(cl *call) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		c.release(cl)
		return &blob.Error{Kind: blob.Unavailable, Op: cl.op(), Err: errClosed}
	}
	c.lastID++
	for c.lastID == 0 || c.calls[c.lastID] != nil {
		c.lastID++
	}
	c.serial++
	cl.id, cl.serial = c.lastID, c.serial
	if cl.batch != nil {
		cl.batchID = cl.batch.ID
		if cl.batchID == (blob.BatchID{}) {
			c.seq++
			cl.batchID = blob.BatchID{Session: c.hello.session, Seq: c.seq}
		}
	}
	c.calls[cl.id] = cl
	link, others := c.link, len(c.calls) > 1
	if link != nil {
		link.out.unlock(cl.append(link.out.lock()))
	} else if !c.running {
		c.running = true
		c.wg.Go(func() { c.run(nil) })
	}
	c.mu.Unlock()
	if link != nil {
		link.out.flush(others)
	}
	return nil
}

// abandon gives a call up, and reports false if it was finished before.
func (c *Client) abandon(cl *call) bool {
	c.mu.Lock()
	if c.calls[cl.id] != cl {
		c.mu.Unlock()
		return false
	}
	cl.forget()
	link := c.link
	if link != nil && cl.typ != typeApply {
		b, at := beginFrame(link.out.lock(), typeCancel, cl.id)
		link.out.unlock(endFrame(b, at))
	}
	c.mu.Unlock()
	if link != nil {
		link.out.flush(false)
	}
	return true
}

// finish tells a call's caller that it is answered. The call is in c.calls no more.
func (c *Client) finish(cl *call, err error) {
	c.release(cl)
	switch {
	case cl.gone:
	case cl.done != nil:
		cl.done(err)
	case cl.stream != nil:
		cl.stream.end(err)
	default:
		cl.err = err
		cl.ready <- struct{}{}
	}
}

// release gives back the slot that a batch or a long request has.
func (c *Client) release(cl *call) {
	switch {
	case cl.typ == typeApply:
		c.window.Release(cl.weight)
	case isLong(cl.typ, len(cl.values)):
		c.long.Release(1)
	}
}
