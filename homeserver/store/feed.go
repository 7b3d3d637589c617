package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"hearth/matrix"
	"hearth/storage/blob"
)

// Kind says what a note is about.
type Kind uint8

// The kinds of notes. Their numbers are on disk.
const (
	KindOther       Kind = 0 // nothing that a follower needs
	KindEvent       Kind = 1 // an event was appended to Room at Order
	KindRedacted    Kind = 2 // the event at Order in Room was redacted
	KindAccountData Kind = 3 // User's account data changed; in Room, if that is not 0
	KindReceipt     Kind = 4 // User's receipt in Room moved
	KindToDevice    Kind = 5 // User's Device (all devices if "") has messages
	KindPushRules   Kind = 6 // User's push rules changed (their account data too)
	KindProfile     Kind = 7 // User's profile changed, or the user is new
	KindDevices     Kind = 8 // User's list of devices or their keys changed
	KindForgotten   Kind = 9 // User asked not to see Room again

	KindDeleted   Kind = 13 // an administrator deleted Room
	KindPublished Kind = 17 // Room was published or is no longer
	KindUnedited  Kind = 19 // an edit of the event at Order in Room was redacted
)

// Note is one line of the log: enough for a follower to know whom it concerns.
type Note struct {
	Pos    Pos
	Kind   Kind
	Room   RoomNum
	Order  Order
	User   matrix.UserID
	Device string
	Event  *Event // the event of KindEvent if the log still has it in memory, otherwise nil
}

// appendNote writes a note as it stands in the log's rows.
func appendNote(dst []byte, n *Note) []byte {
	dst = append(dst, byte(n.Kind))
	parts := 0
	switch {
	case n.Device != "":
		parts = 4
	case n.User != "":
		parts = 3
	case n.Order != 0:
		parts = 2
	case n.Room != 0:
		parts = 1
	}
	if parts > 0 {
		dst = binary.AppendUvarint(dst, uint64(n.Room))
	}
	if parts > 1 {
		dst = binary.AppendVarint(dst, int64(n.Order))
	}
	if parts > 2 {
		dst = appendString(dst, string(n.User))
	}
	if parts > 3 {
		dst = appendString(dst, n.Device)
	}
	return dst
}

func readNote(pos Pos, data []byte) (Note, error) {
	n := Note{Pos: pos}
	d := decoder{data: data}
	n.Kind = Kind(d.byte())
	if d.more() {
		n.Room = RoomNum(d.uvarint())
	}
	if d.more() {
		n.Order = Order(d.varint())
	}
	if d.more() {
		n.User = matrix.UserID(d.string())
	}
	if d.more() {
		n.Device = d.string()
	}
	if err := d.end(); err != nil {
		return n, fmt.Errorf("reading log position %d: %w", pos, err)
	}
	return n, nil
}

// feed holds the newest notes in memory for those that follow the log.
type feed struct {
	mu     sync.Mutex // guards the fields below
	ring   []Note     // the newest notes, ring[i%len] for a running index i
	start  uint64     // index of the oldest note in the ring
	full   uint64     // index of the oldest note that still has its event
	end    uint64     // one past the index of the newest
	bytes  int        // of the events from full on
	from   Pos        // every note after this position is in the ring
	newest Pos
	wake   chan struct{} // closed and replaced at each announcement
	closed bool
}

// maxRecentEvents bounds the events that the notes in memory hold, in bytes. Older notes are without.
const maxRecentEvents = 2 << 20

func (f *feed) init(last Pos, size int) {
	f.ring = make([]Note, size)
	f.from, f.newest = last, last
	f.wake = make(chan struct{})
}

func (f *feed) last() Pos {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.newest
}

func (f *feed) announce(notes []Note) {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := uint64(len(f.ring))
	for _, n := range notes {
		if f.end-f.start == size {
			f.from = f.ring[f.start%size].Pos
			if f.full == f.start {
				f.empty()
			}
			f.start++
		}
		f.ring[f.end%size] = n
		f.end++
		f.newest = n.Pos
		if n.Event != nil {
			f.bytes += n.Event.Size()
		}
	}
	for f.bytes > maxRecentEvents {
		f.empty()
	}
	close(f.wake)
	f.wake = make(chan struct{})
}

