package badgerstore

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"hearth/storage/blob"
)

// DB is an open store. Its methods and those of its namespaces may be called by many goroutines at once.
type DB struct {
	dir     string
	opt     Options
	lock    *os.File
	engine  *engine
	guard   *guard
	damaged []blob.Damage // found by Open and not needed
	written uint64        // what the process had written to the disk before Open

	committer *committer // run by its goroutine
	queue     chan *request
	control   chan func()
	stop      context.CancelFunc // ends the scrub and the watch over pages
	running   sync.WaitGroup     // these two, the committer and the applier, ended by Close

	sendMu sync.RWMutex // held shared to send, exclusively to close the queue
	closed bool         // guarded by sendMu

	spacesMu sync.Mutex // guards spaces
	spaces   map[string]*space

	underWay atomic.Int64 // batches that were sent and not answered
	groups   atomic.Uint64
	latency  latencies
}

// Namespace returns the part of the store under a name; it comes into being when something is written. The store that
// it returns is a blob.AsyncApplier too.
func (d *DB) Namespace(name string) (blob.Store, error) {
	if err := blob.CheckNamespace(name); err != nil {
		return nil, err
	}
	d.spacesMu.Lock()
	defer d.spacesMu.Unlock()
	s := d.spaces[name]
	if s == nil {
		s = &space{db: d, name: name}
		d.spaces[name] = s
	}
	return s, nil
}

// send hands a request to the committer, and waits while the queue is full.
func (d *DB) send(r *request) {
	d.sendMu.RLock()
	defer d.sendMu.RUnlock()
	if d.closed {
		go r.done(errClosed())
		return
	}
	d.underWay.Add(1)
	d.queue <- r
}

func errClosed() error { return blob.Errorf(blob.Unavailable, "using store", "it is closed") }

// Close finishes what waits, writes everything into tables and closes the store. If the disk has no room for that, it
// fails with kind Full; nothing is lost, and the next Open recovers from the log.
func (d *DB) Close() error {
	d.sendMu.Lock()
	if d.closed {
		d.sendMu.Unlock()
		return nil
	}
	d.closed = true
	d.stop()
	close(d.queue)
	d.sendMu.Unlock()
	d.running.Wait()
	return d.finish()
}

func (d *DB) finish() error {
	c := d.committer
	if err := c.room.forOpen("closing store", 3*d.opt.MemTable); err != nil {
		return err // Badger stays as it is, and so does the lock
	}
	err := d.engine.close()
	if err == nil && c.applier.broken() == nil {
		err = d.markClean()
	}
	c.log.close()
	return errors.Join(err, c.mark.f.Close(), d.lock.Close())
}

// markClean notes that the tables hold everything, and removes the log.
func (d *DB) markClean() error {
	c := d.committer
	list, err := os.ReadFile(filepath.Join(d.engine.dir, "MANIFEST"))
	if err != nil {
		return fmt.Errorf("closing store: %w", err)
	}
	if err := syncFolder(d.engine.dir); err != nil {
		return err
	}
	m := &c.mark.mark
	m.segment = c.log.first
	if n := len(c.log.segments); n > 0 {
		m.segment = c.log.segments[n-1].number + 1
	}
	m.base, m.clean = m.high+1, true
	m.size, m.sum = uint64(len(list)), crc32.Checksum(list, castagnoli())
	for range 2 { // both slots, so that each says it
		if err := c.mark.writeThrough(); err != nil {
			return err
		}
	}
	numbers, err := logFiles(d.dir)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if err := os.Remove(segmentPath(d.dir, n)); err != nil {
			return fmt.Errorf("closing store: %w", err)
		}
	}
	return nil
}

// scrub checks the tables that Open did not, and lets Badger merge tables if all are sound.
func (d *DB) scrub(ctx context.Context) {
	if d.guard.checkAll(ctx) != nil {
		return
	}
	for _, g := range d.guard.damage() {
		d.opt.Logger.Error("store is damaged", "file", g.Name, "detail", g.Detail)
	}
	if !d.guard.clean() {
		return
	}
	const again = time.Minute
	for {
		done := make(chan bool, 1)
		select {
		case d.control <- func() { done <- d.startMerging() }:
		case <-ctx.Done():
			return
		}
		if <-done {
			return
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return
		}
	}
}

// startMerging is run by the committer. It reports whether it is done: not while the disk has no room for it.
func (d *DB) startMerging() bool {
	c := d.committer
	if err := c.room.forGroup(3*d.opt.MemTable, true); err != nil {
		return false
	}
	if err := d.engine.startMerging(); err != nil {
		_ = c.applier.breakDown(err)
		return true
	}
	for _, s := range c.log.segments {
		s.mem = 0 // what it holds was written as tables
	}
	c.applier.mem.Store(int64(d.engine.mem.number()))
	return true
}

// forgetSessions removes sessions of which nothing was heard for long, by the clock and by the count of groups: a clock
// alone may jump.
func (d *DB) forgetSessions() error {
	const groups = 4096
	c := d.committer
	day := d.opt.Now().Add(-d.opt.SessionLife).Unix() / 86400
	var ops []byte
	err := d.eachEntry(context.Background(), []byte{kindSession}, []byte{kindSession + 1}, func(e entry) error {
		s, err := readSession(e.data)
		if err != nil {
			return corrupt(e.key, err)
		}
		if s.day < day && e.version+groups < c.seq {
			ops = appendOp(ops, e.key, nil)
		}
		return nil
	})
	if err != nil || len(ops) == 0 {
		return err
	}
	seq, err := c.write(ops)
	if err != nil {
		return err
	}
	return c.applier.apply(seq, ops)
}
