package room

import (
	"context"
	"fmt"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// How much of bans and children one change copies at most: events, and bytes of their contents.
const (
	copyPage  = 100
	copyBytes = 512 << 10
)

// copyMany stages the bans and a space's children. If that is more than a page, the new room is made durable page by
// page, but for the last one.
func (u *upgrade) copyMany(ctx context.Context) error {
	if err := u.rooms.store.Settle(ctx); err != nil { // now all events of the state can be read
		return err
	}
	count, size := 0, 0
	types := []string{memberType}
	if u.creation.Type == "m.space" {
		types = append(types, childType)
	}
	for _, typ := range types {
		err := u.each(ctx, typ, func(e *store.Event) error {
			if count >= copyPage || size+len(e.Content) > copyBytes && count > 0 {
				if err := u.turnPage(ctx); err != nil {
					return err
				}
				count, size = 0, 0
			}
			count++
			size += len(e.Content)
			if typ == childType {
				return u.copy(ctx, childType, *e.StateKey, e.Content)
			}
			reason, _ := matrix.StringField(e.Content, "reason")
			_, err := u.next.change(ctx, Change{Sender: u.Sender, Target: matrix.UserID(*e.StateKey), Membership: event.Ban, Reason: reason})
			return unlessRefused(err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// each gives do the old room's state events of a type that are to be copied: of members only bans, and of children
// those that were not taken away.
func (u *upgrade) each(ctx context.Context, typ string, do func(*store.Event) error) error {
	const page = 256
	entries := make([]store.StateEntry, 0, page)
	flush := func() error {
		events, err := u.rooms.store.EntryEvents(ctx, u.old.info.Num, entries)
		if err != nil {
			return fmt.Errorf("reading what to copy of room %s: %w", u.old.info.ID, err)
		}
		entries = entries[:0]
		for _, e := range events {
			if e == nil || typ == memberType && e.Membership() != event.Ban || typ == childType && string(e.Content) == "{}" {
				continue
			}
			if err := do(e); err != nil {
				return err
			}
		}
		return nil
	}
	for entry, err := range u.rooms.store.ScanState(ctx, u.old.h.info.State, &typ) {
		if err != nil {
			return err
		}
		if entries = append(entries, entry); len(entries) == page {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// turnPage commits what is staged of the new room and takes its turn for more.
func (u *upgrade) turnPage(ctx context.Context) error {
	t, err := u.next.commit(ctx)
	if err != nil {
		return err
	}
	if err := t.Wait(ctx); err != nil {
		return err
	}
	u.letGo()
	u.writer = nil
	w, err := u.rooms.take(ctx, u.next.info.Num)
	if err != nil {
		return err
	}
	u.writer, u.next = w, w.stage()
	return nil
}
