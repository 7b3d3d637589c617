package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// atOnce is how many requests are under way while accounts and rooms are made.
const atOnce = 8

// accounts registers the crowd and has it join rooms.
func (b *bench) accounts(ctx context.Context) error {
	first := wire.NewClient(b.server.URL())
	b.people = make([]*wire.Client, crowd)
	begin := time.Now()
	err := each(crowd, func(i int) error {
		b.people[i] = first.Other()
		return b.people[i].Register(ctx, fmt.Sprintf("user%d", i), "correct horse battery staple")
	})
	if err != nil {
		return fmt.Errorf("registering: %w", err)
	}
	b.table.row("registrations", "30/s", "%.0f/s", crowd/time.Since(begin).Seconds())
	return b.joins(ctx)
}

// joins measures how fast local users join public rooms, several at once.
func (b *bench) joins(ctx context.Context) error {
	const rooms = 10
	var ids [rooms]matrix.RoomID
	for i := range ids {
		id, err := b.people[0].CreateRoom(ctx, wire.CreateRoom{Preset: "public_chat"})
		if err != nil {
			return fmt.Errorf("creating a room: %w", err)
		}
		ids[i] = id
	}
	begin := time.Now()
	err := each(rooms*(crowd-1), func(i int) error {
		_, err := b.people[1+i/rooms].Join(ctx, string(ids[i%rooms]))
		return err
	})
	if err != nil {
		return fmt.Errorf("joining: %w", err)
	}
	b.table.row("local joins", "1000/s", "%.0f/s", rooms*(crowd-1)/time.Since(begin).Seconds())
	return nil
}

// room makes a room of these people.
func (b *bench) room(ctx context.Context, people []*wire.Client) (matrix.RoomID, error) {
	id, err := people[0].CreateRoom(ctx, wire.CreateRoom{Preset: "public_chat", Name: fmt.Sprintf("Conversation %d", b.runs)})
	if err != nil {
		return "", fmt.Errorf("creating a room: %w", err)
	}
	err = each(len(people)-1, func(i int) error {
		_, err := people[i+1].Join(ctx, string(id))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("joining: %w", err)
	}
	return id, nil
}

// each calls do for 0 to n-1, atOnce at once, and returns the errors.
func each(n int, do func(i int) error) error {
	var next atomic.Int64
	errs := make([]error, atOnce)
	var workers sync.WaitGroup
	for w := range atOnce {
		workers.Go(func() {
			for errs[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				errs[w] = do(i)
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}
