package directory

import (
	"context"

	"hearth/homeserver/store"
)

// ForgetRoom takes a room that was deleted out of all lists of published rooms, and removes its aliases.
func (d *Directory) ForgetRoom(ctx context.Context, room *store.Room) error {
	var networks []string
	for l, err := range d.published(ctx) {
		if err != nil {
			return err
		}
		if l.room == room.Num {
			networks = append(networks, l.network)
		}
	}
	for _, n := range networks {
		if err := d.SetPublished(ctx, n, room.Num, false); err != nil {
			return err
		}
	}
	aliases, err := d.OfRoom(ctx, room.Num)
	if err != nil {
		return err
	}
	for _, alias := range aliases {
		have, err := d.Resolve(ctx, alias)
		if err != nil {
			return err
		}
		if have == nil {
			continue
		}
		if err := d.Delete(ctx, alias, *have, room.Num); err != nil {
			return err
		}
	}
	return nil
}
