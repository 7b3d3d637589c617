package main

import (
	"context"
	"fmt"
	"sync"
)

// household runs the programs of a box, and stops and starts them when the agent wants it, one wish at a time.
type household struct {
	ctx context.Context                              // of all that runs
	run func(ctx context.Context, inside bool) error // until its ctx ends

	mu     sync.Mutex // guards what follows
	inside bool       // the programs listen to this machine only
	stop   context.CancelFunc
	done   chan struct{} // closed when what was started last has ended; nil before the first start
	failed error         // why it ended, if it did by itself
}

// Resume starts the programs, unless they run.
func (h *household) Resume() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(h.ctx)
	done := make(chan struct{})
	h.stop, h.done = stop, done
	inside := h.inside
	go func() { // until Quiesce, or ctx ends
		defer close(done)
		err := h.run(ctx, inside)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.failed = err
	}()
}

// Quiesce ends the programs, and starts none before Resume.
func (h *household) Quiesce(ctx context.Context) error {
	h.mu.Lock()
	done := h.done
	if h.stop != nil {
		h.stop()
		h.stop = nil
	}
	h.mu.Unlock()
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("ending the programs: %w", context.Cause(ctx))
	}
}

// Admit lets the outside in, which means that the programs start anew.
func (h *household) Admit(ctx context.Context) error {
	if err := h.Quiesce(ctx); err != nil {
		return err
	}
	h.mu.Lock()
	h.inside = false
	h.mu.Unlock()
	h.Resume()
	return nil
}

// reopen ends the programs and starts them again.
func (h *household) reopen(ctx context.Context) error {
	if err := h.Quiesce(ctx); err != nil {
		return err
	}
	h.Resume()
	return nil
}

// fault returns why the programs ended by themselves, nil if they did not.
func (h *household) fault() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failed
}
