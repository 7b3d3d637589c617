package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

const (
	tableEvents    = "ev"
	tableIDs       = "id"
	tableRelations = "rel"
)

// Event is an event at its place in a room.
type Event struct {
	*event.Event
	Room   RoomNum
	Order  Order
	Pos    Pos       // in the log; set when the change is appended
	Before blob.Hash // root of the room's state before the event
	After  blob.Hash // and after it; the same unless it is an accepted state event
	// Replaces is the order of the state event whose place this one took, 0 if none: the source of
	// prev_content.
	Replaces Order
	// RedactedBy is the order of the redaction that emptied this event, 0 if none.
	RedactedBy Order
	// Device and Txn are the sending device and its transaction id, for the sender's own echo.
	Device, Txn string
	SoftFailed  bool // kept, but not shown to clients and never a forward extremity
	Rejected    bool // kept so that it is not fetched again; never shown or built upon
	Aggregate   *Aggregate
}

// Aggregate sums up what relates to an event, so that reading the event can bundle it.
type Aggregate struct {
	Edit        Order // the newest valid m.replace, 0 if none
	Thread      int64 // events in the thread that this event is the root of
	ThreadLast  Order // the newest of them
	References  int64
	Annotations int64
}

// Visible reports whether clients may ever see the event.
func (e *Event) Visible() bool { return !e.SoftFailed && !e.Rejected }

// Size is what the event takes in memory, about, in bytes.
func (e *Event) Size() int { return 2*len(e.JSON) + 600 }

type eventKey struct {
	room  RoomNum
	order Order
}

// The flags of an event's record.
const (
	flagSoftFailed = 1 << iota
	flagRejected
	flagReplaces
	flagRedacted
	flagTxn
	flagChanged // After differs from Before
)

// appendEvent writes the value of an event's row.
func appendEvent(dst []byte, e *Event) []byte {
	var flags byte
	set := func(f byte, on bool) {
		if on {
			flags |= f
		}
	}
	set(flagSoftFailed, e.SoftFailed)
	set(flagRejected, e.Rejected)
	set(flagReplaces, e.Replaces != 0)
	set(flagRedacted, e.RedactedBy != 0)
	set(flagTxn, e.Txn != "")
	set(flagChanged, e.Before != e.After)
	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, uint64(e.Pos))
	dst = appendString(dst, string(e.Version.Version))
	dst = appendString(dst, string(e.ID))
	dst = append(dst, e.Before[:]...)
	if e.Before != e.After {
		dst = append(dst, e.After[:]...)
	}
	if e.Replaces != 0 {
		dst = binary.AppendVarint(dst, int64(e.Replaces))
	}
	if e.RedactedBy != 0 {
		dst = binary.AppendVarint(dst, int64(e.RedactedBy))
	}
	if e.Txn != "" {
		dst = appendString(dst, e.Device)
		dst = appendString(dst, e.Txn)
	}
	return append(dst, e.JSON...)
}

func readEvent(room RoomNum, order Order, data []byte) (*Event, error) {
	e := &Event{Room: room, Order: order}
	d := decoder{data: data}
	flags := d.byte()
	e.Pos = Pos(d.uvarint())
	version := d.string()
	id := matrix.EventID(d.string())
	copy(e.Before[:], d.fixed(blob.HashSize))
	e.After = e.Before
	if flags&flagChanged != 0 {
		copy(e.After[:], d.fixed(blob.HashSize))
	}
	if flags&flagReplaces != 0 {
		e.Replaces = Order(d.varint())
	}
	if flags&flagRedacted != 0 {
		e.RedactedBy = Order(d.varint())
	}
	if flags&flagTxn != 0 {
		e.Device, e.Txn = d.string(), d.string()
	}
	e.SoftFailed = flags&flagSoftFailed != 0
	e.Rejected = flags&flagRejected != 0
	v, ok := matrix.LookupVersion(matrix.Version(version))
	if d.failed || !ok {
		return nil, fmt.Errorf("reading event %d in room %d: %w", order, room, errMalformed)
	}
	var err error
	if e.Event, err = event.Load(v, id, d.data); err != nil {
		return nil, fmt.Errorf("reading event %d in room %d: %w", order, room, err)
	}
	return e, nil
}

