package crash_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"hearth/homeserver/rig"
	"hearth/matrix"
	"hearth/matrix/wire"
)

const (
	people  = 4
	rooms   = 2
	retry   = 20 * time.Millisecond // between two attempts of a request
	tooLong = 20 * time.Second      // for one attempt
)

// A world is some people who share rooms, and what each was told.
type world struct {
	people  []*person
	rooms   []matrix.RoomID
	writers []*writer
	follows []*follower
	prober  *person
	lonely  matrix.RoomID // where the prober probes

	acks    atomic.Int64
	repeats atomic.Int64
	probes  int
	tick    chan struct{} // gets one element for each acknowledged request while somebody waits for it
}

// newWorld registers everybody and makes the rooms, before anything is killed.
func newWorld(ctx context.Context, server *rig.Server) (*world, error) {
	w := &world{tick: make(chan struct{})}
	for i := range people + 1 {
		p := &person{Client: wire.NewClient(server.URL()), name: fmt.Sprintf("person%d", i)}
		if err := p.Register(ctx, p.name, password); err != nil {
			return nil, fmt.Errorf("registering: %w", err)
		}
		w.people = append(w.people, p)
	}
	w.people, w.prober = w.people[:people], w.people[people]
	lonely, err := w.prober.CreateRoom(ctx, wire.CreateRoom{})
	if err != nil {
		return nil, fmt.Errorf("creating a room: %w", err)
	}
	w.lonely = lonely
	for range rooms {
		if err := w.addRoom(ctx); err != nil {
			return nil, err
		}
	}
	for i, p := range w.people {
		w.writers = append(w.writers, newWriter(w, p, w.people[(i+1)%people]))
		f, err := newFollower(ctx, w, p)
		if err != nil {
			return nil, err
		}
		w.follows = append(w.follows, f)
	}
	return w, nil
}

const password = "correct horse battery staple"

func (w *world) addRoom(ctx context.Context) error {
	room, err := w.people[0].CreateRoom(ctx, wire.CreateRoom{Preset: "public_chat",
		PowerLevels: map[string]any{"state_default": 0}})
	if err != nil {
		return fmt.Errorf("creating a room: %w", err)
	}
	for _, p := range w.people[1:] {
		if _, err := p.Join(ctx, string(room)); err != nil {
			return fmt.Errorf("joining: %w", err)
		}
	}
	w.rooms = append(w.rooms, room)
	return nil
}

// live has everybody write and follow until harm has been done, and then
// everybody finish.
func (w *world) live(ctx context.Context, harm func() error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var writing, following sync.WaitGroup
	over := make(chan struct{})
	for _, wr := range w.writers {
		writing.Go(func() {
			if err := wr.run(ctx, over); err != nil {
				cancel(fmt.Errorf("%s writes: %w", wr.who.name, err))
			}
		})
	}
	for _, f := range w.follows {
		following.Go(func() {
			if err := f.run(ctx); err != nil {
				cancel(fmt.Errorf("%s follows: %w", f.who.name, err))
			}
		})
	}
	if err := harm(); err != nil {
		cancel(errors.Join(err, context.Cause(ctx)))
	}
	close(over)
	writing.Wait()
	for _, f := range w.follows {
		close(f.finish)
	}
	following.Wait()
	return context.Cause(ctx)
}

// insist repeats a request until the server answers it. A refusal is an error.
func (w *world) insist(ctx context.Context, request func(ctx context.Context) error) error {
	ticker := time.NewTicker(retry)
	defer ticker.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, tooLong)
		err := request(attempt)
		cancel()
		if err == nil || isRefusal(err) {
			return err
		}
		w.repeats.Add(1)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%w (last: %w)", context.Cause(ctx), err)
		}
	}
}

// isRefusal tells a refusal from an outage.
func isRefusal(err error) bool {
	var refused *matrix.Error
	return errors.As(err, &refused) && refused.Status < 500
}

// write is insist for what a writer does; its acknowledgement counts.
func (w *world) write(ctx context.Context, request func(ctx context.Context) error) error {
	if err := w.insist(ctx, request); err != nil {
		return err
	}
	w.acks.Add(1)
	select {
	case w.tick <- struct{}{}:
	default:
	}
	return nil
}

// acknowledged waits until so many more requests have been acknowledged.
func (w *world) acknowledged(ctx context.Context, n int) error {
	for range n {
		select {
		case <-w.tick:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// probe returns once a message has been sent, which needs all programs.
func (w *world) probe(ctx context.Context) error {
	w.probes++
	txn := fmt.Sprintf("probe%d", w.probes)
	return w.insist(ctx, func(ctx context.Context) error {
		_, err := w.prober.SendText(ctx, w.lonely, txn, "Is anybody there?")
		return err
	})
}