// empty takes the event out of the oldest note that may have one. Called with the lock held.
func (f *feed) empty() {
	n := &f.ring[f.full%uint64(len(f.ring))]
	if n.Event != nil {
		f.bytes -= n.Event.Size()
		n.Event = nil
	}
	f.full++
}

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed = true
		close(f.wake)
	}
}

// since returns the notes after pos if all of them are in memory, and a channel that is closed at the next
// announcement.
func (f *feed) since(pos Pos) (notes []Note, ok bool, wake <-chan struct{}, closed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if pos < f.from {
		return nil, false, f.wake, f.closed
	}
	size := uint64(len(f.ring))
	i := f.end
	for i > f.start && f.ring[(i-1)%size].Pos > pos {
		i--
	}
	notes = make([]Note, 0, f.end-i)
	for ; i < f.end; i++ {
		notes = append(notes, f.ring[i%size])
	}
	return notes, true, f.wake, f.closed
}

// followPage is how many notes a follower that is behind reads from the disk at once.
const followPage = 512

// Follow returns the notes after pos, in order, at least one: it waits until there is one. A follower that is
// far behind gets them in pages, read from the disk.
func (s *Store) Follow(ctx context.Context, pos Pos) ([]Note, error) {
	for {
		notes, ok, wake, closed := s.feed.since(pos)
		if !ok {
			return s.readLog(ctx, pos, s.feed.last())
		}
		if len(notes) > 0 {
			return notes, nil
		}
		if closed {
			return nil, ErrClosed
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Announced returns a channel that is closed at the next announcement after the position it also returns.
func (s *Store) Announced() (Pos, <-chan struct{}) {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return s.feed.newest, s.feed.wake
}

// Closed reports whether nothing will be announced any more.
func (s *Store) Closed() bool {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return s.feed.closed
}

// NotesAt returns the notes at these positions of the log, without their events; one that is absent has the position 0.
func (s *Store) NotesAt(ctx context.Context, positions ...Pos) ([]Note, error) {
	keys := make([]blob.RowKey, len(positions))
	for i, p := range positions {
		keys[i] = blob.RowKey{Table: tableLog, Key: key8(uint64(p))}
	}
	rows, err := s.Rows(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("reading the log: %w", err)
	}
	notes := make([]Note, len(rows))
	for i, row := range rows {
		if row == nil {
			continue
		}
		if notes[i], err = readNote(positions[i], row); err != nil {
			return nil, err
		}
	}
	return notes, nil
}

// readLog reads the notes after pos and up to last, or to the log's end if that is 0.
func (s *Store) readLog(ctx context.Context, pos, last Pos) ([]Note, error) {
	r := blob.Range{Table: tableLog, From: key8(uint64(pos + 1)), Limit: followPage}
	if last != 0 {
		r.To = key8(uint64(last + 1))
	}
	return s.scanLog(ctx, r)
}

func (s *Store) scanLog(ctx context.Context, r blob.Range) ([]Note, error) {
	var notes []Note
	for row, err := range s.backend.Scan(ctx, r) {
		if err == nil && len(row.Key) != 8 {
			err = errMalformed
		}
		if err != nil {
			return nil, fmt.Errorf("reading the log: %w", err)
		}
		n, err := readNote(Pos(binary.BigEndian.Uint64(row.Key)), row.Value)
		if err != nil {
			return nil, err
		}
		notes = append(notes, n)
	}
	return notes, nil
}

// Before returns notes before pos, without their events, the newest first: a page of them, none if pos is the log's
// beginning.
func (s *Store) Before(ctx context.Context, pos Pos) ([]Note, error) {
	return s.scanLog(ctx, blob.Range{Table: tableLog, To: key8(uint64(pos)), Reverse: true, Limit: followPage})
}
