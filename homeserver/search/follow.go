package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

// The bounds of what waits in memory beside Options.Segment: entries, and positions of the log that would be read again.
const (
	maxEntries  = 32 << 10
	maxUnsaved  = 50_000
	catchUpPage = 256 // notes; more at once means that the index is behind, and rests as long as it works
)

// follow opens the index and follows the log from where it ends. It returns only errors.
func (x *Index) follow(ctx context.Context) error {
	if err := x.finish(ctx); err != nil { // a job of before this was called again
		return err
	}
	if err := x.open(ctx); err != nil {
		return err
	}
	sweep := time.NewTicker(x.o.Sweep)
	defer sweep.Stop()
	x.startJob(ctx, false)
	for {
		_, pos := x.current()
		newest, announced := x.store.Announced()
		if newest > pos {
			if err := x.takePage(ctx, pos); err != nil {
				return err
			}
			x.startJob(ctx, false)
			x.leisure.Rest(ctx)
			announced = nil
		}
		if err := x.wait(ctx, announced, sweep.C); err != nil {
			return err
		}
	}
}

// wait waits for news, at which the follower goes on; it goes on at once if announced is nil.
func (x *Index) wait(ctx context.Context, announced <-chan struct{}, sweep <-chan time.Time) error {
	now := make(chan struct{})
	if announced == nil {
		close(now)
		announced = now
	}
	select {
	case done := <-x.jobs:
		return x.endJob(ctx, done)
	case err := <-x.bad:
		return x.discard(ctx, err)
	case <-sweep:
		x.startJob(ctx, true)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-announced:
		if x.store.Closed() {
			return store.ErrClosed
		}
		return nil
	}
}

// takePage indexes the next notes of the log.
func (x *Index) takePage(ctx context.Context, pos store.Pos) error {
	begun := time.Now()
	notes, err := x.store.Follow(ctx, pos)
	if err != nil {
		return err
	}
	if err := x.complete(ctx, notes); err != nil {
		return err
	}
	for i := range notes {
		if err := x.take(ctx, &notes[i]); err != nil {
			return err
		}
		if err := x.flushIfFull(ctx, notes[i].Pos); err != nil {
			return err
		}
	}
	x.reached(notes[len(notes)-1].Pos)
	if len(notes) < catchUpPage {
		return nil
	}
	select {
	case <-time.After(time.Since(begun)): // others have work to do, too
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// complete reads the events of notes that were read from the disk, those of each room together. A damaged event stays
// nil.
func (x *Index) complete(ctx context.Context, notes []store.Note) error {
	places := make(map[store.RoomNum][]int)
	for i := range notes {
		if notes[i].Kind == store.KindEvent && notes[i].Event == nil {
			places[notes[i].Room] = append(places[notes[i].Room], i)
		}
	}
	for room, at := range places {
		orders := make([]store.Order, len(at))
		for j, i := range at {
			orders[j] = notes[i].Order
		}
		events, err := x.eventsAt(ctx, room, orders)
		if err != nil {
			return err
		}
		for j, i := range at {
			notes[i].Event = events[j]
		}
	}
	return nil
}

// eventsAt reads events, one by one if some are damaged: these are nil.
func (x *Index) eventsAt(ctx context.Context, room store.RoomNum, orders []store.Order) ([]*store.Event, error) {
	all, err := x.store.EventsAt(ctx, room, orders...)
	if !damaged(err) {
		return all, err
	}
	out := make([]*store.Event, len(orders))
	for i, o := range orders {
		events, err := x.store.EventsAt(ctx, room, o)
		switch {
		case err == nil:
			out[i] = events[0]
		case damaged(err):
			x.o.Log.Error("an event is damaged and not searched", "room", room, "order", o, "err", err)
		default:
			return nil, err
		}
	}
	return out, nil
}

// damaged reports whether err says that the data itself is bad, and not that it could not be read just now.
func damaged(err error) bool {
	var b *blob.Error
	if errors.As(err, &b) {
		return b.Kind == blob.Corrupt
	}
	return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, store.ErrClosed)
}

// take follows one note.
func (x *Index) take(ctx context.Context, n *store.Note) error {
	switch n.Kind {
	case store.KindEvent:
		if n.Event == nil || !n.Event.Visible() {
			return nil
		}
		if n.Event.Type == "m.room.message" && isEdit(n.Event) {
			return x.edited(ctx, n.Event)
		}
		return x.index(ctx, n.Event)
	case store.KindRedacted, store.KindUnedited:
		events, err := x.store.EventsAt(ctx, n.Room, n.Order)
		if err != nil || events[0] == nil {
			return err
		}
		x.forget(events[0], n.Pos)
		if n.Kind == store.KindUnedited {
			return x.index(ctx, events[0])
		}
	}
	return nil
}

// edited indexes a message anew: one of its edits has come.
func (x *Index) edited(ctx context.Context, edit *store.Event) error {
	id, _ := matrix.StringField(edit.Content, "m.relates_to", "event_id")
	e, err := x.store.EventByID(ctx, matrix.EventID(id))
	if err != nil || e == nil || e.Room != edit.Room || e.Aggregate == nil || e.Aggregate.Edit != edit.Order {
		return err
	}
	return x.index(ctx, e)
}

// index puts an event's words into memory: those of its own text, which is all that who left before its edits sees, and
// those of its newest edit.
func (x *Index) index(ctx context.Context, e *store.Event) error {
	key := keyOf(e)
	if key == "" || e.RedactedBy != 0 || !e.Visible() {
		return nil
	}
	if encrypted, err := x.encrypted(ctx, e); err != nil || encrypted {
		return err
	}
	texts := []string{textOf(key, e.Content)}
	if e.Aggregate != nil && e.Aggregate.Edit != 0 {
		edits, err := x.store.EventsAt(ctx, e.Room, e.Aggregate.Edit)
		if err != nil {
			return err
		}
		if edits[0] != nil && edits[0].RedactedBy == 0 {
			texts = append(texts, editedText(edits[0]))
		}
	}
	x.memory.add(spot{e.Room, e.Pos}, grades(key, texts...))
	return nil
}

// forget removes an event's words from memory, and notes that the segments made until now are to lose them.
func (x *Index) forget(e *store.Event, at store.Pos) {
	s := spot{e.Room, e.Pos}
	x.memory.forget(s)
	m, _ := x.current()
	if keyOf(e) == "" || len(m.segments) == 0 || e.Pos > m.pos {
		return
	}
	m = m.clone()
	m.dead = append(m.dead, dead{s, at})
	x.install(m)
}

func (x *Index) install(m *manifest) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.manifest = m
}

