package resolver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// Result is what a look-up found.
type Result[T any] struct {
	Values    []T       // at least one
	Name      string    // where they are, when all aliases were followed, without the last dot
	Authentic bool      // a trusted server has validated them, and all aliases
	Until     time.Time // how long they may be used
}

// call is a look-up under way.
type call struct {
	done  chan struct{} // closed when entry is there
	entry *entry
}

var errClosed = errors.New("the resolver is closed")

// lookup returns what is known or can be learnt. decode reads a record, unless it is one to be passed over.
func lookup[T any](ctx context.Context, r *Resolver, name string, typ uint16, decode func(dns.RR) (T, bool)) (Result[T], error) {
	var none Result[T]
	n, ok := plainName(name)
	if !ok {
		return none, fmt.Errorf("%w: %q is not a name that can be looked up", ErrNotFound, clip(name))
	}
	e, err := r.find(ctx, key{n, typ}, func(records []dns.RR) any {
		var values []T
		for _, rr := range records {
			if v, ok := decode(rr); ok {
				values = append(values, v)
			}
		}
		if values == nil {
			return nil
		}
		return values
	})
	if err == nil {
		err = e.err
	}
	if err != nil {
		return none, fmt.Errorf("looking up %s of %s: %w", dns.Type(typ), n, err)
	}
	return Result[T]{slices.Clone(e.values.([]T)), e.canonical, e.authentic, e.until}, nil
}

// find returns an entry from memory, of a call under way, or of a new one. The error is that of who waits.
func (r *Resolver) find(ctx context.Context, k key, decode func([]dns.RR) any) (*entry, error) {
	r.mu.Lock()
	if e := r.cache.get(k, r.options.Now()); e != nil {
		r.counted.Hits++
		r.mu.Unlock()
		return e, nil
	}
	r.counted.Misses++
	c, err := r.call(k, decode)
	r.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case <-c.done:
		return c.entry, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// call returns the call for a key. It goes on when nobody waits any more, since others may ask the same. The caller
// holds mu.
func (r *Resolver) call(k key, decode func([]dns.RR) any) (*call, error) {
	if c := r.calls[k]; c != nil {
		return c, nil
	}
	switch {
	case r.closed:
		return nil, errClosed
	case len(r.calls) >= maxWaiting:
		return nil, errors.New("too many look-ups are under way")
	}
	c := &call{done: make(chan struct{})}
	r.calls[k] = c
	r.work.Go(func() {
		e := r.learn(k, decode)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.calls, k)
		if r.ctx.Err() == nil {
			r.cache.put(e)
		}
		if e.err != nil && !errors.Is(e.err, ErrNotFound) {
			r.counted.Failed++
		}
		c.entry = e
		close(c.done)
	})
	return c, nil
}

// learn asks, in its turn.
func (r *Resolver) learn(k key, decode func([]dns.RR) any) *entry {
	ctx, cancel := context.WithTimeout(r.ctx, r.options.Patience)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return r.failure(k, ctx.Err())
	}
	return r.follow(ctx, k, decode)
}

// maxAsked bounds how many questions one look-up may take, when aliases lead out of what is answered.
const maxAsked = 4

// follow asks for a name, and for what it is an alias of if the answer does not tell.
func (r *Resolver) follow(ctx context.Context, k key, decode func([]dns.RR) any) *entry {
	e := &entry{key: k, canonical: k.name, authentic: true}
	kept := r.options.Most
	for range maxAsked {
		reply, trusted, err := r.exchange(ctx, e.canonical, k.typ)
		if err != nil {
			return r.failure(k, err)
		}
		e.authentic = e.authentic && trusted && reply.AuthenticatedData
		a, err := readAnswer(reply, e.canonical, k.typ)
		if err != nil {
			return r.failure(k, err)
		}
		e.canonical, kept = a.name, min(kept, seconds(a.ttl))
		switch {
		case a.absent && !a.dated: // RFC 2308 §5: without a SOA it should not be kept; but not be asked at once again either
			return r.finish(e, nil, ErrNotFound, r.options.Failure)
		case a.absent:
			return r.finish(e, nil, ErrNotFound, min(kept, r.options.Absent))
		case len(a.records) > 0:
			if e.values = decode(a.records); e.values == nil {
				return r.finish(e, nil, ErrNotFound, min(kept, r.options.Absent))
			}
			return r.finish(e, a.records, nil, max(kept, r.options.Least))
		}
	}
	return r.failure(k, errors.New("the aliases lead from one to the next"))
}

// finish completes an entry.
func (r *Resolver) finish(e *entry, records []dns.RR, err error, kept time.Duration) *entry {
	e.err, e.until = err, r.options.Now().Add(kept)
	e.size = perEntry + len(e.key.name) + len(e.canonical)
	for _, rr := range records {
		e.size += 64 + dns.Len(rr)
	}
	return e
}

// failure is an entry that says why there is none.
func (r *Resolver) failure(k key, err error) *entry {
	return r.finish(&entry{key: k}, nil, err, r.options.Failure)
}

func seconds(ttl uint32) time.Duration { return time.Duration(ttl) * time.Second }
