package store

import (
	"context"
	"sync"

	"hearth/storage/blob"
)

// pending holds the nodes of drafts that are queued and not yet durable, so that a room can build upon them.
type pending struct {
	mu    sync.RWMutex // guards nodes
	nodes map[blob.Hash]*pendingNode
}

type pendingNode struct {
	data []byte
	uses int // drafts that hold the node
}

func (p *pending) add(d *Draft) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range d.order {
		if n := p.nodes[h]; n != nil {
			n.uses++
			continue
		}
		p.nodes[h] = &pendingNode{d.nodes[h], 1}
	}
}

func (p *pending) remove(d *Draft) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range d.order {
		if n := p.nodes[h]; n != nil {
			if n.uses--; n.uses == 0 {
				delete(p.nodes, h)
			}
		}
	}
}

func (p *pending) get(h blob.Hash) ([]byte, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	n, ok := p.nodes[h]
	if !ok {
		return nil, false
	}
	return n.data, true
}

func (p *pending) empty() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.nodes) == 0
}

// nodeReader reads state tree nodes: those that are not durable yet, then the cache, then the storage program.
type nodeReader struct{ s *Store }

func (s *Store) nodeSource() blob.Getter {
	if s.pending.empty() {
		return s.nodes
	}
	return nodeReader{s}
}

// Get reads nodes by their addresses, nil for each that is absent.
func (r nodeReader) Get(ctx context.Context, hashes ...blob.Hash) ([][]byte, error) {
	out := make([][]byte, len(hashes))
	var missing []blob.Hash
	var at []int
	for i, h := range hashes {
		if data, ok := r.s.pending.get(h); ok {
			out[i] = data
			continue
		}
		missing, at = append(missing, h), append(at, i)
	}
	if len(missing) == 0 {
		return out, nil
	}
	got, err := r.s.nodes.Get(ctx, missing...)
	if err != nil {
		return nil, err
	}
	for j, i := range at {
		out[i] = got[j]
	}
	return out, nil
}

// changed holds the newest copies of events that were changed and are not durable yet, so that a room can build
// upon them.
type changed struct {
	mu     sync.RWMutex // guards events
	events map[eventKey]*changedEvent
}

type changedEvent struct {
	event *Event
	uses  int // changes that are under way
}

func (c *changed) add(e *Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := eventKey{e.Room, e.Order}
	if have := c.events[k]; have != nil {
		have.event = e
		have.uses++
		return
	}
	c.events[k] = &changedEvent{e, 1}
}

func (c *changed) remove(e *Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := eventKey{e.Room, e.Order}
	if have := c.events[k]; have != nil {
		if have.uses--; have.uses == 0 {
			delete(c.events, k)
		}
	}
}

func (c *changed) get(k eventKey) (*Event, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if have, ok := c.events[k]; ok {
		return have.event, true
	}
	return nil, false
}
