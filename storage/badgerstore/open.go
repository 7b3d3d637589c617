package badgerstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hearth/storage/blob"
)

// Open opens the store in dir, or makes one. It fails with kind Corrupt, naming the file, if what Badger or the log
// must not be without is damaged or missing; with kind Full if the disk has no room to recover; with kind Unavailable
// if another process has the store open.
//
// What a crash left unfinished is finished or dropped. Damaged blocks of tables do not stop Open: reads that they
// could answer fail, and Verify names them.
func Open(dir string, opts Options) (*DB, error) {
	o := opener{dir: dir, lsm: filepath.Join(dir, "lsm"), opt: opts.withDefaults()}
	db, err := o.open()
	if err != nil {
		o.undo()
		return nil, err
	}
	return db, nil
}

// opener is an Open under way.
type opener struct {
	dir, lsm string
	opt      Options
	lock     *os.File
	mark     *markFile
	log      *journal
	engine   *engine
	room     room
	damage   []blob.Damage // found, but not needed
	scanned  []scanned
	tables   []uint64 // of Badger
	last     uint64   // group
	checker  tableChecker
}

func (o *opener) undo() {
	if o.engine != nil {
		_ = o.engine.close()
	}
	if o.log != nil {
		o.log.close()
	}
	if o.mark != nil {
		o.mark.f.Close()
	}
	if o.lock != nil {
		o.lock.Close()
	}
}

func (o *opener) open() (*DB, error) {
	for _, step := range []func() error{o.takeLock, o.readMark, o.checkFiles, o.openEngine, o.replay, o.begin} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return o.start()
}

func (o *opener) takeLock() error {
	if err := os.MkdirAll(o.lsm, 0o700); err != nil {
		return fmt.Errorf("opening store: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(o.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening store: %w", err)
	}
	o.lock = f
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return &blob.Error{Kind: blob.Unavailable, Op: "locking store " + o.dir, Err: err}
	}
	return nil
}

func (o *opener) readMark() error {
	var salt [8]byte
	rand.Read(salt[:])
	path := filepath.Join(o.dir, "mark")
	m, damage, err := openMark(o.dir, binary.BigEndian.Uint64(salt[:]))
	if err != nil {
		return &blob.Error{Kind: blob.Corrupt, Op: "reading " + path, Err: err}
	}
	o.mark = m
	for _, d := range damage {
		o.damage = append(o.damage, blob.Damage{What: "file", Name: path, Detail: d + ", the other one was used"})
	}
	if m.mark.count > 0 {
		return nil
	}
	segments, err := logFiles(o.dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(o.lsm, "MANIFEST")); err == nil || len(segments) > 0 {
		return blob.Errorf(blob.Corrupt, "reading "+path, "the file is missing or empty")
	}
	if err := m.writeThrough(); err != nil {
		return err
	}
	return syncFolder(o.dir)
}

// checkFiles looks through everything that Badger or the log reads without being able to go on when it is damaged.
func (o *opener) checkFiles() error {
	m := o.mark.mark
	tables, size, err := checkFolder(o.lsm, m)
	if err != nil {
		return err
	}
	o.tables = tables
	o.room = room{dir: o.dir, free: o.opt.Free, mem: o.opt.MemTable, tables: size, files: len(tables)}
	o.last = m.high
	if m.clean {
		return nil
	}
	logged := int64(0)
	o.scanned, err = scanLog(o.dir, m, func(r record) error {
		o.last = max(o.last, r.seq)
		logged += int64(r.size)
		return nil
	})
	if err != nil || logged == 0 {
		return err
	}
	if err := clearFolder(o.lsm); err != nil {
		return err
	}
	return o.room.forOpen("opening store", 4*o.opt.MemTable+logged)
}

