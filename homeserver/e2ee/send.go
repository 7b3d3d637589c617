package e2ee

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// The limits of one request, in bytes and messages.
const (
	MaxMessage    = 64 << 10
	MaxType       = 255
	MaxTxn        = 255
	maxRequest    = 3 << 20
	maxDeliveries = 10_000
	perCopy       = 2*(matrix.MaxID+account.MaxDeviceID) + 256 // of keys and notes, at most
)

// delivery is one message for the devices of one user: one of them, or all.
type delivery struct {
	user    matrix.UserID
	to      string // the device of the note, "" for all
	devices []string
	message []byte
}

// SendToDevice puts messages, by user and device ("*" for all of the user's), into the queues of the devices that
// exist, and returns nil when they are durable. Users of other servers are passed over. Repeating a transaction does
// nothing.
//
// Errors: M_INVALID_PARAM and M_BAD_JSON (400), M_TOO_LARGE (413).
// spec: client-server-api#put_matrixclientv3sendtodeviceeventtypetxnid
func (e *E2EE) SendToDevice(ctx context.Context, from account.Session, txn, typ string, messages map[matrix.UserID]map[string]json.RawMessage) error {
	if err := check(txn, typ, messages); err != nil {
		return err
	}
	done, err := e.turn(ctx, from.User, from.Device)
	if err != nil {
		return err
	}
	defer done()
	suffix := transaction(from, typ, txn)
	repeated, err := e.repeated(ctx, suffix)
	if err != nil || repeated {
		return err
	}
	deliveries, err := e.address(ctx, from, typ, messages)
	if err != nil || len(deliveries) == 0 {
		return err
	}
	return e.deliver(ctx, weekKey(e.week(), suffix), deliveries)
}

func check(txn, typ string, messages map[matrix.UserID]map[string]json.RawMessage) error {
	if typ == "" || len(typ) > MaxType {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A type has 1 to %d bytes", MaxType)
	}
	if txn == "" || len(txn) > MaxTxn {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A transaction id has 1 to %d bytes", MaxTxn)
	}
	for user, devices := range messages {
		if _, err := matrix.ParseUserID(string(user)); err != nil {
			return err
		}
		for _, content := range devices {
			switch {
			case !matrix.IsObject(content):
				return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "A message must be an object")
			case len(content) > MaxMessage:
				return matrix.Errorf(http.StatusRequestEntityTooLarge, matrix.MTooLarge, "A message has at most %d bytes", MaxMessage)
			}
		}
	}
	return nil
}

// transaction is the key of a request, without its week.
func transaction(from account.Session, typ, txn string) []byte {
	k := binary.BigEndian.AppendUint64(queueKey(from.User, from.Device), uint64(from.Born))
	return append(append(append(k, typ...), 0), txn...)
}

const week = 7 * 24 * time.Hour

func (e *E2EE) week() uint64 { return uint64(max(e.now().Unix(), 0)) / uint64(week/time.Second) }

func weekKey(week uint64, suffix []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(suffix)), week), suffix...)
}

// repeated reports whether a request was answered in this week or the last.
func (e *E2EE) repeated(ctx context.Context, suffix []byte) (bool, error) {
	now := e.week()
	rows, err := e.store.Rows(ctx,
		blob.RowKey{Table: tableTransactions, Key: weekKey(now, suffix)},
		blob.RowKey{Table: tableTransactions, Key: weekKey(max(now, 1)-1, suffix)})
	if err != nil {
		return false, fmt.Errorf("looking for a transaction: %w", err)
	}
	return rows[0] != nil || rows[1] != nil, nil
}

