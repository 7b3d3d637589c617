package timeline

import (
	"context"
	"net/http"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// disorder is how many events around a moment are looked at in any case: the clocks of servers differ, so that times do
// not always grow with the order of events.
const disorder = 128

// Nearest returns the event that the user may see whose time, in ms since 1970, is nearest to a moment, at it or later,
// or at it or earlier. It looks where the moment is if times grow with the order of events, and around there. The error
// is M_NOT_FOUND (404) if there is none near.
// spec: client-server-api#get_matrixclientv1roomsroomidtimestamp_to_event
func (t *Timeline) Nearest(ctx context.Context, user matrix.UserID, room *store.Room, a Access, moment int64, earlier bool) (*store.Event, error) {
	newest, err := t.store.Newest(ctx, room.Num)
	if err != nil {
		return nil, err
	}
	end := min(a.End, newest+1)
	at, err := t.orderAt(ctx, room.Num, 1, end, moment)
	if err != nil {
		return nil, err
	}
	s := nearest{t: t, eyes: t.Eyes(user, room.Num, a), moment: moment, earlier: earlier}
	// The side on which it should be is read until something is found, the other one as far as the disorder goes.
	if err := s.read(ctx, store.MinOrder, at, true, earlier); err != nil {
		return nil, err
	}
	if err := s.read(ctx, at, end, false, !earlier); err != nil {
		return nil, err
	}
	if s.best == nil {
		direction := "forward"
		if earlier {
			direction = "backward"
		}
		return nil, matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "Unable to find event from %d in %s direction", moment, direction)
	}
	return s.best, nil
}

// orderAt returns the order of the first event with from <= order < to at or after a moment, or to, if times grow with
// the orders. Some orders may have no events.
func (t *Timeline) orderAt(ctx context.Context, room store.RoomNum, from, to store.Order, moment int64) (store.Order, error) {
	for from < to {
		middle := from + (to-from)/2
		var e *store.Event
		for found, err := range t.store.Timeline(ctx, room, middle, to, false) {
			if err != nil {
				return 0, err
			}
			e = found
			break
		}
		switch {
		case e == nil || e.Time >= moment:
			to = middle
		default:
			from = e.Order + 1
		}
	}
	return from, nil
}

// nearest is a search for the event nearest to a moment.
type nearest struct {
	t       *Timeline
	eyes    *Eyes
	moment  int64
	earlier bool
	best    *store.Event
}

// read looks at the events with from <= order < to: at a few, or, if further is true, until something was found.
func (s *nearest) read(ctx context.Context, from, to store.Order, backward, further bool) error {
	read := 0
	for e, err := range s.t.store.Timeline(ctx, s.eyes.room, from, to, backward) {
		if err != nil {
			return err
		}
		if read++; read > disorder && (!further || s.best != nil) || read > maxScanned {
			return nil
		}
		if !s.nearer(e) {
			continue
		}
		ok, _, err := s.eyes.Sees(ctx, e)
		if err != nil {
			return err
		}
		if ok {
			s.best = e
		}
	}
	return nil
}

// nearer reports whether an event is on the right side of the moment, and nearer to it than the best one. Of equal times
// the first counts when looking forward, the last when looking back.
func (s *nearest) nearer(e *store.Event) bool {
	if s.earlier {
		return e.Time <= s.moment && (s.best == nil || e.Time > s.best.Time || e.Time == s.best.Time && e.Order > s.best.Order)
	}
	return e.Time >= s.moment && (s.best == nil || e.Time < s.best.Time || e.Time == s.best.Time && e.Order < s.best.Order)
}
