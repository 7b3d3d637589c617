package push

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"

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
	mu := p.lock(r.User)
	mu.Lock()
	defer mu.Unlock()
	suffix := receiptSuffix(r.User, r.Kind, r.Thread)
	key := roomKey(room.Num, suffix)
	row, err := p.store.Row(ctx, tableReceipts, key)
	if err != nil {
		return err
	}
	var old *Receipt
	if row != nil {
		if old, err = readReceipt(suffix, row); err != nil {
			return err
		}
		if old.Order >= r.Order {
			return nil
		}
	}
	t, err := p.store.Append(ctx, func(tx *store.Tx) {
		r.Pos = tx.Note(store.Note{Kind: store.KindReceipt, Room: room.Num, User: r.User})
		if old != nil {
			tx.Delete(tableReceiptPos, roomKey(room.Num, key8(old.Pos)))
		}
		tx.Set(tableReceipts, key, appendReceipt(&r))
		tx.Set(tableReceiptPos, roomKey(room.Num, key8(r.Pos)), suffix)
	})
	if err != nil {
		return err
	}
	err = t.Wait(context.WithoutCancel(ctx))
	p.forget(countKey{r.User, room.Num})
	return err
}

func key8(pos store.Pos) []byte { return binary.BigEndian.AppendUint64(nil, uint64(pos)) }

// checkThread refuses a threaded receipt for an event that is not in the thread.
// spec: client-server-api#threaded-read-receipts
func (p *Push) checkThread(ctx context.Context, e *store.Event, thread string) error {
	if thread == "" {
		return nil
	}
	root, err := p.threadOf(ctx, e)
	if err != nil {
		return err
	}
	if thread == "main" && root == "" || thread == string(root) || thread == string(e.ID) {
		return nil
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

// Receipts returns a room's receipts that were set after since and up to now, without other users' private ones,
// oldest first.
func (p *Push) Receipts(ctx context.Context, room store.RoomNum, since, now store.Pos, user matrix.UserID) ([]Receipt, error) {
	var suffixes [][]byte
	var keys []blob.RowKey
	r := blob.Range{Table: tableReceiptPos, From: roomKey(room, key8(since+1)), To: roomKey(room, key8(now+1))}
	for row, err := range p.store.Scan(ctx, r) {
		if err != nil {
			return nil, fmt.Errorf("reading receipts: %w", err)
		}
		suffixes = append(suffixes, row.Value)
		keys = append(keys, blob.RowKey{Table: tableReceipts, Key: roomKey(room, row.Value)})
	}
	if len(keys) == 0 {
		return nil, nil
	}
	rows, err := p.store.Rows(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("reading receipts: %w", err)
	}
	var out []Receipt
	for i, row := range rows {
		if row == nil {
			continue
		}
		rec, err := readReceipt(suffixes[i], row)
		if err != nil {
			return nil, err
		}
		if rec.Pos <= now && (rec.Kind != ReadPrivate || rec.User == user) {
			out = append(out, *rec)
		}
	}
	return out, nil
}

// AppendReceipts writes an m.receipt event as /sync holds it.
// spec: client-server-api#mreceipt
func AppendReceipts(dst []byte, receipts []Receipt) []byte {
	byEvent := make(map[matrix.EventID]map[string]map[matrix.UserID]*Receipt)
	var events []matrix.EventID
	for i := range receipts {
		r := &receipts[i]
		kinds := byEvent[r.Event]
		if kinds == nil {
			kinds = make(map[string]map[matrix.UserID]*Receipt)
			byEvent[r.Event] = kinds
			events = append(events, r.Event)
		}
		if kinds[r.Kind] == nil {
			kinds[r.Kind] = make(map[matrix.UserID]*Receipt)
		}
		if have := kinds[r.Kind][r.User]; have == nil || have.Pos < r.Pos {
			kinds[r.Kind][r.User] = r
		}
	}
	dst = append(dst, `{"content":{`...)
	for i, id := range events {
		dst = comma(dst, i)
		dst = append(matrix.AppendString(dst, string(id)), ':', '{')
		n := 0
		for _, kind := range []string{Read, ReadPrivate} {
			if users := byEvent[id][kind]; users != nil {
				dst = comma(dst, n)
				n++
				dst = append(matrix.AppendString(dst, kind), ':', '{')
				dst = appendUsers(dst, users)
				dst = append(dst, '}')
			}
		}
		dst = append(dst, '}')
	}
	return append(dst, `},"type":"m.receipt"}`...)
}

func appendUsers(dst []byte, users map[matrix.UserID]*Receipt) []byte {
	n := 0
	for user, r := range users {
		dst = comma(dst, n)
		n++
		dst = append(matrix.AppendString(dst, string(user)), `:{"ts":`...)
		dst = strconv.AppendInt(dst, r.Time, 10)
		if r.Thread != "" {
			dst = append(dst, `,"thread_id":`...)
			dst = matrix.AppendString(dst, r.Thread)
		}
		dst = append(dst, '}')
	}
	return dst
}

func comma(dst []byte, n int) []byte {
	if n > 0 {
		return append(dst, ',')
	}
	return dst
}