// encryptedRooms remembers of the states that were met last whether the room is encrypted. It is the follower's.
type encryptedRooms struct {
	known map[blob.Hash]bool
}

// maxStates is of how many states is remembered whether the room is encrypted.
const maxStates = 4096

// encrypted reports whether an event's room was encrypted when it was sent.
func (x *Index) encrypted(ctx context.Context, e *store.Event) (bool, error) {
	if known, ok := x.rooms.known[e.Before]; ok {
		return known, nil
	}
	entries, err := x.store.State(ctx, e.Before, event.Key{Type: "m.room.encryption"})
	if err != nil {
		return false, err
	}
	if x.rooms.known == nil || len(x.rooms.known) >= maxStates {
		x.rooms.known = make(map[blob.Hash]bool)
	}
	x.rooms.known[e.Before] = entries[0].ID != ""
	return entries[0].ID != "", nil
}

// flushIfFull writes what is in memory if that is enough.
func (x *Index) flushIfFull(ctx context.Context, pos store.Pos) error {
	events, entries := x.memory.size()
	if m, _ := x.current(); events < x.o.Segment && entries < maxEntries && pos-m.pos < maxUnsaved {
		return nil
	}
	return x.flush(ctx, pos)
}

// flush writes what is in memory as a segment, and that the log was read up to pos.
func (x *Index) flush(ctx context.Context, pos store.Pos) error {
	entries := x.memory.sorted()
	m, _ := x.current()
	m = m.clone()
	m.pos = pos
	var rows []blob.Row
	if len(entries) > 0 {
		s := segment{id: m.next, upTo: pos, size: uint64(len(entries))}
		m.next++
		m.segments = append(m.segments, s)
		w := chunkWriter{id: s.id}
		for _, e := range entries {
			w.add(e)
		}
		rows = w.end()
	}
	if err := x.save(ctx, m, rows...); err != nil {
		return err
	}
	x.install(m) // searches see an event twice rather than never; they leave out the second
	x.memory.clear()
	return nil
}

// save writes a manifest and rows, and returns once they are durable.
func (x *Index) save(ctx context.Context, m *manifest, rows ...blob.Row) error {
	_, err := x.store.Apply(ctx, func(tx *store.Tx) {
		tx.Set(tableManifest, []byte{0}, appendManifest(nil, m))
		setRows(tx, rows)
	})
	if err != nil {
		return fmt.Errorf("writing the search index: %w", err)
	}
	return nil
}

func setRows(tx *store.Tx, rows []blob.Row) {
	for _, r := range rows {
		if r.Value == nil {
			tx.Delete(r.Table, r.Key)
			continue
		}
		tx.Set(r.Table, r.Key, r.Value)
	}
}

// chunkWriter cuts entries, which come in order, into rows.
type chunkWriter struct {
	id   uint64
	c    chunk
	rows []blob.Row
}

func (w *chunkWriter) add(e entry) {
	w.c.add(e)
	if len(w.c.data) >= maxChunk {
		w.cut()
	}
}

func (w *chunkWriter) cut() {
	if w.c.count > 0 {
		w.rows = append(w.rows, blob.Row{Table: tablePostings, Key: chunkKey(w.id, w.c.first.term, w.c.first.spot), Value: w.c.data})
	}
	w.c = chunk{}
}

// end returns the rows that were not taken yet.
func (w *chunkWriter) end() []blob.Row {
	w.cut()
	return slices.Clip(w.rows)
}
