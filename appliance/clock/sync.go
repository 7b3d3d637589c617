package clock

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/beevik/ntp"
	"golang.org/x/sys/unix"
)

// How often servers are asked.
const (
	soon  = 5 * time.Second  // while the time is not known, at first; then it doubles
	often = 16 * time.Minute // once it is
)

// step is from what difference on the clock is set at once instead of being led there.
const step = 500 * time.Millisecond

// Clock is the machine's clock and what is known of it.
type Clock struct {
	File    string          // see rule 1
	Built   time.Time       // of the programs
	Servers func() []string // host names or addresses, asked at each round
	Log     *slog.Logger
	Now     func() time.Time // the machine's clock

	Ask func(ctx context.Context, server string) (time.Duration, error) // by how much the clock is off; nil for NTP
	Set func(by time.Duration) error                                    // nil for the machine's clock

	mu    sync.Mutex // guards what follows
	known chan struct{}
	note  string // for people
}

// Start applies rules 1 and 2 before anything else runs. Own says whether the machine has a clock that runs without power.
func (c *Clock) Start(own bool) error {
	c.known = make(chan struct{})
	last, err := LastKnown(c.File)
	if err != nil {
		c.Log.Warn("the last known time cannot be read", "err", err)
	}
	floor := c.Built
	if last.After(floor) {
		floor = last
	}
	c.say("not known, no time server was reached yet")
	if now := c.Now(); now.Before(floor) {
		return c.set(floor.Sub(now))
	}
	if own {
		c.learn("by the machine's own clock")
	}
	return nil
}

// Run asks servers until ctx ends, and keeps the time whenever they have told it.
func (c *Clock) Run(ctx context.Context) {
	pause := soon
	for {
		err := c.Round(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			pause = often
		default:
			c.Log.Info("the time is not told", "err", err)
			if pause *= 2; pause > often {
				pause = often
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// Round asks all servers once and corrects the clock.
func (c *Clock) Round(ctx context.Context) error {
	servers := c.Servers()
	offset, err := agree(c.ask(ctx, servers), len(servers))
	if err != nil {
		return err
	}
	last, err := LastKnown(c.File)
	if err != nil {
		return err
	}
	if told := c.Now().Add(offset); told.Before(last) || told.Before(c.Built) {
		return fmt.Errorf("time servers say %s, which was before: the time that is kept is later", told.UTC().Format(time.RFC3339))
	}
	if err := c.set(offset); err != nil {
		return err
	}
	c.learn("by time servers")
	return Keep(c.File, c.Now())
}

// ask asks the servers at the same time.
func (c *Clock) ask(ctx context.Context, servers []string) []time.Duration {
	ask := c.Ask
	if ask == nil {
		ask = query
	}
	answers := make(chan *time.Duration, len(servers))
	for _, server := range servers {
		go func() { // until it answers or its time is out
			offset, err := ask(ctx, server)
			if err != nil {
				answers <- nil
				return
			}
			answers <- &offset
		}()
	}
	var offsets []time.Duration
	for range servers {
		if offset := <-answers; offset != nil {
			offsets = append(offsets, *offset)
		}
	}
	return offsets
}

func query(_ context.Context, server string) (time.Duration, error) {
	response, err := ntp.QueryWithOptions(server, ntp.QueryOptions{Timeout: 3 * time.Second})
	if err != nil {
		return 0, err
	}
	if err := response.Validate(); err != nil {
		return 0, err
	}
	return response.ClockOffset, nil
}

// set corrects the clock: at once if it is far off, otherwise by letting it run a little faster or slower.
func (c *Clock) set(by time.Duration) error {
	if c.Set != nil {
		return c.Set(by)
	}
	if by.Abs() < step {
		_, err := unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_OFFSET_SINGLESHOT, Offset: by.Microseconds()})
		if err != nil {
			return fmt.Errorf("leading the clock: %w", err)
		}
		return nil
	}
	now := unix.NsecToTimeval(time.Now().Add(by).UnixNano())
	if err := unix.Settimeofday(&now); err != nil {
		return fmt.Errorf("setting the clock: %w", err)
	}
	return nil
}

// Known is closed when the time is known.
func (c *Clock) Known() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known
}

// Note says, for people, whether and how the time is known.
func (c *Clock) Note() (note string, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.known:
		known = true
	default:
	}
	return c.note, known
}

func (c *Clock) say(note string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note = note
}

func (c *Clock) learn(how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note = "known " + how
	select {
	case <-c.known:
	default:
		close(c.known)
	}
}
