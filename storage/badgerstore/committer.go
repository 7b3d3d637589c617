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

// committer takes what waits, evaluates it, and writes it to the log as groups. It is one goroutine, which ends when the
// queue is closed; the applier, which it ends then, does the rest of a group while the next is being written.
type committer struct {
	db      *DB
	queue   <-chan *request
	control <-chan func() // run between groups, with the applier at rest
	applier *applier
	mark    *markFile
	log     *journal
	room    room
	eval    evaluation
	seq     uint64 // of the last group
	sinceGo int    // groups since letGo

	syncTime time.Duration // of the last group
}

func (c *committer) run() {
	defer close(c.applier.jobs)
	for {
		select {
		case f := <-c.control:
			c.applier.rest()
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
	} else if d := min(c.syncTime/8, time.Millisecond); d >= worthWaiting {
		c.applier.rest()
		g.wait(d, c.applier.expect)
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
	if len(g.group) >= n {
		return
	}
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

// commit evaluates the requests in order, writes what they change as one group, and has the applier answer them.
func (c *committer) commit(group []*request) {
	j := &job{group: group, answers: make([]error, len(group)), ops: c.applier.buffer()}
	if c.eval.begin(c.db) {
		c.applier.rest() // what is not at hand is read, so it must be there
	}
	for i, r := range group {
		if !r.state.CompareAndSwap(waiting, taken) {
			group[i] = nil
			continue
		}
		j.ops, j.answers[i] = c.eval.batch(j.ops, r)
	}
	j.ops = c.eval.end(j.ops)
	if len(j.ops) > 0 {
		j.seq, j.err = c.write(j.ops)
	}
	c.eval.keep(j.err == nil)
	c.applier.jobs <- j
}

// write makes the operations durable as one group and returns its number.
func (c *committer) write(ops []byte) (uint64, error) {
	if err := c.applier.broken(); err != nil {
		return 0, err
	}
	if err := c.prepare(int64(len(ops))); err != nil {
		return 0, err
	}
	start := c.db.opt.Now()
	written, err := c.log.append(c.seq+1, ops)
	c.syncTime = c.db.opt.Now().Sub(start)
	if err != nil {
		if written {
			return 0, c.applier.breakDown(err)
		}
		return 0, fullOr(err)
	}
	c.seq++
	c.mark.mark.high = c.seq
	if err := c.mark.write(); err != nil {
		return 0, c.applier.breakDown(err)
	}
	if err := c.tidy(); err != nil {
		c.db.opt.Logger.Warn("tidying log", "err", err)
	}
	return c.seq, nil
}

// prepare makes sure that the group will meet no full disk.
func (c *committer) prepare(n int64) error {
	if err := c.room.forGroup(n, c.db.engine.merging); err != nil {
		return err
	}
	return fullOr(c.db.engine.mem.prepare())
}

// tidy notes which memory tables have which segments of the log, and gives up segments that are not needed any more.
func (c *committer) tidy() error {
	applied, mem := c.applier.progress()
	rotated := c.log.note(applied, mem)
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
