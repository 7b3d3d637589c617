package search

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"hearth/homeserver/store"
	"hearth/storage/blob"
)

// outcome is what a job in the background has done. The follower puts it into the manifest.
type outcome struct {
	err   error
	apply func(*manifest) // nil if there is nothing to say
	old   []uint64        // segments that are then not part of the index any more
}

// maxDead is at how many events whose entries are to be removed a sweep begins.
const maxDead = 128

// startJob begins what is to be done in the background, unless something is under way. It is the follower's, as are
// endJob and finish.
func (x *Index) startJob(ctx context.Context, sweep bool) {
	if x.failed = x.failed && !sweep; x.job || x.failed {
		return
	}
	m, _ := x.current()
	if due := m.due(); due != nil {
		m = m.clone()
		id := m.next
		m.next++
		x.install(m)
		x.spawn(ctx, func(ctx context.Context) *outcome { return x.merge(ctx, id, due, m.dead) })
		return
	}
	if !sweep && len(m.dead) < maxDead || len(m.segments) == 0 {
		return
	}
	x.spawn(ctx, func(ctx context.Context) *outcome { return x.sweep(ctx, m) })
}

func (x *Index) spawn(ctx context.Context, work func(context.Context) *outcome) {
	x.job = true
	x.running.Go(func() { x.jobs <- work(ctx) })
}

// endJob puts a job's outcome into the manifest, and then removes what it made superfluous.
func (x *Index) endJob(ctx context.Context, done *outcome) error {
	x.job = false
	if done.err != nil && ctx.Err() == nil {
		x.failed = true
		x.o.Log.Warn("tending the search index failed", "err", done.err)
	}
	if errors.Is(done.err, errMalformed) {
		return x.discard(ctx, done.err)
	}
	if done.apply != nil {
		m, _ := x.current()
		m = m.clone()
		done.apply(m)
		// What is in memory only is read again after a crash: the manifest on the disk may say so.
		if err := x.save(ctx, m); err != nil {
			return err
		}
		x.install(m)
	}
	if len(done.old) == 0 {
		x.startJob(ctx, false)
		return nil
	}
	x.spawn(ctx, func(ctx context.Context) *outcome { return &outcome{err: x.remove(ctx, done.old)} })
	return nil
}

// discard throws the index away, since it is damaged; the follower begins anew.
func (x *Index) discard(ctx context.Context, cause error) error {
	m, _ := x.current()
	if err := x.save(ctx, &manifest{next: m.next}); err != nil {
		return err
	}
	return fmt.Errorf("making the search index anew: %w", cause)
}

// finish waits for a job whose outcome does not matter any more.
func (x *Index) finish(ctx context.Context) error {
	if !x.job {
		return nil
	}
	select {
	case <-x.jobs:
		x.job = false
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// remove deletes segments that no search uses any more, once those have ended that began before.
func (x *Index) remove(ctx context.Context, ids []uint64) error {
	for range maxSearches {
		select {
		case x.slots <- struct{}{}:
			defer func() { <-x.slots }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, id := range ids {
		if err := x.deleteSegment(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// page is how many chunks are read or written at once in the background.
const page = 32

func (x *Index) deleteSegment(ctx context.Context, id uint64) error {
	r := &segmentReader{x: x, id: id}
	for {
		rows, err := r.page(ctx)
		if err != nil || len(rows) == 0 {
			return err
		}
		for i := range rows {
			rows[i].Value = nil
		}
		if err := x.write(ctx, rows); err != nil {
			return err
		}
	}
}

func (x *Index) write(ctx context.Context, rows []blob.Row) error {
	if _, err := x.store.Apply(ctx, func(tx *store.Tx) { setRows(tx, rows) }); err != nil {
		return fmt.Errorf("writing the search index: %w", err)
	}
	return nil
}

// tidy deletes segments that are not in the manifest: of jobs that did not end.
func (x *Index) tidy(ctx context.Context, m *manifest) error {
	var from []byte
	for {
		id, ok, err := x.segmentAfter(ctx, from)
		if err != nil || !ok {
			return err
		}
		if !slices.ContainsFunc(m.segments, func(s segment) bool { return s.id == id }) {
			if err := x.deleteSegment(ctx, id); err != nil {
				return err
			}
		}
		from = segmentStart(id + 1)
	}
}

// segmentAfter returns the first segment of which there are chunks from a key on.
func (x *Index) segmentAfter(ctx context.Context, from []byte) (id uint64, ok bool, err error) {
	for row, err := range x.store.Scan(ctx, blob.Range{Table: tablePostings, From: from, Limit: 1}) {
		if err == nil && len(row.Key) < 8 {
			err = errMalformed
		}
		if err != nil {
			return 0, false, fmt.Errorf("reading the search index: %w", err)
		}
		return beUint64(row.Key), true, nil
	}
	return 0, false, nil
}

// segmentReader reads all of a segment, page by page.
type segmentReader struct {
	x     *Index
	id    uint64
	after []byte
	rows  []blob.Row // the chunks behind the one that chunk reads
	chunk chunkReader
	drop  func(spot) bool
}

// page reads the next chunks, none at the end.
func (r *segmentReader) page(ctx context.Context) ([]blob.Row, error) {
	q := blob.Range{Table: tablePostings, From: segmentStart(r.id), To: segmentStart(r.id + 1), Limit: page}
	if r.after != nil {
		q.From = append(slices.Clone(r.after), 0)
	}
	var rows []blob.Row
	for row, err := range r.x.store.Scan(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("reading the search index: %w", err)
		}
		rows = append(rows, blob.Row{Table: tablePostings, Key: bytes.Clone(row.Key), Value: bytes.Clone(row.Value)})
	}
	if len(rows) > 0 {
		r.after = rows[len(rows)-1].Key
	}
	return rows, nil
}

// next returns the next entry that is not to be dropped; ok is false at the end.
func (r *segmentReader) next(ctx context.Context) (e entry, ok bool, err error) {
	for {
		e, ok, err = r.chunk.next()
		if err != nil || ok && !r.drop(e.spot) {
			return e, ok, err
		}
		if ok {
			continue
		}
		if len(r.rows) == 0 {
			if r.rows, err = r.page(ctx); err != nil || len(r.rows) == 0 {
				return entry{}, false, err
			}
		}
		r.chunk = chunkReader{data: r.rows[0].Value}
		r.rows = r.rows[1:]
	}
}
