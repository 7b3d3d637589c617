package badgerstore

import (
	"sync/atomic"

	"hearth/storage/blob"
)

// job is a group on its way from the committer to the applier.
type job struct {
	group   []*request // nil where the caller gave up
	answers []error    // one for each request
	seq     uint64     // 0 if there is nothing to apply
	ops     []byte
	err     error         // why the group was not written; the answer to all
	rest    chan struct{} // if not nil, closed when everything before is done; the job is nothing else
}

// applier gives Badger the groups that are durable, lets reads see them, and answers them. It is one goroutine, which
// ends when jobs is closed.
type applier struct {
	db     *DB
	jobs   chan *job   // not buffered, so that one group at most is not applied yet while the next is evaluated
	free   chan []byte // buffers that were used
	expect int         // batches under way when the last group was answered, itself included; read at rest

	seq  atomic.Uint64              // of the last group that was applied
	mem  atomic.Int64               // the memory table that it, or a later one, went to
	down atomic.Pointer[blob.Error] // why nothing can be written any more
}

func newApplier(db *DB) *applier {
	return &applier{db: db, jobs: make(chan *job), free: make(chan []byte, 2)}
}

func (a *applier) run() {
	for j := range a.jobs {
		if j.rest != nil {
			close(j.rest)
			continue
		}
		if j.err == nil && j.seq > 0 {
			j.err = a.apply(j.seq, j.ops)
		}
		a.answer(j)
		if cap(j.ops) <= 2*groupBytes {
			select {
			case a.free <- j.ops[:0]:
			default:
			}
		}
	}
}

// rest waits until everything that was handed over is done.
func (a *applier) rest() {
	j := &job{rest: make(chan struct{})}
	a.jobs <- j
	<-j.rest
}

// buffer returns memory for the operations of a group.
func (a *applier) buffer() []byte {
	select {
	case b := <-a.free:
		return b
	default:
		return nil
	}
}

func (a *applier) apply(seq uint64, ops []byte) error {
	if err := a.broken(); err != nil {
		return err
	}
	e := a.db.engine
	if err := e.apply(seq, ops); err != nil {
		return a.breakDown(err)
	}
	e.visible.Store(seq)
	a.mem.Store(int64(e.mem.number()))
	a.seq.Store(seq)
	a.db.groups.Add(1)
	return nil
}

// progress returns the last group that was applied, and a memory table that is not older than its.
func (a *applier) progress() (seq uint64, mem int) {
	seq = a.seq.Load()
	return seq, int(a.mem.Load())
}

func (a *applier) answer(j *job) {
	now := a.db.opt.Now()
	a.expect = int(a.db.underWay.Load())
	a.db.underWay.Add(-int64(len(j.group)))
	for i, r := range j.group {
		switch {
		case r == nil:
		case j.err != nil:
			r.done(j.err)
		case j.answers[i] != nil:
			r.done(j.answers[i])
		default:
			r.space.batches.Add(1)
			r.space.bytes.Add(uint64(r.batch.Size()))
			a.db.latency.add(now.Sub(r.start))
			r.done(nil)
		}
	}
}

// breakDown stops all writes until the store is opened again, which then reads the log: what is on the disk is not
// known, or Badger does not have it.
func (a *applier) breakDown(err error) error {
	a.down.CompareAndSwap(nil, &blob.Error{Kind: blob.Unavailable, Op: "writing group", Err: err})
	return a.down.Load()
}

// broken returns the error of breakDown, or nil.
func (a *applier) broken() error {
	if err := a.down.Load(); err != nil {
		return err
	}
	return nil
}
