package store

import (
	"context"
	"fmt"
	"slices"

	"hearth/storage/blob"
)

// fewMissing is how many events of a span are read one by one at most: more are read by a scan.
const fewMissing = 16

// Span returns the events of a room with first <= order <= last in their order, without those that are absent. It is for
// who goes through a long part of a room once: what is read from the disk for that does not drive out of memory what
// others read again and again. The caller bounds the span.
func (s *Store) Span(ctx context.Context, room RoomNum, first, last Order) ([]*Event, error) {
	if last < first {
		return nil, nil
	}
	out := make([]*Event, last-first+1)
	var missing []Order
	for i := range out {
		k := eventKey{room, first + Order(i)}
		if e, ok := s.events.get(k); ok {
			out[i] = e
		} else {
			missing = append(missing, k.order)
		}
	}
	switch {
	case len(missing) > fewMissing:
		if err := s.scanSpan(ctx, room, first, missing, out); err != nil {
			return nil, err
		}
	case len(missing) > 0:
		events, err := s.EventsAt(ctx, room, missing...)
		if err != nil {
			return nil, err
		}
		for i, e := range events {
			out[missing[i]-first] = e
		}
	}
	return slices.DeleteFunc(out, func(e *Event) bool { return e == nil }), nil
}

// scanSpan reads into out, which begins at the order first, the events that are missing there.
func (s *Store) scanSpan(ctx context.Context, room RoomNum, first Order, missing []Order, out []*Event) error {
	r := blob.Range{Table: tableEvents, From: Place(room, missing[0]), To: Place(room, missing[len(missing)-1]+1)}
	for row, err := range s.backend.Scan(ctx, r) {
		if err == nil && len(row.Key) != 17 {
			err = errMalformed
		}
		if err != nil {
			return fmt.Errorf("reading a part of room %d: %w", room, err)
		}
		order := readOrder(row.Key[8:16])
		if _, found := slices.BinarySearch(missing, order); !found {
			continue
		}
		e := &out[order-first]
		switch {
		case row.Key[16] == 0:
			*e, err = readEvent(room, order, row.Value)
		case *e != nil:
			(*e).Aggregate, err = readAggregate(row.Value)
		}
		if err != nil {
			return fmt.Errorf("reading event %d in room %d: %w", order, room, err)
		}
	}
	return nil
}
