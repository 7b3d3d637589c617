package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
	"hearth/storage/merkle"
)

// StateEntry is one entry of a room's state: which event holds a key.
type StateEntry struct {
	Key   event.Key
	Order Order
	ID    matrix.EventID
}

func stateKey(k event.Key) []byte {
	dst := make([]byte, 0, len(k.Type)+len(k.StateKey)+2)
	dst = appendString(dst, k.Type)
	return append(dst, k.StateKey...)
}

func stateValue(order Order, id matrix.EventID) []byte { return append(orderKey(nil, order), id...) }

func readStateKey(k []byte) (event.Key, error) {
	n, w := binary.Uvarint(k)
	if w <= 0 || n > uint64(len(k)-w) {
		return event.Key{}, errMalformed
	}
	return event.Key{Type: string(k[w : w+int(n)]), StateKey: string(k[w+int(n):])}, nil
}

func readStateValue(v []byte) (Order, matrix.EventID, error) {
	if len(v) < 8 {
		return 0, "", errMalformed
	}
	return readOrder(v), matrix.EventID(v[8:]), nil
}

// Draft collects the nodes of state trees that are not written yet, and reads them as if they were.
type Draft struct {
	store *Store
	nodes map[blob.Hash][]byte
	order []blob.Hash
}

// Draft begins a change of state.
func (s *Store) Draft() *Draft { return &Draft{store: s, nodes: map[blob.Hash][]byte{}} }

// Get reads nodes, the draft's own included.
func (d *Draft) Get(ctx context.Context, hashes ...blob.Hash) ([][]byte, error) {
	if len(hashes) == 1 {
		if data, ok := d.nodes[hashes[0]]; ok {
			return [][]byte{data}, nil
		}
		return d.store.nodeSource().Get(ctx, hashes...)
	}
	out := make([][]byte, len(hashes))
	var missing []blob.Hash
	var at []int
	for i, h := range hashes {
		if data, ok := d.nodes[h]; ok {
			out[i] = data
			continue
		}
		missing, at = append(missing, h), append(at, i)
	}
	if len(missing) == 0 {
		return out, nil
	}
	got, err := d.store.nodeSource().Get(ctx, missing...)
	if err != nil {
		return nil, err
	}
	for j, i := range at {
		out[i] = got[j]
	}
	return out, nil
}

func (d *Draft) put(data []byte) blob.Hash {
	h := blob.Sum(data)
	if _, ok := d.nodes[h]; !ok {
		d.nodes[h] = data
		d.order = append(d.order, h)
	}
	return h
}

// Set returns the root of root's state with these entries in place.
func (d *Draft) Set(ctx context.Context, root blob.Hash, entries ...StateEntry) (blob.Hash, error) {
	edits := make([]merkle.Edit, len(entries))
	for i, e := range entries {
		edits[i] = merkle.Edit{Key: stateKey(e.Key), Value: stateValue(e.Order, e.ID)}
	}
	after, err := merkle.Apply(ctx, d, root, edits, d.put)
	if err != nil {
		return blob.Hash{}, fmt.Errorf("changing state: %w", err)
	}
	return after, nil
}

// PutDraft writes the draft's nodes. Until they are durable, the store reads them from memory.
func (tx *Tx) PutDraft(d *Draft) {
	for _, h := range d.order {
		tx.batch.Blobs = append(tx.batch.Blobs, d.nodes[h])
	}
	tx.store.pending.add(d)
	tx.drafts = append(tx.drafts, d)
}

// State returns the entries of these keys, in order; the ID of an absent one is "".
func (s *Store) State(ctx context.Context, root blob.Hash, keys ...event.Key) ([]StateEntry, error) {
	raw := make([][]byte, len(keys))
	for i, k := range keys {
		raw[i] = stateKey(k)
	}
	values, err := merkle.Get(ctx, s.nodeSource(), root, raw...)
	if err != nil {
		return nil, fmt.Errorf("reading state: %w", err)
	}
	out := make([]StateEntry, len(keys))
	for i, v := range values {
		out[i].Key = keys[i]
		if v == nil {
			continue
		}
		if out[i].Order, out[i].ID, err = readStateValue(v); err != nil {
			return nil, fmt.Errorf("reading state: %w", err)
		}
	}
	return out, nil
}

