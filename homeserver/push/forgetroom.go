package push

import (
	"context"
	"fmt"
	"iter"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// ForgetRoom removes the receipts and the counts of a room that was deleted; users are those who may have any.
func (p *Push) ForgetRoom(ctx context.Context, room store.RoomNum, users iter.Seq2[matrix.UserID, error]) error {
	for _, table := range []string{tableReceipts, tableReceiptPos} {
		if err := p.store.RemoveRows(ctx, table, []byte(key8(store.Pos(room)))); err != nil {
			return err
		}
	}
	for user, err := range users {
		if err == nil {
			_, err = p.store.Append(ctx, func(tx *store.Tx) { tx.Delete(tableCounts, countRow(countKey{user: user, room: room})) })
		}
		if err != nil {
			return fmt.Errorf("removing counts of a room: %w", err)
		}
	}
	return p.store.Settle(ctx)
}
