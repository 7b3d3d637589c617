package account

import (
	"context"
	"fmt"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// ForgetRoom removes a user's account data in a room, a page at a time.
func (a *Accounts) ForgetRoom(ctx context.Context, user matrix.UserID, room store.RoomNum) error {
	for {
		n, err := a.forgetData(ctx, user, room)
		if err != nil {
			return fmt.Errorf("removing what %s kept in a room: %w", user, err)
		}
		if n < dataPage {
			return nil
		}
	}
}

// forgetData removes a page of account data, and returns how much that was.
func (a *Accounts) forgetData(ctx context.Context, user matrix.UserID, room store.RoomNum) (int, error) {
	unlock, err := a.lock(ctx, user)
	if err != nil {
		return 0, err
	}
	defer unlock()
	row, err := a.store.Row(ctx, tableData, key(user, dataUsage))
	if err != nil {
		return 0, err
	}
	used, err := readUsage(row)
	if err != nil {
		return 0, err
	}
	prefix := key(user, dataContent, key8(uint64(room)))
	q := blob.Prefix(tableData, prefix)
	q.Limit = dataPage
	var data []Datum
	for row, err := range a.store.Scan(ctx, q) {
		if err != nil {
			return 0, err
		}
		d, err := readDatum(user, room, string(row.Key[len(prefix):]), row.Value)
		if err != nil {
			return 0, err
		}
		used.rows -= min(used.rows, 1)
		used.bytes -= min(used.bytes, uint64(len(d.Type)+64+len(d.Content)))
		data = append(data, Datum{Type: d.Type, Pos: d.Pos})
	}
	if len(data) == 0 {
		return 0, nil
	}
	_, err = a.apply(ctx, func(tx *store.Tx) {
		for _, d := range data {
			tx.Delete(tableData, contentKey(user, room, d.Type))
			tx.Delete(tableData, positionKey(user, d.Pos))
		}
		tx.Set(tableData, key(user, dataUsage), appendUsage(nil, used))
	})
	return len(data), err
}
