package socket

import (
	"context"

	"hearth/storage/blob"
)

// job is a batch under way at the server. Its memory is used again.
type job struct {
	*session
	id     uint32
	weight int64
	buf    []byte // what the batch aliases
	batch  blob.Batch
	done   func(error) // answer, made once
}

// enqueue reads a batch once there is room for it.
func (r *reader) enqueue(h header) error {
	weight := batchWeight(h.size)
	if !r.window.TryAcquire(weight) {
		r.out.flush(false)
		if err := r.window.Acquire(r.ctx, weight); err != nil {
			return err
		}
	}
	j := r.srv.jobs.Get().(*job)
	j.session, j.id, j.weight = r.session, h.id, weight
	if cap(j.buf) < h.size {
		j.buf = make([]byte, max(h.size, 2<<10))
	}
	j.buf = j.buf[:h.size]
	err := r.in.read(j.buf)
	if err == nil && !parseBatch(j.buf, &j.batch, r.names) {
		err = malformed(h)
	}
	if err != nil {
		r.window.Release(weight)
		return err
	}
	r.queue <- j // has room for all that the window lets in
	return nil
}

// applyQueue hands batches to the store in their order, until the session ends.
func (s *session) applyQueue() {
	async, _ := s.store.(blob.AsyncApplier)
	for j := range s.queue {
		switch {
		case s.ctx.Err() != nil:
			s.window.Release(j.weight) // the client will send it again
		case async != nil:
			if j.done == nil {
				j.done = j.answer
			}
			async.ApplyAsync(&j.batch, j.done)
		default:
			j.answer(s.store.Apply(context.WithoutCancel(s.ctx), &j.batch))
		}
	}
}

// answer is called with the store's answer, from a goroutine of the store that it must not hold up.
func (j *job) answer(err error) {
	s, weight := j.session, j.weight
	if err != nil {
		s.answerError(j.id, err)
	} else {
		b, at := beginFrame(s.out.lock(), typeDone, j.id)
		s.out.unlock(endFrame(b, at))
	}
	j.session = nil
	if cap(j.buf) <= keepBuffer {
		s.srv.jobs.Put(j)
	}
	s.out.flushSoon()
	s.window.Release(weight)
}
