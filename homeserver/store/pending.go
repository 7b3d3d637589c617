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
