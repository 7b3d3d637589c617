package crash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"hearth/matrix"
	"hearth/matrix/wire"
)

const filter = `{"room":{"timeline":{"limit":500}}}`

// A follower follows all rooms as one person, from before the first message.
type follower struct {
	world  *world
	who    *person
	first  string // the token from before the first message
	since  string
	finish chan struct{} // closed when nothing more is written

	events map[matrix.RoomID][]wire.Event
	seen   map[matrix.EventID]bool
	knocks []int // the to-device messages
	gaps   int
}

func newFollower(ctx context.Context, w *world, who *person) (*follower, error) {
	answer, err := who.Sync(ctx, wire.SyncOptions{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("syncing first: %w", err)
	}
	return &follower{world: w, who: who, first: answer.NextBatch, since: answer.NextBatch, finish: make(chan struct{}),
		events: make(map[matrix.RoomID][]wire.Event), seen: make(map[matrix.EventID]bool)}, nil
}

// run follows until nothing more is written and a sync is empty.
func (f *follower) run(ctx context.Context) error {
	for ctx.Err() == nil {
		var finishing bool
		timeout := time.Second
		select {
		case <-f.finish:
			finishing, timeout = true, 0
		default:
		}
		var answer *wire.SyncAnswer
		err := f.world.insist(ctx, func(ctx context.Context) (err error) {
			answer, err = f.who.Sync(ctx, wire.SyncOptions{Since: f.since, Timeout: timeout, Filter: filter})
			return err
		})
		if err != nil {
			return err
		}
		if err := f.take(ctx, answer); err != nil {
			return err
		}
		if finishing && len(answer.Rooms.Join) == 0 && len(answer.ToDevice.Events) == 0 {
			return nil
		}
	}
	return nil // the cause is another's
}

func (f *follower) take(ctx context.Context, answer *wire.SyncAnswer) error {
	for _, e := range answer.ToDevice.Events {
		var knock struct{ N int }
		if err := json.Unmarshal(e.Content, &knock); err != nil {
			return fmt.Errorf("a to-device message: %w", err)
		}
		f.knocks = append(f.knocks, knock.N)
	}
	for id, room := range answer.Rooms.Join {
		if room.Timeline.Limited {
			if err := f.fill(ctx, id, room.Timeline.PrevBatch); err != nil {
				return err
			}
		}
		if err := f.add(id, room.Timeline.Events); err != nil {
			return err
		}
	}
	f.since = answer.NextBatch
	return nil
}

// add takes events in the room's order. None may come twice.
func (f *follower) add(room matrix.RoomID, events []wire.Event) error {
	for _, e := range events {
		if f.seen[e.ID] {
			return fmt.Errorf("%s came twice", e.ID)
		}
		f.seen[e.ID] = true
		f.events[room] = append(f.events[room], e)
	}
	return nil
}

// fill takes what a limited timeline left out.
func (f *follower) fill(ctx context.Context, room matrix.RoomID, from string) error {
	f.gaps++
	var missing []wire.Event // latest first
	for from != "" {
		var page wire.Page
		query := fmt.Sprintf("%s?dir=b&limit=100&from=%s&to=%s", wire.RoomPath(room, "messages"), from, f.since)
		err := f.world.insist(ctx, func(ctx context.Context) error {
			page = wire.Page{}
			return f.who.Do(ctx, "GET", query, nil, nil, &page)
		})
		if err != nil {
			return fmt.Errorf("filling a gap: %w", err)
		}
		missing = append(missing, page.Chunk...)
		if from = page.End; len(page.Chunk) == 0 {
			break
		}
	}
	slices.Reverse(missing)
	return f.add(room, missing)
}
