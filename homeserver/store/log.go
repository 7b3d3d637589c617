package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"hearth/storage/blob"
)

const tableLog = "log"

// maxQueued bounds the bytes that wait to be written; Append blocks above it.
const maxQueued = 8 << 20

// maxGroup bounds what is sent as one batch, well below the contract's limit.
const maxGroup = 1 << 20

// ErrStale is returned by AppendIf when an earlier write failed, so that the caller's memory may be ahead of the
// disk.
var ErrStale = errors.New("an earlier write failed: read the state again")

// ErrClosed is returned when the store is closing.
var ErrClosed = errors.New("the store is closing")

// Tx is one change: rows, blobs and notes that become durable together. It is valid only inside the function
// given to Append.
type Tx struct {
	store   *Store
	pos     Pos // the newest position of this change
	batch   blob.Batch
	notes   []Note
	events  []*Event // new ones
	changes []*Event // changed copies
	rooms   []*Room
	drafts  []*Draft
	size    int    // of batch
	buf     []byte // what is free of it holds the next keys and values
	ticket  Ticket

	// What an ordinary change has, so that it is one allocation.
	someRows   [8]blob.Row
	someNotes  [1]Note
	someEvents [1]*Event
}

// Ticket is the answer to an Append that has not come yet.
type Ticket struct {
	pos  Pos
	done chan struct{}
	err  error
}

// Pos returns the last position of the change.
func (t *Ticket) Pos() Pos { return t.pos }

