package push

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// MaxReceipts is how many receipts of a room one answer holds at most, the newest ones, beside the user's own. It
// matters to the first sync of rooms with more members who read than that.
const MaxReceipts = 2000

// Receipts returns a room's receipts that were set after since and up to now, without other users' private ones,
// oldest first.
func (p *Push) Receipts(ctx context.Context, room store.RoomNum, since, now store.Pos, user matrix.UserID) ([]Receipt, error) {
	read := p.newestReceipts
	if since == 0 {
		read = p.allReceipts
	}
	out, err := read(ctx, room, since, now, user)
	if err != nil {
		return nil, err
	}
	out = slices.DeleteFunc(out, func(rec Receipt) bool {
		return rec.Pos <= since || rec.Pos > now || rec.Kind == ReadPrivate && rec.User != user
	})
	slices.SortFunc(out, func(a, b Receipt) int { return cmp.Compare(a.Pos, b.Pos) })
	return slices.CompactFunc(out, func(a, b Receipt) bool { return a.Pos == b.Pos }), nil
}

// allReceipts reads a room's receipts by their keys, unless there are too many. What the user has read is known then, too.
func (p *Push) allReceipts(ctx context.Context, room store.RoomNum, since, now store.Pos, user matrix.UserID) ([]Receipt, error) {
	k := countKey{user, room}
	_, _, version := p.reads.Get(k)
	var out []Receipt
	r := blob.Prefix(tableReceipts, roomKey(room, nil))
	r.Limit = MaxReceipts + 1
	for row, err := range p.store.Scan(ctx, r) {
		if err != nil {
			return nil, fmt.Errorf("reading receipts: %w", err)
		}
		rec, err := readReceipt(row.Key[8:], row.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, *rec)
	}
	if len(out) > MaxReceipts {
		return p.newestReceipts(ctx, room, since, now, user)
	}
	p.reads.Put(k, version, upTo(out, user))
	return out, nil
}

// newestReceipts reads a room's receipts by their positions; if there are too many the newest, and the user's own.
func (p *Push) newestReceipts(ctx context.Context, room store.RoomNum, since, now store.Pos, user matrix.UserID) ([]Receipt, error) {
	var suffixes [][]byte
	r := blob.Range{
		Table: tableReceiptPos, From: roomKey(room, key8(since+1)), To: roomKey(room, key8(now+1)),
		Reverse: true, Limit: MaxReceipts,
	}
	for row, err := range p.store.Scan(ctx, r) {
		if err != nil {
			return nil, fmt.Errorf("reading receipts: %w", err)
		}
		suffixes = append(suffixes, slices.Clone(row.Value))
	}
	if len(suffixes) == 0 {
		return nil, nil
	}
	out, err := p.receiptsAt(ctx, room, suffixes)
	if err != nil || len(suffixes) < MaxReceipts {
		return out, err
	}
	own, err := p.own(ctx, countKey{user, room})
	return append(out, own...), err
}

// receiptsAt reads the receipts with these keys, those that are there.
func (p *Push) receiptsAt(ctx context.Context, room store.RoomNum, suffixes [][]byte) ([]Receipt, error) {
	keys := make([]blob.RowKey, len(suffixes))
	for i, suffix := range suffixes {
		keys[i] = blob.RowKey{Table: tableReceipts, Key: roomKey(room, suffix)}
	}
	rows, err := p.store.Rows(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("reading receipts: %w", err)
	}
	out := make([]Receipt, 0, len(rows))
	for i, row := range rows {
		if row == nil {
			continue
		}
		rec, err := readReceipt(suffixes[i], row)
		if err != nil {
			return nil, err
		}
		out = append(out, *rec)
	}
	return out, nil
}

// own reads all receipts of a user in a room.
func (p *Push) own(ctx context.Context, k countKey) ([]Receipt, error) {
	var out []Receipt
	prefix := roomKey(k.room, []byte(string(k.user)+"\x00"))
	for row, err := range p.store.Scan(ctx, blob.Prefix(tableReceipts, prefix)) {
		if err != nil {
			return nil, fmt.Errorf("reading receipts: %w", err)
		}
		rec, err := readReceipt(row.Key[8:], row.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, *rec)
	}
	return out, nil
}

// AppendReceipts writes m.receipt events as /sync holds them, parted by commas: one for each thread, since an event
// has one receipt of a user and kind at most, and the unthreaded one last.
// spec: client-server-api#receipts, #mreceipt
func AppendReceipts(dst []byte, receipts []Receipt) []byte {
	sorted := slices.Clone(receipts)
	slices.SortStableFunc(sorted, func(a, b Receipt) int {
		return cmp.Or(-cmp.Compare(a.Thread, b.Thread), cmp.Compare(a.Order, b.Order), cmp.Compare(a.Event, b.Event), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.User, b.User))
	})
	for i := range sorted {
		r, before := &sorted[i], (*Receipt)(nil)
		if i > 0 {
			before = &sorted[i-1]
		}
		dst = appendReceiptOf(dst, r, before)
	}
	if len(sorted) > 0 {
		dst = append(dst, `}}},"type":"m.receipt"}`...)
	}
	return dst
}

// appendReceiptOf writes a receipt behind the one before it, which has closed nothing yet: the objects of its kind,
// its event and its thread's content are open.
func appendReceiptOf(dst []byte, r, before *Receipt) []byte {
	thread := before == nil || before.Thread != r.Thread
	event := thread || before.Event != r.Event
	kind := event || before.Kind != r.Kind
	switch {
	case before == nil:
	case thread:
		dst = append(dst, `}}},"type":"m.receipt"},`...)
	case event:
		dst = append(dst, `}},`...)
	case kind:
		dst = append(dst, `},`...)
	default:
		dst = append(dst, ',')
	}
	if thread {
		dst = append(dst, `{"content":{`...)
	}
	if event {
		dst = append(matrix.AppendString(dst, string(r.Event)), ':', '{')
	}
	if kind {
		dst = append(matrix.AppendString(dst, r.Kind), ':', '{')
	}
	dst = append(matrix.AppendString(dst, string(r.User)), `:{`...)
	if r.Thread != "" {
		dst = append(matrix.AppendString(append(dst, `"thread_id":`...), r.Thread), ',')
	}
	dst = append(dst, `"ts":`...)
	return append(strconv.AppendInt(dst, r.Time, 10), '}')
}
