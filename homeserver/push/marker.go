package push

import (
	"context"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// FullyRead is the type of the account data that holds a room's marker.
const FullyRead = "m.fully_read"

// SetFullyRead moves a user's marker of fully read events forward and returns once that is durable. An event that is
// older than the marker, unknown or in another room changes nothing.
// spec: client-server-api#fully-read-markers
func (p *Push) SetFullyRead(ctx context.Context, user matrix.UserID, room *store.Room, id matrix.EventID) error {
	e, err := p.store.EventByID(ctx, id)
	if err != nil || e == nil || e.Room != room.Num {
		return err
	}
	mu := p.lock(user)
	mu.Lock()
	defer mu.Unlock()
	have, err := p.accounts.Data(ctx, user, room.Num, FullyRead)
	if err != nil {
		return err
	}
	if old, ok := matrix.StringField(have, "event_id"); ok {
		before, err := p.store.EventByID(ctx, matrix.EventID(old))
		if err != nil {
			return err
		}
		if before != nil && before.Room == room.Num && before.Order >= e.Order {
			return nil
		}
	}
	content := append(matrix.AppendString([]byte(`{"event_id":`), string(id)), '}')
	_, err = p.accounts.SetData(ctx, user, room.Num, FullyRead, content)
	return err
}
