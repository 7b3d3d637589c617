package search

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"hearth/storage/blob"
)

// cursor walks through the places of one term in one part of the index, in order.
type cursor interface {
	// seek goes on to the first posting at or after a spot; ok is false if there is none.
	seek(ctx context.Context, to spot) (p posting, ok bool, err error)
}

// listCursor walks through postings in memory.
type listCursor struct{ list []posting }

func (c *listCursor) seek(_ context.Context, to spot) (posting, bool, error) {
	at, _ := slices.BinarySearchFunc(c.list, to, func(p posting, to spot) int { return p.compare(to) })
	c.list = c.list[at:]
	if len(c.list) == 0 {
		return posting{}, false, nil
	}
	return c.list[0], true, nil
}

// work is what a search may still do.
type work struct {
	entries int // to be read
	spent   bool
}

func (w *work) spend(n int) bool {
	w.entries -= n
	w.spent = w.spent || w.entries < 0
	return !w.spent
}

// far is from how many positions on it is worth a try to leap.
const far = 1000

// maxRows is how many chunks a cursor holds at most.
const maxRows = 16

// segmentCursor walks through the chunks of a segment. It reads a few at once, first one and then more, and leaps over
// those that it does not need.
type segmentCursor struct {
	x      *Index
	id     uint64
	term   string
	prefix bool // all terms that begin with term
	work   *work

	rows   []blob.Row // rows[0] is what reader reads
	reader chunkReader
	after  []byte // the last chunk that was read, nil if none was
	batch  int
	now    entry
	have   bool // now is a place of the term
	ended  bool
}

func (c *segmentCursor) seek(ctx context.Context, to spot) (posting, bool, error) {
	if len(c.rows) > 1 && (!c.have || to.room != c.now.room || to.pos > c.now.pos+far) {
		c.leap(to)
	}
	for !c.ended && (!c.have || c.now.compareSpot(to) < 0) {
		if err := c.forward(ctx, to); err != nil {
			return posting{}, false, err
		}
	}
	return posting{c.now.spot, c.now.level}, !c.ended, nil
}

// compareSpot compares where entries are, whatever their terms.
func (e *entry) compareSpot(o spot) int { return e.spot.compare(o) }

// forward goes on by one entry, or leaps to where the spot may be.
func (c *segmentCursor) forward(ctx context.Context, to spot) error {
	if len(c.rows) == 0 {
		if err := c.load(ctx, to); err != nil || c.ended {
			return err
		}
	}
	e, ok, err := c.reader.next()
	if err != nil {
		return err
	}
	if !ok {
		c.drop(1)
		return nil
	}
	if !c.work.spend(1) {
		c.ended = true
		return nil
	}
	switch {
	case e.term == c.term || c.prefix && strings.HasPrefix(e.term, c.term):
		c.now, c.have = e, true
	case e.term > c.term:
		c.ended = true
	}
	return nil
}

// leap drops the chunks in memory that end before a spot.
func (c *segmentCursor) leap(to spot) {
	if c.prefix {
		return
	}
	key := chunkKey(c.id, c.term, to)
	n := 0
	for n+1 < len(c.rows) && bytes.Compare(c.rows[n+1].Key, key) <= 0 {
		n++
	}
	c.drop(n)
}

// drop goes on to a later chunk.
func (c *segmentCursor) drop(n int) {
	if n == 0 {
		return
	}
	c.after = c.rows[n-1].Key
	c.rows = c.rows[n:]
	c.reader = chunkReader{}
	if len(c.rows) > 0 {
		c.reader.data = c.rows[0].Value
	}
}

// load reads the chunk in which a spot may be, and some behind it.
func (c *segmentCursor) load(ctx context.Context, to spot) error {
	if c.prefix {
		to = spot{}
	}
	r := blob.Range{Table: tablePostings, From: segmentStart(c.id), To: segmentStart(c.id + 1)}
	if c.after != nil {
		r.From = append(slices.Clone(c.after), 0)
	}
	if c.after == nil || !c.prefix {
		from, err := c.x.chunkBefore(ctx, r.From, chunkKey(c.id, c.term, to))
		if err != nil {
			return err
		}
		r.From = from
	}
	c.batch = min(4*c.batch+1, maxRows)
	r.Limit = c.batch
	for row, err := range c.x.store.Scan(ctx, r) {
		if err != nil {
			return fmt.Errorf("reading the search index: %w", err)
		}
		c.rows = append(c.rows, blob.Row{Key: bytes.Clone(row.Key), Value: bytes.Clone(row.Value)})
	}
	if c.ended = len(c.rows) == 0; !c.ended {
		c.reader = chunkReader{data: c.rows[0].Value}
	}
	return nil
}

func segmentStart(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

// chunkBefore returns the key of the last chunk between from and to, both included, from if there is none.
func (x *Index) chunkBefore(ctx context.Context, from, to []byte) ([]byte, error) {
	r := blob.Range{Table: tablePostings, From: from, To: append(to, 0), Reverse: true, Limit: 1}
	if bytes.Compare(r.From, r.To) >= 0 {
		return from, nil
	}
	for row, err := range x.store.Scan(ctx, r) {
		if err != nil {
			return nil, fmt.Errorf("reading the search index: %w", err)
		}
		return bytes.Clone(row.Key), nil
	}
	return from, nil
}

// maxLetter bounds the places of a single letter of a dense script that are looked at in one segment.
const maxLetter = 50_000

// cursorOf returns the cursor of a term in a segment.
func (x *Index) cursorOf(ctx context.Context, s segment, t term, w *work) (cursor, error) {
	c := &segmentCursor{x: x, id: s.id, term: t.text, prefix: t.prefix, work: w}
	if !t.prefix {
		return c, nil
	}
	var list []posting // of several terms: not in order
	for len(list) < maxLetter {
		p, ok, err := c.next(ctx)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		list = append(list, p)
	}
	return &listCursor{inOrder(list)}, nil
}

// next goes on by one place, whatever its order.
func (c *segmentCursor) next(ctx context.Context) (posting, bool, error) {
	for c.have = false; !c.have && !c.ended; {
		if err := c.forward(ctx, spot{}); err != nil {
			return posting{}, false, err
		}
	}
	return posting{c.now.spot, c.now.level}, !c.ended, nil
}
