package main

import (
	"context"
	"fmt"
	"time"

	"hearth/matrix/wire"
)

// manyRooms measures the first sync of an account with many rooms, each of two
// members with a name and a few messages.
func (b *bench) manyRooms(ctx context.Context) error {
	owner := b.people[0].Other()
	if err := owner.Register(ctx, "owner", "correct horse battery staple"); err != nil {
		return fmt.Errorf("registering: %w", err)
	}
	b.people = append(b.people, owner)
	err := each(b.options.rooms, func(i int) error { return b.smallRoom(ctx, owner, i) })
	if err != nil {
		return fmt.Errorf("making rooms: %w", err)
	}
	if err := b.firstSync("", "30 / 3 ms"); err != nil {
		return err
	}
	return b.memory(fmt.Sprintf("after %d rooms", b.options.rooms), "64 MiB")
}

func (b *bench) smallRoom(ctx context.Context, owner *wire.Client, i int) error {
	id, err := owner.CreateRoom(ctx, wire.CreateRoom{Preset: "public_chat", Name: fmt.Sprintf("Room %d", i)})
	if err != nil {
		return err
	}
	if _, err := b.people[1].Join(ctx, string(id)); err != nil {
		return err
	}
	for n := range 5 {
		if _, err := b.people[1].SendText(ctx, id, fmt.Sprintf("small.%d.%d", i, n), "Are you there?"); err != nil {
			return err
		}
	}
	return nil
}

// firstSync measures the owner's initial sync, with the default filter, and
// the same once more.
func (b *bench) firstSync(when, aim string) error {
	owner := b.people[len(b.people)-1]
	c, err := dial(b.server.Address(), owner.Token)
	if err != nil {
		return err
	}
	defer c.close()
	var took [2]time.Duration
	var size int
	for i := range took {
		begin := time.Now()
		answer, err := c.do("GET", "/_matrix/client/v3/sync?timeout=0", nil)
		if err != nil {
			return fmt.Errorf("syncing %d rooms: %w", b.options.rooms, err)
		}
		took[i], size = time.Since(begin), len(answer)
	}
	b.table.row(fmt.Sprintf("initial sync of %d rooms%s, first / again", b.options.rooms, when), aim,
		"%s / %s (%d KB)", millis(took[0]), millis(took[1]), size/1024)
	return nil
}

// laterStart measures the start on the folder that all this has filled.
func (b *bench) laterStart(ctx context.Context) error {
	if err := b.server.Stop(ctx); err != nil {
		return err
	}
	begin := time.Now()
	if err := b.server.Restart(); err != nil {
		return err
	}
	if err := b.ready(ctx); err != nil {
		return err
	}
	b.table.row("start to first answer, again", "100 ms", "%s", millis(time.Since(begin)))
	if err := b.memory("idle, again", "40 MiB"); err != nil {
		return err
	}
	return b.firstSync(" after a start", "")
}