// appendAggregate writes the value of an aggregate's row.
func appendAggregate(dst []byte, a *Aggregate) []byte {
	for _, v := range []int64{int64(a.Edit), a.Thread, int64(a.ThreadLast), a.References, a.Annotations} {
		dst = binary.AppendVarint(dst, v)
	}
	return dst
}

func readAggregate(data []byte) (*Aggregate, error) {
	d := decoder{data: data}
	a := &Aggregate{Edit: Order(d.varint()), Thread: d.varint(), ThreadLast: Order(d.varint()), References: d.varint(), Annotations: d.varint()}
	return a, d.end()
}

// Place writes an event's room and order as keys hold them: 16 bytes.
func Place(room RoomNum, order Order) []byte { return appendPlace(make([]byte, 0, 24), room, order) }

func appendPlace(dst []byte, room RoomNum, order Order) []byte {
	return orderKey(binary.BigEndian.AppendUint64(dst, uint64(room)), order)
}

func evKey(room RoomNum, order Order, part byte) []byte { return append(Place(room, order), part) }

// PutEvent writes a new event at e.Order, sets e.Pos, and announces it.
func (tx *Tx) PutEvent(e *Event) {
	e.Pos = tx.Next()
	tx.putRecord(e)
	id := tx.keep(append(tx.free(len(e.ID)), e.ID...))
	tx.Set(tableIDs, id, tx.keep(appendPlace(tx.free(16), e.Room, e.Order)))
	if e.Aggregate != nil {
		tx.Set(tableEvents, evKey(e.Room, e.Order, 1), appendAggregate(nil, e.Aggregate))
	}
	tx.events = append(tx.events, e)
	tx.NoteAt(e.Pos, Note{Kind: KindEvent, Room: e.Room, Order: e.Order, Event: e})
}

// ReplaceEvent writes e, a changed copy, over the record at its place: it was redacted.
func (tx *Tx) ReplaceEvent(e *Event) {
	tx.putRecord(e)
	tx.change(e)
}

func (tx *Tx) putRecord(e *Event) {
	key := tx.keep(append(appendPlace(tx.free(17), e.Room, e.Order), 0))
	const rest = 1 + 2*blob.HashSize + 7*binary.MaxVarintLen64
	size := rest + len(e.Version.Version) + len(e.ID) + len(e.Device) + len(e.Txn) + len(e.JSON)
	tx.Set(tableEvents, key, tx.keep(appendEvent(tx.free(size), e)))
}

// PutAggregate writes what relates to e, which is a copy with the new Aggregate.
func (tx *Tx) PutAggregate(e *Event) {
	tx.Set(tableEvents, evKey(e.Room, e.Order, 1), appendAggregate(nil, e.Aggregate))
	tx.change(e)
}

func (tx *Tx) change(e *Event) {
	tx.changes = append(tx.changes, e)
	tx.store.changed.add(e)
}

// Relation is one line of the index of relations.
type Relation struct {
	Parent, Child Order
	RelType, Type string
}

// PutRelation adds a child to its parent's index.
func (tx *Tx) PutRelation(room RoomNum, r Relation) {
	value := append([]byte(r.RelType), 0)
	tx.Set(tableRelations, orderKey(Place(room, r.Parent), r.Child), append(value, r.Type...))
}

// DeleteRelation removes a child from its parent's index: it was redacted.
func (tx *Tx) DeleteRelation(room RoomNum, parent, child Order) {
	tx.Delete(tableRelations, orderKey(Place(room, parent), child))
}

// Relations yields the children of an event by their order, those with from <= order < to.
func (s *Store) Relations(ctx context.Context, room RoomNum, parent, from, to Order, reverse bool) iter.Seq2[Relation, error] {
	return func(yield func(Relation, error) bool) {
		p := Place(room, parent)
		r := blob.Range{Table: tableRelations, From: orderKey(p[:16:16], from), To: orderKey(p[:16:16], to), Reverse: reverse}
		for row, err := range s.backend.Scan(ctx, r) {
			if err != nil {
				yield(Relation{}, fmt.Errorf("reading relations: %w", err))
				return
			}
			if len(row.Key) != 24 {
				yield(Relation{}, fmt.Errorf("reading relations: %w", errMalformed))
				return
			}
			rel := Relation{Parent: parent, Child: readOrder(row.Key[16:])}
			for i, c := range row.Value {
				if c == 0 {
					rel.RelType, rel.Type = string(row.Value[:i]), string(row.Value[i+1:])
					break
				}
			}
			if !yield(rel, nil) {
				return
			}
		}
	}
}