// StateEvents returns the state events of these keys, nil for each that is absent.
func (s *Store) StateEvents(ctx context.Context, room RoomNum, root blob.Hash, keys ...event.Key) ([]*Event, error) {
	return s.stateEvents(ctx, room, root, s.events.get, keys)
}

func (s *Store) stateEvents(ctx context.Context, room RoomNum, root blob.Hash, memory memory, keys []event.Key) ([]*Event, error) {
	entries, err := s.State(ctx, root, keys...)
	if err != nil {
		return nil, err
	}
	return s.entryEvents(ctx, room, memory, entries)
}

// EntryEvents returns the events of state entries, nil for each whose ID is "".
func (s *Store) EntryEvents(ctx context.Context, room RoomNum, entries []StateEntry) ([]*Event, error) {
	return s.entryEvents(ctx, room, s.events.get, entries)
}

func (s *Store) entryEvents(ctx context.Context, room RoomNum, memory memory, entries []StateEntry) ([]*Event, error) {
	wanted := make([]eventKey, len(entries))
	for i, e := range entries {
		if e.ID != "" {
			wanted[i] = eventKey{room, e.Order}
		}
	}
	events, err := s.load(ctx, wanted, memory)
	if err != nil {
		return nil, err
	}
	for i, e := range entries {
		if e.ID != "" && events[i] == nil {
			return nil, fmt.Errorf("reading state: event %s of room %d is missing", e.ID, room)
		}
	}
	return events, nil
}

// ScanState yields a state's entries, of one event type only unless typ is nil, by type and state key.
func (s *Store) ScanState(ctx context.Context, root blob.Hash, typ *string) iter.Seq2[StateEntry, error] {
	return func(yield func(StateEntry, error) bool) {
		var from, to []byte
		if typ != nil {
			from = stateKey(event.Key{Type: *typ})
			to = blob.PrefixEnd(from)
		}
		for e, err := range merkle.Scan(ctx, s.nodeSource(), root, from, to) {
			var out StateEntry
			if err == nil {
				out, err = readStateEntry(e.Key, e.Value)
			}
			if err != nil {
				yield(out, fmt.Errorf("reading state: %w", err))
				return
			}
			if !yield(out, nil) {
				return
			}
		}
	}
}

func readStateEntry(k, v []byte) (e StateEntry, err error) {
	if e.Key, err = readStateKey(k); err != nil {
		return e, err
	}
	e.Order, e.ID, err = readStateValue(v)
	return e, err
}

// StateChange is a key whose event differs between two states; an ID of "" means absent.
type StateChange struct{ A, B StateEntry }

// DiffState yields what differs between the states a and b, at the cost of the difference.
func (s *Store) DiffState(ctx context.Context, a, b blob.Hash) iter.Seq2[StateChange, error] {
	return func(yield func(StateChange, error) bool) {
		for c, err := range merkle.Diff(ctx, s.nodeSource(), a, b) {
			var out StateChange
			if err == nil {
				out, err = readStateChange(c)
			}
			if err != nil {
				yield(out, fmt.Errorf("comparing states: %w", err))
				return
			}
			if !yield(out, nil) {
				return
			}
		}
	}
}

func readStateChange(c merkle.Change) (out StateChange, err error) {
	k, err := readStateKey(c.Key)
	if err != nil {
		return out, err
	}
	out.A.Key, out.B.Key = k, k
	if c.A != nil {
		if out.A.Order, out.A.ID, err = readStateValue(c.A); err != nil {
			return out, err
		}
	}
	if c.B != nil {
		out.B.Order, out.B.ID, err = readStateValue(c.B)
	}
	return out, err
}