// Prune forgets transactions that are too old to be repeated, at most limit of them, and returns how many.
func (e *E2EE) Prune(ctx context.Context, limit int) (int, error) {
	end := binary.BigEndian.AppendUint64(nil, max(e.week(), 1)-1)
	var old [][]byte
	for row, err := range e.store.Scan(ctx, blob.Range{Table: tableTransactions, To: end, Limit: limit}) {
		if err != nil {
			return 0, fmt.Errorf("looking for old transactions: %w", err)
		}
		old = append(old, slices.Clone(row.Key))
	}
	if len(old) == 0 {
		return 0, nil
	}
	_, err := e.store.Apply(ctx, func(tx *store.Tx) {
		for _, k := range old {
			tx.Delete(tableTransactions, k)
		}
	})
	if err != nil {
		return 0, fmt.Errorf("forgetting old transactions: %w", err)
	}
	return len(old), nil
}

// address finds out which devices the messages are for.
func (e *E2EE) address(ctx context.Context, from account.Session, typ string, messages map[matrix.UserID]map[string]json.RawMessage) ([]delivery, error) {
	var all []delivery
	copies, bytes := 0, 0
	for user, byDevice := range messages {
		devices, err := e.accounts.Devices(ctx, user)
		if err != nil {
			return nil, err
		}
		for to, content := range byDevice {
			d := delivery{user: user, to: to, devices: choose(devices, to)}
			if to == "*" {
				d.to = ""
			}
			if len(d.devices) == 0 {
				continue
			}
			d.message = appendMessage(nil, from.User, typ, content)
			copies += len(d.devices)
			bytes += len(d.devices) * (len(d.message) + perCopy)
			if copies > maxDeliveries || bytes > maxRequest {
				return nil, matrix.Errorf(http.StatusRequestEntityTooLarge, matrix.MTooLarge, "The messages are too many or too large for one request")
			}
			all = append(all, d)
		}
	}
	return all, nil
}

// choose returns the ids of the devices that are meant by a device id or "*".
func choose(devices []account.Device, to string) []string {
	var ids []string
	for i := range devices {
		if to == "*" || to == devices[i].ID {
			ids = append(ids, devices[i].ID)
		}
	}
	return ids
}

func appendMessage(dst []byte, sender matrix.UserID, typ string, content []byte) []byte {
	dst = matrix.AppendString(append(dst, `{"sender":`...), string(sender))
	dst = matrix.AppendString(append(dst, `,"type":`...), typ)
	dst = append(append(dst, `,"content":`...), content...)
	return append(dst, '}')
}

// deliver queues the messages and remembers the transaction, in one change.
func (e *E2EE) deliver(ctx context.Context, txn []byte, deliveries []delivery) error {
	var held []*queue
	defer func() {
		for _, q := range held {
			e.queues.release(q)
		}
	}()
	for i := range deliveries {
		d := &deliveries[i]
		for _, device := range d.devices {
			q, err := e.open(ctx, d.user, device)
			if err != nil {
				return err
			}
			held = append(held, q)
			if err := e.makeRoom(ctx, q, len(d.message)); err != nil {
				return err
			}
		}
	}
	// From here on the change is made or fails; a request that is given up meanwhile does not change that.
	tally := func(sign int) {
		i := 0
		for _, d := range deliveries {
			for range d.devices {
				e.queues.count(held[i], sign, sign*len(d.message))
				i++
			}
		}
	}
	tally(1) // before the change, so that nobody finds a queue empty that is not
	t, err := e.store.Append(ctx, func(tx *store.Tx) {
		tx.Set(tableTransactions, txn, nil)
		for _, d := range deliveries {
			pos := tx.Note(store.Note{Kind: store.KindToDevice, User: d.user, Device: d.to})
			for _, device := range d.devices {
				tx.Set(tableMessages, messageKey(d.user, device, pos), d.message)
			}
		}
	})
	if err == nil {
		err = t.Wait(context.WithoutCancel(ctx))
	}
	if err != nil {
		tally(-1)
		return fmt.Errorf("queueing messages for devices: %w", err)
	}
	return nil
}

func messageKey(user matrix.UserID, device string, pos store.Pos) []byte {
	return binary.BigEndian.AppendUint64(queueKey(user, device), uint64(pos))
}