// FindEvent returns where an event is; ok is false if it is not known.
func (s *Store) FindEvent(ctx context.Context, id matrix.EventID) (room RoomNum, order Order, ok bool, err error) {
	if !fitsKey(string(id)) {
		return 0, 0, false, nil
	}
	v, err := s.Row(ctx, tableIDs, []byte(id))
	if err != nil || len(v) != 16 {
		return 0, 0, false, err
	}
	return RoomNum(binary.BigEndian.Uint64(v)), readOrder(v[8:]), true, nil
}

// fitsKey reports whether s can be a row's key.
func fitsKey(s string) bool { return len(s) > 0 && len(s) <= blob.MaxKey }

// EventByID returns an event, nil if it is not known.
func (s *Store) EventByID(ctx context.Context, id matrix.EventID) (*Event, error) {
	return s.eventByID(ctx, id, s.events.get)
}

func (s *Store) eventByID(ctx context.Context, id matrix.EventID, memory memory) (*Event, error) {
	room, order, ok, err := s.FindEvent(ctx, id)
	if err != nil || !ok {
		return nil, err
	}
	events, err := s.load(ctx, []eventKey{{room, order}}, memory)
	if err != nil {
		return nil, err
	}
	return events[0], nil
}

// EventsByID returns events in the order asked for, nil for each that is not known.
func (s *Store) EventsByID(ctx context.Context, ids ...matrix.EventID) ([]*Event, error) {
	var keys []blob.RowKey
	var at []int
	for i, id := range ids {
		if fitsKey(string(id)) {
			keys, at = append(keys, blob.RowKey{Table: tableIDs, Key: []byte(id)}), append(at, i)
		}
	}
	places, err := s.Rows(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("finding events: %w", err)
	}
	wanted := make([]eventKey, len(ids))
	for j, p := range places {
		if len(p) == 16 {
			wanted[at[j]] = eventKey{RoomNum(binary.BigEndian.Uint64(p)), readOrder(p[8:])}
		}
	}
	return s.load(ctx, wanted, s.events.get)
}

// EventsAt returns the events at these orders of a room, nil for each that is absent.
func (s *Store) EventsAt(ctx context.Context, room RoomNum, orders ...Order) ([]*Event, error) {
	return s.load(ctx, keysOf(room, orders), s.events.get)
}

func keysOf(room RoomNum, orders []Order) []eventKey {
	keys := make([]eventKey, len(orders))
	for i, o := range orders {
		keys[i] = eventKey{room, o}
	}
	return keys
}

// memory finds events in memory: those that are durable, or those that writers build upon.
type memory func(eventKey) (*Event, bool)

