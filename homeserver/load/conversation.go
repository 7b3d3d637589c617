package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"hearth/homeserver/rig"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// A conversation is one room under load.
type conversation struct {
	members   int
	senders   int // at once; as many of the members as there are, each on as many connections as needed
	followers int
}

// A result is what a conversation has shown.
type result struct {
	messages int64
	took     time.Duration
	sends    latencies
	delivers latencies
	written  int64 // bytes, by all programs
	syncs    int
	gaps     int
	cpu      map[string]time.Duration
}

func (r result) rate() float64     { return float64(r.messages) / r.took.Seconds() }
func (r result) kilobyte() float64 { return float64(r.written) / 1024 / float64(max(r.messages, 1)) }

// talk holds the conversation in a room of its own and checks it.
func (b *bench) talk(ctx context.Context, c conversation) (result, error) {
	b.runs++
	room, err := b.room(ctx, b.people[:c.members])
	if err != nil {
		return result{}, err
	}
	followers, err := b.followers(room, c)
	if err != nil {
		return result{}, err
	}
	before, err := usage(b.server)
	if err != nil {
		return result{}, err
	}
	h := &hall{bench: b, room: room, run: b.runs, sent: make([]int64, c.senders), start: time.Now()}
	r, err := h.hold(ctx, c, followers)
	if err != nil {
		return result{}, err
	}
	after, err := usage(b.server)
	if err != nil {
		return result{}, err
	}
	r.cpu = make(map[string]time.Duration)
	for name, u := range after {
		r.written += u.Written - before[name].Written
		r.cpu[name] = u.CPU - before[name].CPU
	}
	return r, nil
}

// followers returns the members who follow, with their positions taken.
func (b *bench) followers(room matrix.RoomID, c conversation) ([]*follower, error) {
	var all []*follower
	for i := range c.followers {
		// From the last member on: who sends also follows only if all do.
		who := b.people[c.members-1-i]
		nc, err := dial(b.server.Address(), who.Token)
		if err != nil {
			return nil, err
		}
		f := &follower{conn: nc, room: string(room), run: b.runs, seen: make([]int64, c.senders)}
		if err := f.begin(); err != nil {
			return nil, fmt.Errorf("beginning to follow: %w", err)
		}
		all = append(all, f)
	}
	return all, nil
}

// A hall is where a conversation takes place.
type hall struct {
	bench *bench
	room  matrix.RoomID
	run   int64
	start time.Time
	over  atomic.Bool // nothing more is sent: the followers only finish

	mu    sync.Mutex // guards what follows
	sent  []int64    // by sender
	sends latencies
	errs  []error
}

func (h *hall) failed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.errs = append(h.errs, err)
}

func (h *hall) hold(ctx context.Context, c conversation, followers []*follower) (result, error) {
	stop := h.start.Add(h.bench.options.length)
	var sending, following sync.WaitGroup
	for i := range c.senders {
		sending.Go(func() {
			if err := h.send(ctx, i, h.bench.people[i%c.members], stop); err != nil {
				h.failed(fmt.Errorf("sender %d: %w", i, err))
			}
		})
	}
	for i, f := range followers {
		f.start = h.start
		following.Go(func() {
			defer f.conn.close()
			if err := h.follow(ctx, f); err != nil {
				h.failed(fmt.Errorf("follower %d: %w", i, err))
			}
		})
	}
	sending.Wait()
	r := result{took: time.Since(h.start), sends: h.sends}
	h.over.Store(true)
	// One more message wakes the followers who wait with all messages seen.
	if err := h.wake(ctx); err != nil {
		h.failed(err)
	}
	following.Wait()
	for _, n := range h.sent {
		r.messages += n
	}
	for _, f := range followers {
		r.delivers = append(r.delivers, f.times...)
		r.syncs += f.syncs
		r.gaps += f.gaps
	}
	return r, errors.Join(h.errs...)
}

// send sends messages until stop, each when the one before is acknowledged.
func (h *hall) send(ctx context.Context, i int, who *wire.Client, stop time.Time) error {
	c, err := dial(h.bench.server.Address(), who.Token)
	if err != nil {
		return err
	}
	defer c.close()
	prefix := "/_matrix/client/v3/rooms/" + url.PathEscape(string(h.room)) + "/send/m.room.message/load." +
		strconv.FormatInt(h.run, 10) + "." + strconv.Itoa(i) + "."
	var body []byte
	var times latencies
	var n int64
	for ; ctx.Err() == nil && time.Now().Before(stop) && err == nil; n++ {
		sent := time.Since(h.start)
		body = message{h.run, int64(i), n, sent}.appendContent(body[:0])
		var answer []byte
		if answer, err = c.do("PUT", prefix+strconv.FormatInt(n, 10), body); err != nil {
			break
		}
		times = append(times, time.Since(h.start)-sent)
		if _, ok := stringMember(answer, "event_id"); !ok {
			err = fmt.Errorf("an acknowledgement without an event id: %.100q", answer)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent[i], h.sends = n, append(h.sends, times...)
	return err
}

// wake sends something that is no message, so that every waiting sync answers.
func (h *hall) wake(ctx context.Context) error {
	_, err := h.bench.people[0].SendState(ctx, h.room, "m.room.topic", "", map[string]string{"topic": "over"})
	if err != nil {
		return fmt.Errorf("ending the conversation: %w", err)
	}
	return nil
}

// follow reads until everything that was sent has come, and a little longer,
// so that what comes twice is noticed.
func (h *hall) follow(ctx context.Context, f *follower) error {
	deadline := h.start.Add(h.bench.options.length + patience)
	for ctx.Err() == nil {
		over := h.over.Load()
		if over && f.hasAll(h.sent) {
			return f.poll(0)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("messages are lost: %v of %v came", f.seen, h.sent)
		}
		if err := f.poll(10 * time.Second); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// usage returns what each program has used, by name.
func usage(s *rig.Server) (map[string]rig.Usage, error) {
	all := make(map[string]rig.Usage)
	for _, p := range s.Programs() {
		u, err := p.Usage()
		if err != nil {
			return nil, err
		}
		all[p.Name] = u
	}
	return all, nil
}
