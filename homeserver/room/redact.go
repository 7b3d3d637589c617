package room

import (
	"context"
	"net/http"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/authrules"
	"hearth/matrix/event"
)

const redactionType = "m.room.redaction"

// Redaction is a request to empty an event.
type Redaction struct {
	Sender  matrix.UserID
	Device  string
	Target  matrix.EventID
	Content []byte // "reason" and what else the client says; an object
	Txn     string
}

// Redact appends a redaction, empties its target, and returns the redaction's id once both are durable.
// spec: client-server-api#put_matrixclientv3roomsroomidredacteventidtxnid
func (rs *Rooms) Redact(ctx context.Context, room *store.Room, r Redaction) (matrix.EventID, error) {
	return rs.once(ctx, room, r.Sender, r.Device, r.Txn, "redact\x00"+string(r.Target), func(st *stage) (*store.Event, error) {
		return st.redact(ctx, r)
	})
}

func (st *stage) redact(ctx context.Context, r Redaction) (*store.Event, error) {
	target, err := st.target(ctx, r.Target)
	if err != nil {
		return nil, err
	}
	e, err := st.add(ctx, draftEvent{sender: r.Sender, typ: redactionType, content: r.Content, redacts: r.Target, device: r.Device, txn: r.Txn})
	if err != nil {
		return nil, err
	}
	allowed, err := st.mayRedact(ctx, r.Sender, target)
	if err != nil {
		return nil, err
	}
	if !allowed {
		return nil, matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You may not redact this event")
	}
	return e, st.empty(ctx, target, e)
}

// target returns the event to redact.
func (st *stage) target(ctx context.Context, id matrix.EventID) (*store.Event, error) {
	target, err := st.rooms.store.EventByID(ctx, id)
	if err != nil {
		return nil, err
	}
	if target == nil || target.Room != st.info.Num || !target.Visible() {
		return nil, matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no such event in this room")
	}
	return target, nil
}

// mayRedact says whether sender may redact target: one's own event, or any with the power to.
// spec: rooms/v3#handling-redactions
func (st *stage) mayRedact(ctx context.Context, sender matrix.UserID, target *store.Event) (bool, error) {
	if target.Sender == sender {
		return true, nil
	}
	create, err := st.current(ctx, "m.room.create", "")
	if err != nil {
		return false, err
	}
	power, err := st.current(ctx, "m.room.power_levels", "")
	if err != nil {
		return false, err
	}
	needed := int64(50)
	if power != nil {
		if n, ok := matrix.IntField(power.Content, "redact"); ok {
			needed = n
		}
	}
	return authrules.UserLevel(sender, plain(create), plain(power)) >= needed, nil
}

// empty replaces target by its redacted form and takes it out of what it related to.
func (st *stage) empty(ctx context.Context, target, by *store.Event) error {
	if target.RedactedBy != 0 || target.Type == redactionType && st.info.Version.RedactsInContent {
		return nil
	}
	redacted, err := target.Redacted()
	if err != nil {
		return err
	}
	if err := st.unrelate(ctx, target); err != nil {
		return err
	}
	changed := *target
	changed.Event, changed.RedactedBy = redacted, by.Order
	st.writes = append(st.writes, func(tx *store.Tx) {
		tx.ReplaceEvent(&changed)
		tx.Note(store.Note{Kind: store.KindRedacted, Room: changed.Room, Order: changed.Order})
	})
	if changed.IsState() {
		k := event.Key{Type: changed.Type, StateKey: *changed.StateKey}
		if e := st.get(k); e != nil && e.ID == changed.ID {
			if st.state == nil {
				st.state = make(map[event.Key]*store.Event)
			}
			st.state[k] = &changed
		}
	}
	return nil
}