// load reads events, those that are not in memory by one request. A zero key gives nil.
func (s *Store) load(ctx context.Context, wanted []eventKey, memory memory) ([]*Event, error) {
	out := make([]*Event, len(wanted))
	var keys []blob.RowKey
	var missing []int
	for i, k := range wanted {
		if k == (eventKey{}) {
			continue
		}
		if e, ok := memory(k); ok {
			out[i] = e
			continue
		}
		missing = append(missing, i)
		keys = append(keys,
			blob.RowKey{Table: tableEvents, Key: evKey(k.room, k.order, 0)},
			blob.RowKey{Table: tableEvents, Key: evKey(k.room, k.order, 1)})
	}
	if len(missing) == 0 {
		return out, nil
	}
	epoch := s.events.now()
	rows, err := s.Rows(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	for j, i := range missing {
		if rows[2*j] == nil {
			continue
		}
		// Rows may be parts of one big answer: the record is copied, so that the cache holds no more than it counts.
		e, err := s.assemble(epoch, wanted[i], bytes.Clone(rows[2*j]), rows[2*j+1])
		if err != nil {
			return nil, err
		}
		out[i] = e
	}
	return out, nil
}

// assemble makes an event of its rows and remembers it, and so the record.
func (s *Store) assemble(epoch uint64, k eventKey, record, aggregate []byte) (*Event, error) {
	e, err := readEvent(k.room, k.order, record)
	if err != nil {
		return nil, err
	}
	if aggregate != nil {
		if e.Aggregate, err = readAggregate(aggregate); err != nil {
			return nil, fmt.Errorf("reading what relates to event %d in room %d: %w", k.order, k.room, err)
		}
	}
	s.events.add(epoch, k, e, e.Size())
	return e, nil
}

// Timeline yields a room's events with from <= order < to, from the last down to the first if reverse is set,
// over one snapshot. Events that clients never see (soft-failed, rejected) are among them.
func (s *Store) Timeline(ctx context.Context, room RoomNum, from, to Order, reverse bool) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		r := blob.Range{Table: tableEvents, From: Place(room, from), To: Place(room, to), Reverse: reverse}
		var aggregate, record []byte // of the event that is not yielded yet
		var at Order
		epoch := s.events.now()
		emit := func() bool {
			if record == nil {
				return true
			}
			k := eventKey{room, at}
			e, ok := s.events.get(k)
			if !ok {
				var err error
				if e, err = s.assemble(epoch, k, record, aggregate); err != nil {
					yield(nil, err)
					return false
				}
			}
			record, aggregate = nil, nil
			return yield(e, nil)
		}
		for row, err := range s.backend.Scan(ctx, r) {
			if err != nil {
				yield(nil, fmt.Errorf("reading timeline: %w", err))
				return
			}
			if len(row.Key) != 17 {
				yield(nil, fmt.Errorf("reading timeline: %w", errMalformed))
				return
			}
			order := readOrder(row.Key[8:16])
			if order != at && !emit() {
				return
			}
			at = order
			if row.Key[16] == 0 {
				record = row.Value
			} else {
				aggregate = row.Value
			}
		}
		emit()
	}
}

// MinOrder and MaxOrder are below and above every order.
const (
	MinOrder Order = -1 << 63
	MaxOrder Order = 1<<63 - 1
)

// OrderAfter returns the order of the first event of a room that was written after a position, or one more than
// the newest event's if there is none.
func (s *Store) OrderAfter(ctx context.Context, room RoomNum, pos Pos) (Order, error) {
	newest, err := s.Newest(ctx, room)
	if err != nil {
		return 0, err
	}
	newestEvents, err := s.EventsAt(ctx, room, newest)
	if err != nil {
		return 0, err
	}
	if e := newestEvents[0]; e == nil || e.Pos <= pos {
		return max(newest, 0) + 1, nil
	}
	// Positions grow with the orders above 0: search between the first event and the newest.
	low, high := Order(1), newest
	for low < high {
		middle := low + (high-low)/2
		events, err := s.EventsAt(ctx, room, middle)
		if err != nil {
			return 0, err
		}
		if events[0] != nil && events[0].Pos <= pos {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// Newest returns the order of a room's newest event, 0 if there is none.
func (s *Store) Newest(ctx context.Context, room RoomNum) (Order, error) {
	return s.NewestWith(ctx, room, 0)
}

// NewestWith is Newest for who then reads the n newest events: if the disk must be asked, these are read along, so that
// they are found in memory, or most of them: few events have something that relates to them, which is a row more.
func (s *Store) NewestWith(ctx context.Context, room RoomNum, n int) (Order, error) {
	if o, ok := s.newest.get(room); ok {
		return o, nil
	}
	newestEpoch, eventsEpoch := s.newest.now(), s.events.now()
	r := blob.Range{Table: tableEvents, From: Place(room, MinOrder), To: Place(room, MaxOrder), Reverse: true, Limit: max(1, n+n/4)}
	newest, found := Order(0), false
	var aggregate []byte // of the event whose record comes next
	for row, err := range s.backend.Scan(ctx, r) {
		if err == nil && len(row.Key) != 17 {
			err = errMalformed
		}
		if err != nil {
			return 0, fmt.Errorf("reading timeline: %w", err)
		}
		o := readOrder(row.Key[8:16])
		if !found {
			newest, found = o, true
			s.newest.add(newestEpoch, room, o, 64)
		}
		switch {
		case n == 0:
		case row.Key[16] == 1:
			aggregate = row.Value
		default:
			if _, err := s.assemble(eventsEpoch, eventKey{room, o}, row.Value, aggregate); err != nil {
				return newest, nil // who reads it hears of it
			}
			aggregate = nil
		}
	}
	return newest, nil
}
