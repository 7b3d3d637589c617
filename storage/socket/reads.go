package socket

import (
	"context"
	"math"

	"hearth/storage/blob"
)

// Get implements blob.Getter.
func (c *Client) Get(ctx context.Context, hashes ...blob.Hash) ([][]byte, error) {
	if len(hashes) > blob.MaxMulti {
		return nil, blob.Errorf(blob.TooLarge, "reading blobs", "%d addresses, at most %d", len(hashes), blob.MaxMulti)
	}
	cl := c.pool.Get().(*call)
	cl.typ, cl.hashes = typeGet, hashes
	return c.multi(ctx, cl, len(hashes))
}

// Rows implements blob.Tables.
func (c *Client) Rows(ctx context.Context, keys ...blob.RowKey) ([][]byte, error) {
	if err := blob.CheckRows(keys); err != nil {
		return nil, err
	}
	cl := c.pool.Get().(*call)
	cl.typ, cl.keys = typeRows, keys
	return c.multi(ctx, cl, len(keys))
}

// multi does a Get or Rows of n items.
func (c *Client) multi(ctx context.Context, cl *call, n int) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, canceled(cl.op(), err)
	}
	cl.values = make([][]byte, n)
	if n == 0 {
		return cl.values, nil
	}
	if isLong(cl.typ, n) {
		if err := c.long.Acquire(ctx, 1); err != nil {
			return nil, canceled(cl.op(), err)
		}
	}
	if err := c.do(ctx, cl); err != nil {
		return nil, err
	}
	values := cl.values
	*cl = call{ready: cl.ready}
	c.pool.Put(cl)
	return values, nil
}

// ask does a request of which the whole answer is collected.
func (c *Client) ask(ctx context.Context, typ byte, body []byte) ([]byte, error) {
	cl := &call{typ: typ, body: body, ready: make(chan struct{}, 1)}
	if err := ctx.Err(); err != nil {
		return nil, canceled(cl.op(), err)
	}
	if isLong(typ, 0) {
		if err := c.long.Acquire(ctx, 1); err != nil {
			return nil, canceled(cl.op(), err)
		}
	}
	if err := c.do(ctx, cl); err != nil {
		return nil, err
	}
	return cl.raw, nil
}

// Root implements blob.Roots.
func (c *Client) Root(ctx context.Context, name string) (blob.Commit, bool, error) {
	if err := blob.CheckRootName(name); err != nil {
		return blob.Commit{}, false, err
	}
	p, err := c.ask(ctx, typeRoot, appendStr8(nil, name))
	if err != nil || len(p) == 0 {
		return blob.Commit{}, false, err
	}
	cur := cursor{b: p}
	commit := parseCommit(&cur)
	if !cur.end() {
		return blob.Commit{}, false, badAnswer(typeRoot)
	}
	return commit, true, nil
}

// History implements blob.Roots.
func (c *Client) History(ctx context.Context, name string, limit int) ([]blob.Commit, error) {
	if err := blob.CheckRootName(name); err != nil {
		return nil, err
	}
	if limit < 0 {
		return nil, blob.Errorf(blob.Invalid, "reading history", "negative limit %d", limit)
	}
	p, err := c.ask(ctx, typeHistory, appendHistory(nil, name, min(limit, math.MaxInt32)))
	if err != nil {
		return nil, err
	}
	list, ok := parseCommits(p)
	if !ok {
		return nil, badAnswer(typeHistory)
	}
	return list, nil
}

// RootNames implements blob.Roots.
func (c *Client) RootNames(ctx context.Context, prefix string) ([]string, error) {
	if len(prefix) > blob.MaxName {
		return nil, nil
	}
	p, err := c.ask(ctx, typeRootNames, appendStr8(nil, prefix))
	if err != nil {
		return nil, err
	}
	list, ok := parseNames(p)
	if !ok {
		return nil, badAnswer(typeRootNames)
	}
	return list, nil
}

// Stats implements blob.Inspector.
func (c *Client) Stats(ctx context.Context) (blob.Stats, error) {
	p, err := c.ask(ctx, typeStats, nil)
	if err != nil {
		return blob.Stats{}, err
	}
	s, ok := parseStats(p)
	if !ok {
		return s, badAnswer(typeStats)
	}
	return s, nil
}

func badAnswer(typ byte) error {
	return &blob.Error{Kind: blob.Internal, Op: (&call{typ: typ}).op(), Err: errFrame}
}