// Wait returns nil once the change is durable and announced, or why it never will be. If ctx ends first the
// outcome is not known.
func (t *Ticket) Wait(ctx context.Context) error {
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Generation returns the number of failed writes so far; see AppendIf.
func (s *Store) Generation() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// Append queues a change. write runs at once, under the store's lock: it must be quick and must not call the
// store.
func (s *Store) Append(ctx context.Context, write func(*Tx)) (*Ticket, error) {
	return s.append(ctx, nil, write)
}

// AppendIf is Append if no write has failed since Generation returned generation, and ErrStale otherwise.
func (s *Store) AppendIf(ctx context.Context, generation uint64, write func(*Tx)) (*Ticket, error) {
	return s.append(ctx, &generation, write)
}

// Apply is Append and Wait: it returns the change's position once it is durable.
func (s *Store) Apply(ctx context.Context, write func(*Tx)) (Pos, error) {
	t, err := s.Append(ctx, write)
	if err != nil {
		return 0, err
	}
	return t.pos, t.Wait(ctx)
}

func (s *Store) append(ctx context.Context, generation *uint64, write func(*Tx)) (*Ticket, error) {
	s.mu.Lock()
	for s.queued > maxQueued && !s.closed {
		room := s.room
		s.crowd++
		s.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if generation != nil && *generation != s.generation {
		return nil, ErrStale
	}
	tx := &Tx{store: s, ticket: Ticket{done: make(chan struct{})}}
	tx.batch.Rows, tx.notes, tx.events = tx.someRows[:0], tx.someNotes[:0], tx.someEvents[:0]
	write(tx)
	if len(tx.notes) == 0 {
		tx.Note(Note{Kind: KindOther})
	}
	if err := tx.batch.Check(); err != nil { // alone, before it spoils the batch of all that wait
		tx.undo()
		return nil, fmt.Errorf("queueing a change: %w", err)
	}
	tx.size = tx.batch.Size()
	tx.ticket.pos = tx.pos
	s.queue = append(s.queue, tx)
	s.queued += tx.size
	s.newestTicket = &tx.ticket
	s.poke()
	return &tx.ticket, nil
}

// Settle waits until all that was appended before it was called is durable or has failed. Whoever reads from the
// disk what it wants to build upon, and not from memory, settles first.
func (s *Store) Settle(ctx context.Context) error {
	s.mu.Lock()
	t := s.newestTicket
	s.mu.Unlock()
	if t == nil {
		return nil
	}
	select {
	case <-t.done: // changes are answered in the order in which they were appended
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Set writes a row.
func (tx *Tx) Set(table string, key, value []byte) { tx.batch.Set(table, key, value) }

// Delete removes a row.
func (tx *Tx) Delete(table string, key []byte) { tx.batch.Delete(table, key) }

// Put writes a blob, a node of a state tree for example, and returns its address.
func (tx *Tx) Put(data []byte) blob.Hash { return tx.batch.Put(data) }

// Note takes the next position of the log for n and returns it; followers see n once the change is durable.
func (tx *Tx) Note(n Note) Pos {
	n.Pos = tx.Next()
	tx.note(n)
	return n.Pos
}

// Next takes the next position of the log, for a note that must know it. Every position that is taken must be
// used by NoteAt.
func (tx *Tx) Next() Pos {
	tx.pos = tx.store.next
	tx.store.next++
	return tx.pos
}

// NoteAt adds a note at a position that Next returned.
func (tx *Tx) NoteAt(pos Pos, n Note) {
	n.Pos = pos
	tx.note(n)
}

func (tx *Tx) note(n Note) {
	tx.notes = append(tx.notes, n)
	key := tx.keep(binary.BigEndian.AppendUint64(tx.free(8), uint64(n.Pos)))
	tx.batch.Set(tableLog, key, tx.keep(appendNote(tx.free(32+len(n.User)+len(n.Device)), &n)))
	if n.Kind == KindDevices {
		tx.batch.Set(tableDeviceChanges, key, []byte(n.User))
	}
}

// chunk is how many bytes for keys and values are allocated at once.
const chunk = 2 << 10

// free returns an empty slice with room for n bytes; keep makes what was appended to it last as long as the change.
func (tx *Tx) free(n int) []byte {
	if cap(tx.buf)-len(tx.buf) < n {
		tx.buf = make([]byte, 0, max(chunk, n))
	}
	return tx.buf[len(tx.buf):]
}

func (tx *Tx) keep(b []byte) []byte {
	if len(b) <= cap(tx.buf)-len(tx.buf) { // otherwise b outgrew it and is on its own
		tx.buf = tx.buf[:len(tx.buf)+len(b)]
	}
	return b[:len(b):len(b)]
}

// write is the writer: it ends when the store is closed and the queue empty.
func (s *Store) write() {
	defer close(s.done)
	for {
		s.mu.Lock()
		group, closed := s.take(), s.closed
		s.mu.Unlock()
		if len(group) == 0 {
			if closed {
				return
			}
			<-s.wake
			continue
		}
		s.commit(group)
	}
}

// take removes from the queue what fits one batch. Called with the lock held.
func (s *Store) take() []*Tx {
	n, size := 0, 0
	for n < len(s.queue) && (n == 0 || size+s.queue[n].size <= maxGroup) {
		size += s.queue[n].size
		n++
	}
	group := s.queue[:n:n]
	s.queue = s.queue[n:]
	if len(s.queue) == 0 {
		s.queue = nil
	}
	s.queued -= size
	s.makeRoom()
	return group
}

// makeRoom wakes those who wait until the queue is shorter. Called with the lock held.
func (s *Store) makeRoom() {
	if s.crowd > 0 && (s.queued <= maxQueued || s.closed) {
		close(s.room)
		s.room, s.crowd = make(chan struct{}), 0
	}
}

// commit makes a group durable and announces it, or fails it with all that is queued behind it.
func (s *Store) commit(group []*Tx) {
	batch := &group[0].batch
	if len(group) > 1 {
		batch = merge(group)
	}
	batch.Roots = []blob.RootEdit{{Name: rootWriter, Old: s.writer, New: s.writer}}
	err := s.backend.Apply(s.writing, batch)
	if err != nil {
		s.fail(group, err)
		if blob.KindOf(err) == blob.Conflict {
			s.yield()
			return
		}
		if k := blob.KindOf(err); k == blob.Unavailable || k == blob.Canceled {
			s.settle(err)
		}
		return
	}
	notes := group[0].notes
	if len(group) > 1 {
		notes = nil
		for _, tx := range group {
			notes = append(notes, tx.notes...)
		}
	}
	for _, tx := range group {
		s.remember(tx)
	}
	s.feed.announce(notes)
	for _, tx := range group {
		close(tx.ticket.done)
	}
}

func merge(group []*Tx) *blob.Batch {
	var b blob.Batch
	blobs, rows := 0, 0
	for _, tx := range group {
		blobs += len(tx.batch.Blobs)
		rows += len(tx.batch.Rows)
	}
	b.Blobs = make([][]byte, 0, blobs)
	b.Rows = make([]blob.Row, 0, rows)
	for _, tx := range group {
		b.Blobs = append(b.Blobs, tx.batch.Blobs...)
		b.Rows = append(b.Rows, tx.batch.Rows...)
	}
	return &b
}

// fail answers the group and everything queued with err, and starts a new generation. Positions are never given
// out twice.
func (s *Store) fail(group []*Tx, err error) {
	s.mu.Lock()
	group = append(group, s.queue...)
	s.queue, s.queued = nil, 0
	for _, tx := range group {
		tx.undo()
	}
	s.generation++ // only now: whoever sees it finds nothing of what failed
	s.makeRoom()
	s.mu.Unlock()
	s.events.clear()
	s.rooms.clear()
	s.newest.clear()
	s.log.Error("writing failed, nothing of it was acknowledged", "changes", len(group), "err", err)
	for _, tx := range group {
		tx.ticket.err = err
		close(tx.ticket.done)
	}
}

// undo takes back what a change that will not be written left for those who build upon it.
func (tx *Tx) undo() {
	for _, d := range tx.drafts {
		tx.store.pending.remove(d)
	}
	for _, e := range tx.changes {
		tx.store.changed.remove(e)
	}
}

// rootWriter names who may write: each Store that is opened moves it to a value of its own, and every batch asserts
// that value. So what an earlier process had under way when it was killed is applied before the next one reads
// where the log ends, or never.
const rootWriter = "writer"

// claim makes this store the one that writes.
func (s *Store) claim(ctx context.Context) error {
	var id [32]byte
	if _, err := rand.Read(id[:]); err != nil {
		return fmt.Errorf("making the writer's id: %w", err)
	}
	for {
		c, _, err := s.backend.Root(ctx, rootWriter)
		if err != nil {
			return fmt.Errorf("finding who writes: %w", err)
		}
		edit := blob.RootEdit{Name: rootWriter, Old: c.Hash, New: id, Time: time.Now(), Message: "opened"}
		err = s.backend.Apply(ctx, &blob.Batch{Roots: []blob.RootEdit{edit}})
		if err == nil {
			s.writer = id
			return nil
		}
		if blob.KindOf(err) != blob.Conflict {
			return fmt.Errorf("becoming the one who writes: %w", err)
		}
	}
}

// yield ends writing: another process has opened the store.
func (s *Store) yield() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.feed.close()
	close(s.lost)
	s.log.Error("another homeserver has opened this store; this one stops writing")
}

// Lost returns a channel that is closed when another process has opened the store, so that this one can write no
// more.
func (s *Store) Lost() <-chan struct{} { return s.lost }

const tableBarrier = "bar"

// settle waits, after a batch whose outcome is not known, until the storage program answers again; by then that
// batch was applied or never will be. Who read the disk before reads it again, and then what was applied is announced:
// in this order, so that a follower does not meet what was read before.
func (s *Store) settle(cause error) {
	b := blob.Batch{Roots: []blob.RootEdit{{Name: rootWriter, Old: s.writer, New: s.writer}}}
	b.Set(tableBarrier, []byte{0}, nil)
	for {
		err := s.backend.Apply(s.writing, &b)
		if err == nil {
			break
		}
		if blob.KindOf(err) == blob.Conflict {
			s.yield()
			return
		}
		select {
		case <-time.After(settlePause):
		case <-s.writing.Done():
			return
		}
	}
	s.fail(nil, cause)
	for {
		notes, err := s.readLog(s.writing, s.feed.last(), 0)
		if s.writing.Err() != nil || err == nil && len(notes) == 0 {
			return
		}
		if len(notes) > 0 {
			s.feed.announce(notes)
		}
	}
}

const settlePause = 100 * time.Millisecond

// remember puts what a durable change wrote into the caches.
func (s *Store) remember(tx *Tx) {
	for _, d := range tx.drafts {
		for _, h := range d.order {
			s.nodes.Add(h, d.nodes[h])
		}
		s.pending.remove(d)
	}
	for _, e := range tx.events {
		s.events.put(eventKey{e.Room, e.Order}, e, e.Size())
		if e.Order > 0 {
			s.newest.replace(e.Room, e.Order, 64)
		}
	}
	for _, e := range tx.changes {
		s.events.replace(eventKey{e.Room, e.Order}, e, e.Size())
		s.changed.remove(e)
	}
	for _, r := range tx.rooms {
		s.rooms.replace(r.Num, r, r.size())
		s.roomNums.put(r.ID, r.Num, len(r.ID)+100)
	}
}
