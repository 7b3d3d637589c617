package room

import (
	"context"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// DropAlias makes the change also, which removes an alias, and in it takes the alias out of the room's main and
// alternative ones, if the user may do that. It returns once that is durable, or will never be, even if ctx ends: the
// caller holds the alias.
func (rs *Rooms) DropAlias(ctx context.Context, room *store.Room, user matrix.UserID, alias matrix.RoomAlias, also func(*store.Tx)) error {
	t, err := rs.turn(ctx, room.Num, func(st *stage) error {
		st.writes = append(st.writes, also)
		e, err := st.current(ctx, aliasType, "")
		if err != nil || e == nil {
			return err
		}
		kept, moved := splitAliases(e.Content, []matrix.RoomAlias{alias})
		if string(moved) == "{}" {
			return nil
		}
		key := ""
		_, err = st.add(ctx, draftEvent{sender: user, typ: aliasType, stateKey: &key, content: kept})
		return unlessRefused(err)
	})
	if err != nil {
		return err
	}
	return t.Wait(context.WithoutCancel(ctx))
}