// openEngine opens Badger, merging if all tables are sound; if they are too many to tell now, that comes later.
func (o *opener) openEngine() error {
	if err := o.room.forOpen("opening store", 0); err != nil {
		return err
	}
	merging := o.room.tables <= o.opt.ScrubAtOpen
	for _, id := range o.tables {
		if !merging {
			break
		}
		bad, _, err := o.checker.check(tablePath(o.lsm, id))
		merging = err == nil && len(bad) == 0
	}
	e, err := openEngine(o.lsm, o.opt, merging || len(o.tables) == 0)
	if err != nil {
		return o.blame(err)
	}
	o.engine = e
	for _, t := range e.tables() {
		if t.MaxVersion > o.last {
			return blob.Errorf(blob.Corrupt, "reading "+filepath.Join(o.dir, "mark"),
				"it knows groups up to %d, %s holds group %d", o.last, tablePath(o.lsm, t.ID), t.MaxVersion)
		}
	}
	return nil
}

// blame names the table because of which Badger does not open, if there is one.
func (o *opener) blame(err error) error {
	for _, id := range o.tables {
		path := tablePath(o.lsm, id)
		bad, _, broken := o.checker.check(path)
		if len(bad) > 0 {
			broken = fmt.Errorf("at byte %d: %w", bad[0].offset, bad[0].err)
		}
		if broken != nil {
			return &blob.Error{Kind: blob.Corrupt, Op: "reading " + path, Err: errors.Join(broken, err)}
		}
	}
	return fmt.Errorf("opening store: %w", err)
}

// replay gives Badger what the log holds.
func (o *opener) replay() error {
	m := o.mark.mark
	o.log = &journal{dir: o.dir, salt: m.salt, first: m.segment, sync: o.opt.Sync}
	for i := range o.scanned {
		s := &o.scanned[i]
		seg, err := openSegment(o.dir, s.number)
		if err != nil {
			return err
		}
		seg.end, seg.first, seg.last = s.end, s.first, s.last
		o.log.segments = append(o.log.segments, seg)
		buf, err := readWhole(segmentPath(o.dir, s.number))
		if err != nil {
			return err
		}
		_, err = scanSegment(segmentPath(o.dir, s.number), buf[:s.end], s.number, m.salt, func(r record) error {
			return fullOr(o.engine.apply(r.seq, r.ops))
		})
		if err != nil {
			return fmt.Errorf("replaying log: %w", err)
		}
		seg.mem = o.engine.mem.number()
	}
	o.engine.visible.Store(o.last)
	o.engine.letGo()
	return nil
}

// begin notes that the store is open from now on, and removes segments of the log that are not needed.
func (o *opener) begin() error {
	m := &o.mark.mark
	if m.clean {
		m.base = m.high + 1
	}
	m.clean, m.made, m.high = false, true, o.last
	for range 2 { // both slots
		if err := o.mark.writeThrough(); err != nil {
			return err
		}
	}
	numbers, err := logFiles(o.dir)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if n < m.segment {
			if err := os.Remove(segmentPath(o.dir, n)); err != nil {
				return fmt.Errorf("opening store: %w", err)
			}
		}
	}
	return syncFolder(o.lsm)
}

func (o *opener) start() (*DB, error) {
	written, err := diskWritten()
	if err != nil {
		return nil, err
	}
	db := &DB{
		dir: o.dir, opt: o.opt, lock: o.lock, engine: o.engine, damaged: o.damage, written: written,
		guard: &guard{dir: o.lsm}, spaces: make(map[string]*space),
		queue: make(chan *request, queueLength), control: make(chan func()),
	}
	if !o.engine.merging {
		db.guard.watch(guardedTables(o.engine.tables()))
	}
	for _, d := range o.damage {
		o.opt.Logger.Warn("store is damaged", "file", d.Name, "detail", d.Detail)
	}
	a := newApplier(db)
	a.seq.Store(o.last)
	a.mem.Store(int64(o.engine.mem.number()))
	db.committer = &committer{
		db: db, queue: db.queue, control: db.control, applier: a,
		mark: o.mark, log: o.log, room: o.room, seq: o.last,
	}
	if err := db.forgetSessions(); err != nil && blob.KindOf(err) != blob.Full && blob.KindOf(err) != blob.Corrupt {
		return nil, errors.Join(err, o.engine.close())
	}
	ctx, stop := context.WithCancel(context.Background())
	db.stop = stop
	db.running.Go(db.committer.run)
	db.running.Go(a.run)
	db.running.Go(func() { db.watchPages(ctx) })
	if !o.engine.merging {
		db.running.Go(func() { db.scrub(ctx) })
	}
	return db, nil
}
