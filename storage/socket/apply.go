package socket

import (
	"context"

	"hearth/storage/blob"
)

// Apply implements blob.Applier. Of two calls, the one that begins when the other has returned is applied later.
func (c *Client) Apply(ctx context.Context, b *blob.Batch) error {
	if err := ctx.Err(); err != nil {
		return canceled("applying batch", err)
	}
	cl := &call{typ: typeApply, batch: b, ready: make(chan struct{}, 1)}
	if err := c.admit(ctx, cl); err != nil {
		return err
	}
	return c.do(ctx, cl)
}

// ApplyAsync implements blob.AsyncApplier: the order of calls is the order in which the batches are applied. done is
// called from the goroutine that receives answers, which it must not hold up; or before ApplyAsync returns, if the
// batch is refused at once. ApplyAsync waits while blob.ResendWindow batches or 16 MiB of them are unanswered.
func (c *Client) ApplyAsync(b *blob.Batch, done func(error)) {
	cl := &call{typ: typeApply, batch: b, done: done}
	err := c.admit(context.Background(), cl)
	if err == nil {
		err = c.start(cl)
	}
	if err != nil {
		done(err)
	}
}

// admit checks a batch and waits for its place in the window.
func (c *Client) admit(ctx context.Context, cl *call) error {
	if err := cl.batch.Check(); err != nil {
		return err
	}
	cl.weight = batchWeight(cl.batch.Size())
	if err := c.window.Acquire(ctx, cl.weight); err != nil {
		return canceled(cl.op(), err)
	}
	return nil
}
