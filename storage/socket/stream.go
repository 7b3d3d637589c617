package socket

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"hearth/storage/blob"
)

// creditStep is how much a client consumes before it gives credit back.
const creditStep = initialCredit / 4

// stream is what has arrived of a Scan or Verify and is not consumed yet.
type stream struct {
	wake chan struct{} // something arrived

	mu      sync.Mutex // guards the following
	parts   [][]byte
	last    []byte // the payload of Done
	size    int    // bytes that arrived and for which no credit was given back
	started bool   // something has arrived
	ended   bool
	err     error
}

// push takes a part from the receiving goroutine. It fails if the server sends more than it may.
func (s *stream) push(typ byte, p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size >= initialCredit && typ == typeMore {
		return fmt.Errorf("%w: more than there is credit for", errFrame)
	}
	s.size += len(p)
	s.started = true
	p = append([]byte(nil), p...)
	if typ == typeDone {
		s.last = p
	} else {
		s.parts = append(s.parts, p)
	}
	s.signal()
	return nil
}

func (s *stream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// begun reports whether a part has arrived.
func (s *stream) begun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.err = true, err
	s.signal()
}

// take returns the next part, or done once there is none to come.
func (s *stream) take() (p []byte, done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.parts) > 0 {
		p = s.parts[0]
		s.parts = s.parts[1:]
		return p, false, nil
	}
	return nil, s.ended, s.err
}

// giveBack notes that credit for n bytes was given back.
func (s *stream) giveBack(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size -= n
}

// streaming does a Scan or Verify: use gets each part but the last, and ends it by returning false. The result is
// the last part, nil if use ended it.
func (c *Client) streaming(ctx context.Context, typ byte, body []byte, use func([]byte) bool) ([]byte, error) {
	st := &stream{wake: make(chan struct{}, 1)}
	cl := &call{typ: typ, body: body, stream: st}
	if err := c.long.Acquire(ctx, 1); err != nil {
		return nil, canceled(cl.op(), err)
	}
	if err := c.start(cl); err != nil {
		return nil, err
	}
	defer c.abandon(cl) // unless it is answered
	owed := 0
	for {
		p, done, err := st.take()
		if done {
			return st.last, err
		}
		if p == nil {
			select {
			case <-st.wake:
				continue
			case <-ctx.Done():
				return nil, canceled(cl.op(), ctx.Err())
			}
		}
		if !use(p) {
			return nil, nil
		}
		if owed += len(p); owed >= creditStep {
			st.giveBack(owed)
			c.giveCredit(cl, owed)
			owed = 0
		}
	}
}

// giveCredit lets the server send n bytes more of a stream.
func (c *Client) giveCredit(cl *call, n int) {
	c.mu.Lock()
	link := c.link
	if link != nil && c.calls[cl.id] == cl {
		link.out.unlock(appendCredit(link.out.lock(), cl.id, n))
	}
	c.mu.Unlock()
	if link != nil {
		link.out.flush(false)
	}
}

// Scan implements blob.Tables.
func (c *Client) Scan(ctx context.Context, r blob.Range) iter.Seq2[blob.Row, error] {
	return func(yield func(blob.Row, error) bool) {
		if err := blob.CheckRange(r); err != nil {
			yield(blob.Row{}, err)
			return
		}
		stopped := false
		var bad error
		use := func(p []byte) bool {
			cur := cursor{b: p}
			for len(cur.b) > 0 {
				row := parseRow(&cur, r.Table)
				if cur.bad {
					bad = badAnswer(typeScan)
					return false
				}
				if !yield(row, nil) {
					stopped = true
					return false
				}
			}
			return true
		}
		last, err := c.streaming(ctx, typeScan, appendScan(nil, r), use)
		if err == nil {
			use(last)
			err = bad
		}
		if err != nil && !stopped {
			yield(blob.Row{}, err)
		}
	}
}

// Verify implements blob.Inspector.
func (c *Client) Verify(ctx context.Context, damaged func(blob.Damage)) (blob.Verified, error) {
	bad := false
	last, err := c.streaming(ctx, typeVerify, nil, func(p []byte) bool {
		cur := cursor{b: p}
		for len(cur.b) > 0 {
			d := parseDamage(&cur)
			if cur.bad {
				bad = true
				return false
			}
			damaged(d)
		}
		return true
	})
	if err != nil {
		return blob.Verified{}, err
	}
	v, ok := parseVerified(last)
	if bad || !ok {
		return blob.Verified{}, badAnswer(typeVerify)
	}
	return v, nil
}
