package badgerstore

import (
	"context"
	"sync/atomic"
	"time"

	"hearth/storage/blob"
)

// space is one namespace of a store: a blob.Store and a blob.AsyncApplier.
type space struct {
	db   *DB
	name string

	batches, reads, bytes atomic.Uint64 // as blob.Stats says
}

// request is a batch under way.
type request struct {
	space *space
	batch *blob.Batch
	done  func(error)
	start time.Time
	state atomic.Int32 // who has it: waiting, then taken or given up
}

const (
	waiting = iota
	taken
	givenUp
)

// Apply applies the batch whole or not at all, and returns nil only when it is durable.
func (s *space) Apply(ctx context.Context, b *blob.Batch) error {
	if err := canceled(ctx, "applying batch"); err != nil {
		return err
	}
	answer := make(chan error, 1)
	r := s.send(b, func(err error) { answer <- err })
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
	}
	if r.state.CompareAndSwap(waiting, givenUp) {
		return canceled(ctx, "applying batch")
	}
	return <-answer // the committer has it, and the caller's slices with it
}

// ApplyAsync is Apply that does not wait.
func (s *space) ApplyAsync(b *blob.Batch, done func(error)) { s.send(b, done) }

func (s *space) send(b *blob.Batch, done func(error)) *request {
	r := &request{space: s, batch: b, done: done, start: s.db.opt.Now()}
	s.db.send(r)
	return r
}

func canceled(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return &blob.Error{Kind: blob.Canceled, Op: op, Err: err}
	}
	return nil
}
