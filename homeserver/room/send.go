package room

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

// Message is an event that a client sends.
type Message struct {
	Sender  matrix.UserID
	Device  string
	Type    string
	Content []byte // a JSON object
	Txn     string // the client's transaction id; "" if the request has none
	Time    int64  // origin_server_ts in ms, for application services; 0 is now
}

// write gives f the stage of a room, commits what f staged, and returns the id of f's event once it is durable.
func (rs *Rooms) write(ctx context.Context, num store.RoomNum, f func(*stage) (*store.Event, error)) (matrix.EventID, error) {
	var id matrix.EventID
	t, err := rs.turn(ctx, num, func(st *stage) error {
		e, err := f(st)
		if err == nil {
			id = e.ID
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return id, t.Wait(ctx)
}

// errUnchanged is returned to turn by who has found nothing to do and need not wait for anything.
var errUnchanged = errors.New("nothing to do")

// turn takes the turn of a room, gives f its stage and commits what f staged. If an earlier write has failed, so that
// the stage stood on nothing, it begins anew.
func (rs *Rooms) turn(ctx context.Context, num store.RoomNum, f func(*stage) error) (*store.Ticket, error) {
	for {
		t, err := rs.try(ctx, num, f)
		if !errors.Is(err, store.ErrStale) {
			return t, err
		}
	}
}

func (rs *Rooms) try(ctx context.Context, num store.RoomNum, f func(*stage) error) (*store.Ticket, error) {
	w, err := rs.take(ctx, num)
	if err != nil {
		return nil, err
	}
	defer w.give()
	st := w.stage()
	if err := f(st); err != nil {
		return nil, err
	}
	return st.finish(ctx)
}

// finish commits, or, when nothing was staged because it was so already, waits for what may not be durable yet.
func (st *stage) finish(ctx context.Context) (*store.Ticket, error) {
	if len(st.events)+len(st.writes) > 0 {
		return st.commit(ctx)
	}
	return st.rooms.store.AppendIf(ctx, st.h.generation, func(*store.Tx) {})
}

// Send appends a message event and returns its id once it is durable. A request with the same transaction id
// gives the same id. A redaction names its target in its content, whatever the room's version.
// spec: client-server-api#put_matrixclientv3roomsroomidsendeventtypetxnid
func (rs *Rooms) Send(ctx context.Context, room *store.Room, m Message) (matrix.EventID, error) {
	return rs.once(ctx, room, m.Sender, m.Device, m.Txn, "send\x00"+m.Type, func(st *stage) (*store.Event, error) {
		if m.Type == event.TypeRedaction {
			return st.sendRedaction(ctx, &m)
		}
		e, err := st.add(ctx, draftEvent{sender: m.Sender, typ: m.Type, content: m.Content, time: m.Time, device: m.Device, txn: m.Txn})
		if err != nil {
			return nil, err
		}
		return e, st.relate(ctx, e)
	})
}

// SetState appends a state event and returns its id once it is durable. A membership is changed as by SetMembership.
// spec: client-server-api#put_matrixclientv3roomsroomidstateeventtypestatekey
func (rs *Rooms) SetState(ctx context.Context, room *store.Room, m Message, stateKey string) (matrix.EventID, error) {
	if m.Type == memberType {
		membership, ok := matrix.StringField(m.Content, "membership")
		if !ok {
			return "", matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "membership must be a string")
		}
		target, err := matrix.ParseUserID(stateKey)
		if err != nil {
			return "", err
		}
		return rs.SetMembership(ctx, room, Change{Sender: m.Sender, Target: target, Membership: membership, Extra: m.Content})
	}
	return rs.write(ctx, room.Num, func(st *stage) (*store.Event, error) {
		return st.add(ctx, draftEvent{sender: m.Sender, typ: m.Type, stateKey: &stateKey, content: m.Content, time: m.Time, device: m.Device})
	})
}

// once runs f in a room unless the transaction has been answered before.
func (rs *Rooms) once(ctx context.Context, room *store.Room, user matrix.UserID, device, txn, kind string, f func(*stage) (*store.Event, error)) (matrix.EventID, error) {
	if txn == "" {
		return rs.write(ctx, room.Num, f)
	}
	key := transactionKey(rs.week(), room.Num, user, device, kind, txn)
	if len(key) > blob.MaxKey {
		return "", matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The transaction id is too long")
	}
	suffix := string(key[8:])
	asked := rs.moment.Add(1)
	if id, err := rs.answered(ctx, key); err != nil || id != "" {
		return id, err
	}
	return rs.write(ctx, room.Num, func(st *stage) (*store.Event, error) {
		id, ok := st.h.recent.get(suffix)
		if !ok && st.h.recent.forgot > asked {
			var err error
			if id, err = rs.answered(ctx, key); err != nil {
				return nil, err
			}
		}
		if id != "" {
			return &store.Event{Event: &event.Event{ID: id}}, nil // finish waits until it is durable
		}
		e, err := f(st)
		if err != nil {
			return nil, err
		}
		st.writes = append(st.writes, func(tx *store.Tx) { tx.Set(tableTransactions, key, []byte(e.ID)) })
		st.remember(suffix, e.ID)
		return e, nil
	})
}

const tableTransactions = "txn"

func (rs *Rooms) week() uint64 { return uint64(rs.o.Now().Unix()) / uint64(7*24*time.Hour/time.Second) }

func transactionKey(week uint64, room store.RoomNum, user matrix.UserID, device, kind, txn string) []byte {
	key := make([]byte, 0, 8+len(user)+1+len(device)+1+8+len(kind)+1+len(txn))
	key = binary.BigEndian.AppendUint64(key, week)
	key = append(append(key, user...), 0)
	key = append(append(key, device...), 0)
	key = binary.BigEndian.AppendUint64(key, uint64(room))
	key = append(append(key, kind...), 0)
	return append(key, txn...)
}

// answered returns the event that a transaction was answered with in its week or the one before, "" if it is new.
func (rs *Rooms) answered(ctx context.Context, key []byte) (matrix.EventID, error) {
	before := bytes.Clone(key)
	binary.BigEndian.PutUint64(before, binary.BigEndian.Uint64(key)-1)
	rows, err := rs.store.Rows(ctx, blob.RowKey{Table: tableTransactions, Key: key}, blob.RowKey{Table: tableTransactions, Key: before})
	if err != nil {
		return "", fmt.Errorf("looking for a transaction: %w", err)
	}
	for _, row := range rows {
		if row != nil {
			return matrix.EventID(row), nil
		}
	}
	return "", nil
}

// Prune removes transactions that are too old to be repeated, at most limit of them, and returns how many.
func (rs *Rooms) Prune(ctx context.Context, limit int) (int, error) {
	end := binary.BigEndian.AppendUint64(nil, rs.week()-1)
	var keys [][]byte
	for row, err := range rs.store.Scan(ctx, blob.Range{Table: tableTransactions, To: end, Limit: limit}) {
		if err != nil {
			return 0, err
		}
		keys = append(keys, row.Key)
	}
	if len(keys) == 0 {
		return 0, nil
	}
	_, err := rs.store.Apply(ctx, func(tx *store.Tx) {
		for _, k := range keys {
			tx.Delete(tableTransactions, k)
		}
	})
	return len(keys), err
}
