package badgerstore

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"hearth/storage/blob"
)

const (
	queueLength = 512     // batches that wait
	groupLength = 1024    // batches in a group
	groupBytes  = 1 << 20 // a group is closed once its operations exceed this

	worthWaiting = 100 * time.Microsecond // a timer is not exact below
)

// committer takes what waits, and writes it as groups. It is one goroutine, which ends when the queue is closed.
type committer struct {
	db      *DB
	queue   <-chan *request
	control <-chan func() // run between groups
	mark    *markFile
	log     *journal
	room    room
	ops     []byte // of the group under way
	eval    evaluation
	seq     uint64 // of the last group
	sinceGo int    // groups since letGo

	syncTime time.Duration // of the last group
	expect   int           // batches that are under way as far as known: answered with the last group, or waiting then
	broken   error         // why nothing can be written any more
}

func (c *committer) run() {
	for {
		select {
		case f := <-c.control:
			f()
		case r, ok := <-c.queue:
			if !ok {
				return
			}
			c.commit(c.collect(r))
		}
	}
}

// collect returns the group that begins with r: what waits now, and what comes within the group delay, or in the short
// time that it takes those who were just answered to come back.
func (c *committer) collect(r *request) []*request {
	g := collecting{queue: c.queue}
	g.add(r)
	for g.wants() && g.takeWaiting() {
	}
	if d := c.db.opt.GroupDelay; d > 0 {
		g.wait(d, groupLength)
	} else if d := min(c.syncTime/16, time.Millisecond); d >= worthWaiting && len(g.group) < c.expect {
		g.wait(d, c.expect)
	}
	return g.group
}

// collecting is a group in the making.
type collecting struct {
	queue  <-chan *request
	group  []*request
	size   int
	closed bool
}

func (g *collecting) add(r *request) {
	g.group = append(g.group, r)
	g.size += r.batch.Size()
}

func (g *collecting) wants() bool {
	return g.size < groupBytes && len(g.group) < groupLength && !g.closed
}

// takeWaiting adds a batch that waits, if one does.
func (g *collecting) takeWaiting() bool {
	select {
	case r, ok := <-g.queue:
		if ok {
			g.add(r)
		}
		g.closed = !ok
		return ok
	default:
		return false
	}
}

// wait adds batches until there are n, or d is over.
func (g *collecting) wait(d time.Duration, n int) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for g.wants() && len(g.group) < n {
		select {
		case r, ok := <-g.queue:
			if ok {
				g.add(r)
			}
			g.closed = !ok
		case <-timer.C:
			return
		}
	}
}

// commit evaluates the requests in order, writes what they change as one group, and answers them.
func (c *committer) commit(group []*request) {
	if c.broken != nil {
		c.answer(group, nil, c.broken)
		return
	}
	c.ops = c.ops[:0]
	c.eval.begin(c.db)
	answers := make([]error, len(group))
	for i, r := range group {
		if !r.state.CompareAndSwap(waiting, taken) {
			group[i] = nil
			continue
		}
		c.ops, answers[i] = c.eval.batch(c.ops, r)
	}
	c.ops = c.eval.end(c.ops)
	var err error
	if len(c.ops) > 0 {
		err = c.write(c.ops)
	}
	if err != nil {
		c.eval.forget()
	}
	c.answer(group, answers, err)
	if cap(c.ops) > 2*groupBytes {
		c.ops = nil
	}
}

func (c *committer) answer(group []*request, answers []error, err error) {
	now := c.db.opt.Now()
	c.expect = len(group) + len(c.queue)
	for i, r := range group {
		switch {
		case r == nil:
			continue
		case err != nil:
			r.done(err)
		case answers[i] != nil:
			r.done(answers[i])
		default:
			r.space.batches.Add(1)
			r.space.bytes.Add(uint64(r.batch.Size()))
			c.db.latency.add(now.Sub(r.start))
			r.done(nil)
		}
	}
}

// write makes the operations durable as one group and lets reads see them.
func (c *committer) write(ops []byte) error {
	if err := c.prepare(int64(len(ops))); err != nil {
		return err
	}
	seq := c.seq + 1
	start := c.db.opt.Now()
	written, err := c.log.append(seq, ops)
	c.syncTime = c.db.opt.Now().Sub(start)
	if err != nil {
		if written {
			return c.breakDown(err)
		}
		return fullOr(err)
	}
	c.seq = seq
	c.mark.mark.high = seq
	if err := c.mark.write(); err != nil {
		return c.breakDown(err)
	}
	if err := c.db.engine.apply(seq, ops); err != nil {
		return c.breakDown(err)
	}
	c.db.engine.visible.Store(seq)
	c.db.groups.Add(1)
	if err := c.tidy(); err != nil {
		c.db.opt.Logger.Warn("tidying log", "err", err)
	}
	return nil
}

// prepare makes sure that the group will meet no full disk.
func (c *committer) prepare(n int64) error {
	if err := c.room.forGroup(n, c.db.engine.merging); err != nil {
		return err
	}
	return fullOr(c.db.engine.mem.prepare())
}

// breakDown stops all writes until the store is opened again, which then reads the log: what is on the disk is not
// known, or Badger does not have it.
func (c *committer) breakDown(err error) error {
	c.broken = &blob.Error{Kind: blob.Unavailable, Op: "writing group", Err: err}
	return c.broken
}

// tidy notes which memory table has the last group, and gives up segments of the log that are not needed any more.
func (c *committer) tidy() error {
	mem := &c.db.engine.mem
	last := c.log.segments[len(c.log.segments)-1]
	rotated := last.mem != mem.current
	last.mem = mem.current
	c.sinceGo++
	if rotated || c.sinceGo >= 256 {
		c.sinceGo = 0
		c.db.engine.letGo()
		return c.giveUp()
	}
	return nil
}

func (c *committer) giveUp() error {
	c.room.tables, c.room.files = 0, 0
	for _, t := range c.db.engine.tables() {
		c.room.files++
		c.room.tables += int64(t.OnDiskSize)
	}
	n := c.log.old(c.db.engine.mem.gone)
	if n == 0 {
		return nil
	}
	if err := syncFolder(c.db.engine.dir); err != nil {
		return err
	}
	keep := c.log.segments[n]
	c.mark.mark.segment, c.mark.mark.base = keep.number, c.log.segments[n-1].last+1
	if err := c.mark.writeThrough(); err != nil {
		return err
	}
	c.log.giveUp(n)
	return nil
}

// fullOr gives an error the kind Full if the disk is, and Internal otherwise.
func fullOr(err error) error {
	if err == nil {
		return nil
	}
	for _, full := range []error{unix.ENOSPC, unix.EDQUOT, unix.EFBIG} {
		if errors.Is(err, full) {
			return &blob.Error{Kind: blob.Full, Op: "writing group", Err: err}
		}
	}
	return &blob.Error{Kind: blob.Internal, Op: "writing group", Err: fmt.Errorf("nothing was changed: %w", err)}
}
