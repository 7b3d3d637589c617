package push

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

const (
	tableReceipts   = "rcpt"
	tableReceiptPos = "rcptp"
)

// The kinds of receipts.
const (
	Read        = "m.read"
	ReadPrivate = "m.read.private"
)

// Receipt says up to which event a user has read.
type Receipt struct {
	User   matrix.UserID
	Kind   string // Read or ReadPrivate
	Thread string // "" for all threads, "main", or the event id of a thread's root
	Event  matrix.EventID
	Order  store.Order // of the event
	Time   int64       // when it was set, in ms
	Pos    store.Pos
}

func receiptSuffix(user matrix.UserID, kind, thread string) []byte {
	return []byte(string(user) + "\x00" + kind + "\x00" + thread)
}

func roomKey(room store.RoomNum, rest []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(rest)), uint64(room)), rest...)
}

func appendReceipt(r *Receipt) []byte {
	v := binary.BigEndian.AppendUint64(nil, uint64(r.Pos))
	v = binary.BigEndian.AppendUint64(v, uint64(r.Order)+1<<63)
	v = binary.BigEndian.AppendUint64(v, uint64(r.Time))
	return append(v, r.Event...)
}

func readReceipt(suffix, v []byte) (*Receipt, error) {
	parts := bytes.SplitN(suffix, []byte{0}, 3)
	if len(parts) != 3 || len(v) < 24 {
		return nil, fmt.Errorf("reading receipt: malformed record")
	}
	return &Receipt{
		User: matrix.UserID(parts[0]), Kind: string(parts[1]), Thread: string(parts[2]),
		Pos: store.Pos(binary.BigEndian.Uint64(v)), Order: store.Order(binary.BigEndian.Uint64(v[8:]) - 1<<63),
		Time: int64(binary.BigEndian.Uint64(v[16:])), Event: matrix.EventID(v[24:]),
	}, nil
}

// SetReceipt moves a user's receipt forward to r.Event and returns once that is durable. A receipt for an event
// that is older than what was read before, or unknown, changes nothing.
//
// Errors: M_INVALID_PARAM (400) if the event is not in the receipt's thread.
// spec: client-server-api#post_matrixclientv3roomsroomidreceiptreceipttypeeventid
func (p *Push) SetReceipt(ctx context.Context, room *store.Room, r Receipt) error {
	e, err := p.store.EventByID(ctx, r.Event)
	if err != nil || e == nil || e.Room != room.Num {
		return err
	}
	if err := p.checkThread(ctx, e, r.Thread); err != nil {
		return err
	}
	r.Order = e.Order
	suffix := receiptSuffix(r.User, r.Kind, r.Thread)
	key := roomKey(room.Num, suffix)
	if len(key) > blob.MaxKey {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The thread's id is too long")
	}
	mu := p.lock(r.User)
	mu.Lock()
	defer mu.Unlock()
	old, err := p.receipt(ctx, key)
	if err != nil || old != nil && old.Order >= r.Order {
		return err
	}
	defer p.counts.Change(countKey{r.User, room.Num})()
	defer p.reads.Change(countKey{r.User, room.Num})()
	_, err = p.apply(ctx, func(tx *store.Tx) {
		r.Pos = tx.Note(store.Note{Kind: store.KindReceipt, Room: room.Num, User: r.User})
		if old != nil {
			tx.Delete(tableReceiptPos, roomKey(room.Num, key8(old.Pos)))
		}
		tx.Set(tableReceipts, key, appendReceipt(&r))
		tx.Set(tableReceiptPos, roomKey(room.Num, key8(r.Pos)), suffix)
	})
	if err != nil {
		return fmt.Errorf("writing a receipt of %s: %w", r.User, err)
	}
	return nil
}

// receipt reads the receipt of a key, nil if there is none.
func (p *Push) receipt(ctx context.Context, key []byte) (*Receipt, error) {
	row, err := p.store.Row(ctx, tableReceipts, key)
	if err != nil || row == nil {
		return nil, err
	}
	return readReceipt(key[8:], row)
}

func key8(pos store.Pos) []byte { return binary.BigEndian.AppendUint64(nil, uint64(pos)) }

// checkThread refuses a threaded receipt for an event that is not in the thread. A thread's root is in the main
// timeline, and clients mark it as read in its thread too.
// spec: client-server-api#threaded-read-receipts
func (p *Push) checkThread(ctx context.Context, e *store.Event, thread string) error {
	isRoot := e.Aggregate != nil && e.Aggregate.Thread > 0
	if thread == "" || thread == string(e.ID) && isRoot {
		return nil
	}
	root, err := p.threadOf(ctx, e)
	if err != nil {
		return err
	}
	if thread == "main" && root == "" || thread == string(root) {
		return nil
	}
	if e.RedactedBy != 0 { // what it related to is gone
		known, err := p.store.EventByID(ctx, matrix.EventID(thread))
		if err != nil || known != nil && known.Room == e.Room {
			return err
		}
	}
	return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The event is not in thread %q", thread)
}

// maxHops is how many relations are followed to find an event's thread.
const maxHops = 3

// threadOf returns the root of the thread that an event is in, "" for the main timeline.
func (p *Push) threadOf(ctx context.Context, e *store.Event) (matrix.EventID, error) {
	for range maxHops {
		relType, _ := matrix.StringField(e.Content, "m.relates_to", "rel_type")
		parent, _ := matrix.StringField(e.Content, "m.relates_to", "event_id")
		if relType == "" || parent == "" {
			return "", nil
		}
		if relType == "m.thread" {
			return matrix.EventID(parent), nil
		}
		next, err := p.store.EventByID(ctx, matrix.EventID(parent))
		if err != nil || next == nil || next.Room != e.Room {
			return "", err
		}
		e = next
	}
	return "", nil
}
