package room

import (
	"context"
	"net/http"

	"hearth/homeserver/store"
	"hearth/matrix"
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
	Time    int64 // origin_server_ts in ms, for application services; 0 is now
}

// Redact appends a redaction, empties its target, and returns the redaction's id once both are durable.
// spec: client-server-api#put_matrixclientv3roomsroomidredacteventidtxnid
func (rs *Rooms) Redact(ctx context.Context, room *store.Room, r Redaction) (matrix.EventID, error) {
	return rs.once(ctx, room, r.Sender, r.Device, r.Txn, "redact\x00"+string(r.Target), func(st *stage) (*store.Event, error) {
		return st.redact(ctx, r)
	})
}

// sendRedaction stages a redaction that was sent like any message.
func (st *stage) sendRedaction(ctx context.Context, m *Message) (*store.Event, error) {
	target, ok := matrix.StringField(m.Content, "redacts")
	if !ok {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "redacts must be the id of the event to redact")
	}
	return st.redact(ctx, Redaction{
		Sender: m.Sender, Device: m.Device, Txn: m.Txn, Target: matrix.EventID(target), Content: matrix.Without(nil, m.Content, "redacts"), Time: m.Time,
	})
}

func (st *stage) redact(ctx context.Context, r Redaction) (*store.Event, error) {
	// The room's rules first: who is not in the room learns nothing about its events.
	e, err := st.add(ctx, draftEvent{sender: r.Sender, typ: redactionType, content: r.Content, redacts: r.Target, time: r.Time, device: r.Device, txn: r.Txn})
	if err != nil {
		return nil, err
	}
	target, err := st.target(ctx, r.Target)
	if err != nil {
		return nil, err
	}
	if err := st.mayRedact(ctx, r.Sender, target); err != nil {
		return nil, err
	}
	return e, st.empty(ctx, target, e)
}

// target returns the event to redact.
func (st *stage) target(ctx context.Context, id matrix.EventID) (*store.Event, error) {
	target, err := st.rooms.store.Ahead().EventByID(ctx, id)
	if err != nil {
		return nil, err
	}
	if target == nil || target.Room != st.info.Num || !target.Visible() {
		return nil, matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no such event in this room")
	}
	return target, nil
}

// mayRedact refuses unless sender may redact target: one's own event; any with the power to; and, for administrators,
// those of this server's users. The room's rules have a say of their own.
// spec: client-server-api#put_matrixclientv3roomsroomidredacteventidtxnid, rooms/v3#handling-redactions
func (st *stage) mayRedact(ctx context.Context, sender matrix.UserID, target *store.Event) error {
	// NOTSPEC: without its create event or its access control list a room would look different to each server that has
	// or has not received the redaction. Other homeservers refuse it, too.
	if target.Type == event.TypeCreate || target.Type == "m.room.server_acl" {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "Events of type %s cannot be redacted", target.Type)
	}
	if target.Sender == sender {
		return nil
	}
	p, err := st.powers(ctx)
	if err != nil {
		return err
	}
	if p.of(sender) >= p.levels.RedactLevel() {
		return nil
	}
	if target.Sender.Server() == st.rooms.o.Signer.Server {
		if admin, err := st.rooms.accounts.IsAdmin(ctx, sender); err != nil || admin {
			return err
		}
	}
	return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You may not redact this event")
}

// empty replaces target by its redacted form and takes it out of what it related to.
func (st *stage) empty(ctx context.Context, target, by *store.Event) error {
	if target.RedactedBy != 0 {
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
