package socket

import (
	"context"
	"encoding/binary"
	"sync/atomic"

	"hearth/storage/blob"
)

const (
	manyFirst = 16      // blobs that a large Get reads first
	manyBytes = 4 << 20 // it reads so many at once that they would be about this much at the largest size yet
)

// long is a long request: a goroutine works on it and can be cancelled.
type long struct {
	*session
	id     uint32
	ctx    context.Context
	cancel context.CancelFunc
	credit atomic.Int64
	wake   chan struct{} // credit was given

	part []byte // payload that grows until it is worth a frame
}

// launch starts a long request. It fails only with what ends the connection.
func (s *session) launch(id uint32, work func(*long) error) error {
	l := &long{session: s, id: id, wake: make(chan struct{}, 1)}
	l.credit.Store(initialCredit)
	l.ctx, l.cancel = context.WithCancel(s.ctx)
	s.mu.Lock()
	_, twice := s.long[id]
	full, ending := len(s.long) >= maxLong, s.ending
	if !twice && !full && !ending {
		s.long[id] = l
		s.wg.Add(1)
	}
	s.mu.Unlock()
	switch {
	case twice:
		l.cancel()
		return malformed(header{typ: typeCancel, id: id})
	case full:
		l.cancel()
		s.answerError(id, blob.Errorf(blob.TooLarge, "starting request", "%d long requests are under way", maxLong))
		return nil
	case ending:
		l.cancel()
		return nil
	}
	go l.run(work)
	return nil
}

func (l *long) run(work func(*long) error) {
	defer l.wg.Done()
	err := work(l)
	l.cancel()
	l.mu.Lock()
	delete(l.long, l.id)
	l.mu.Unlock()
	if err != nil {
		if l.session.ctx.Err() != nil {
			return // the connection ends; it is not the request that failed
		}
		l.answerError(l.id, err)
	}
	l.out.flush(false)
}

func (s *session) cancelLong(id uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.long[id]; l != nil {
		l.cancel()
	}
}

// giveCredit adds to what a scan may send. It may come after the scan's end.
func (s *session) giveCredit(h header, p []byte) error {
	c := cursor{b: p}
	n := c.u32()
	if !c.end() {
		return malformed(h)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.long[h.id]; l != nil {
		if l.credit.Add(int64(n)) > initialCredit {
			l.credit.Store(initialCredit)
		}
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

func (s *session) startLong(h header, p []byte) error {
	work, ok := longWork(h.typ, p)
	if !ok {
		return malformed(h)
	}
	return s.launch(h.id, work)
}

// longWork reads the payload of a long request, which it does not keep.
func longWork(typ byte, p []byte) (work func(*long) error, ok bool) {
	switch typ {
	case typeScan:
		r, ok := parseScan(append([]byte(nil), p...))
		return func(l *long) error { return l.scan(r) }, ok
	case typeHistory:
		name, limit, ok := parseHistory(p)
		return func(l *long) error { return l.history(name, limit) }, ok
	case typeRootNames:
		c := cursor{b: p}
		prefix := string(c.str8())
		return func(l *long) error { return l.rootNames(prefix) }, c.end()
	case typeVerify:
		return (*long).verify, len(p) == 0
	default:
		return (*long).stats, len(p) == 0
	}
}

// send sends what has grown in part, unless the request was cancelled.
func (l *long) send(typ byte) error {
	if err := l.out.wait(maxPending); err != nil {
		return err
	}
	if err := l.ctx.Err(); err != nil {
		return canceled("sending", err)
	}
	b, at := beginFrame(l.out.lock(), typ, l.id)
	l.out.unlock(endFrame(append(b, l.part...), at))
	if typ == typeMore {
		l.out.flush(false)
	}
	l.part = l.part[:0]
	return nil
}

// sendFull sends part if it is large enough.
func (l *long) sendFull() error {
	if len(l.part) < partSize {
		return nil
	}
	return l.send(typeMore)
}

// sendCredited is send under the client's credit.
func (l *long) sendCredited(typ byte) error {
	for l.credit.Load() <= 0 {
		select {
		case <-l.wake:
		case <-l.ctx.Done():
			return canceled("sending", l.ctx.Err())
		}
	}
	l.credit.Add(-int64(len(l.part)))
	return l.send(typ)
}

func (l *long) scan(r blob.Range) error {
	for row, err := range l.store.Scan(l.ctx, r) {
		if err != nil {
			return err
		}
		if len(l.part) > 0 && len(l.part)+len(row.Key)+len(row.Value) > partSize {
			if err := l.sendCredited(typeMore); err != nil {
				return err
			}
		}
		l.part = appendRow(l.part, &row)
	}
	return l.sendCredited(typeDone)
}

func (l *long) verify() error {
	var fail error
	v, err := l.store.Verify(l.ctx, func(d blob.Damage) {
		l.part = appendDamage(l.part, &d)
		if len(l.part) >= partSize && fail == nil {
			if fail = l.sendCredited(typeMore); fail != nil {
				l.cancel()
			}
		}
	})
	if fail != nil {
		err = fail
	}
	if err == nil && len(l.part) > 0 {
		err = l.sendCredited(typeMore)
	}
	if err != nil {
		return err
	}
	l.part = appendVerified(l.part, &v)
	return l.send(typeDone)
}

func (l *long) history(name string, limit int) error {
	commits, err := l.store.History(l.ctx, name, limit)
	if err != nil {
		return err
	}
	for i := range commits {
		l.part = appendCommit(l.part, &commits[i])
		if err := l.sendFull(); err != nil {
			return err
		}
	}
	return l.send(typeDone)
}

func (l *long) rootNames(prefix string) error {
	list, err := l.store.RootNames(l.ctx, prefix)
	if err != nil {
		return err
	}
	for _, name := range list {
		l.part = appendStr8(l.part, name)
		if err := l.sendFull(); err != nil {
			return err
		}
	}
	return l.send(typeDone)
}

func (l *long) stats() error {
	s, err := l.store.Stats(l.ctx)
	if err != nil {
		return err
	}
	l.part = appendStats(l.part, &s)
	return l.send(typeDone)
}

func (l *long) rowsMany(keys []blob.RowKey) error {
	values, err := l.store.Rows(l.ctx, keys...)
	return l.answerValues(l.id, values, err)
}

// getMany reads blobs by and by, so that it holds a few megabytes only.
func (l *long) getMany(hashes []blob.Hash) error {
	step, largest := manyFirst, 1
	for len(hashes) > 0 {
		n := min(step, len(hashes))
		values, err := l.store.Get(l.ctx, hashes[:n]...)
		if err != nil {
			return err
		}
		hashes = hashes[n:]
		for _, v := range values {
			l.part = appendOpt32(l.part, v)
			largest = max(largest, len(v))
			if err := l.sendFull(); err != nil {
				return err
			}
		}
		step = max(1, min(2*step, manyBytes/largest))
	}
	return l.send(typeDone)
}

// canceled is the error of what was given up.
func canceled(op string, err error) error {
	return &blob.Error{Kind: blob.Canceled, Op: op, Err: err}
}

// appendCredit appends a Credit frame.
func appendCredit(b []byte, id uint32, n int) []byte {
	b, at := beginFrame(b, typeCredit, id)
	return endFrame(binary.BigEndian.AppendUint32(b, uint32(n)), at)
}
