package clock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
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

// How many rounds a network that changes can cause, and how long after a change one begins.
const (
	maxQuick = 20
	settled  = time.Second
)

// far is from what difference on the clock is set at once instead of being led there.
const far = 500 * time.Millisecond

// Clock is the machine's clock and what is known of it.
type Clock struct {
	File    string          // see rule 1
	Built   time.Time       // of the programs
	Servers func() []string // host names or addresses, asked at each round
	Log     *slog.Logger
	Now     func() time.Time // the machine's clock

	Changed func() <-chan struct{} // closed when the network has changed, so that servers may answer now; nil if it never does

	Ask func(ctx context.Context, server string) ([]time.Duration, error) // by how much the clock is off, says each of a server's addresses; nil for NTP

	Step func(by time.Duration) error // sets the clock at once; nil for the machine's
	Lead func(by time.Duration) error // has it run faster or slower until it is right; nil for the machine's

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

// Run asks servers until ctx ends, and keeps the time whenever they have told it. While it is not known they are asked anew when the
// network changes, since at the start there is none; a network that always changes is not a reason to ask them always.
func (c *Clock) Run(ctx context.Context) {
	pause, quick, told := soon, maxQuick, ""
	for {
		var changed <-chan struct{}
		if c.Changed != nil && quick > 0 {
			changed = c.Changed()
		}
		err := c.Round(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			pause, changed, quick, told = often, nil, 0, ""
		case err.Error() != told: // not each time anew on a network without time servers
			told = err.Error()
			c.Log.Info("the time is not told", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
			quick--
			if !settle(ctx) {
				return
			}
		case <-time.After(pause):
			pause = min(2*pause, often)
		}
	}
}

// settle lets what has begun to change do so, and reports whether ctx goes on.
func settle(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(settled):
		return true
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
	answers := make(chan []time.Duration, len(servers))
	for _, server := range servers {
		go func() { // until it answers or its time is out
			offsets, err := ask(ctx, server)
			if err != nil {
				offsets = nil
			}
			answers <- offsets
		}()
	}
	var all []time.Duration
	for range servers {
		all = append(all, <-answers...)
	}
	return all
}

// Within which a server's name is resolved, and it answers; how many of a name's addresses are asked.
const (
	resolvesWithin = 5 * time.Second
	answersWithin  = 3 * time.Second
	maxAddresses   = 4
)

// query asks a server at all its addresses at the same time. It fails if none answers.
func query(ctx context.Context, server string) ([]time.Duration, error) {
	addresses, err := resolve(ctx, server)
	if err != nil {
		return nil, fmt.Errorf("finding the time server %s: %w", server, err)
	}
	offsets, errs := make([]time.Duration, len(addresses)), make([]error, len(addresses))
	var asking sync.WaitGroup
	for i, address := range addresses {
		asking.Go(func() { offsets[i], errs[i] = queryAddress(address) })
	}
	asking.Wait()
	var answered []time.Duration
	for i, err := range errs {
		if err == nil {
			answered = append(answered, offsets[i])
		}
	}
	if len(answered) == 0 {
		return nil, errors.Join(errs...)
	}
	return answered, nil
}

func queryAddress(address string) (time.Duration, error) {
	response, err := ntp.QueryWithOptions(address, ntp.QueryOptions{Timeout: answersWithin})
	if err != nil {
		return 0, fmt.Errorf("asking the time server %s: %w", address, err)
	}
	if err := response.Validate(); err != nil {
		return 0, fmt.Errorf("asking the time server %s: %w", address, err)
	}
	return response.ClockOffset, nil
}

// resolve returns the addresses of a server, which is a name or an address, with or without a port.
func resolve(ctx context.Context, server string) ([]string, error) {
	host, port := server, "123"
	if h, p, err := net.SplitHostPort(server); err == nil {
		host, port = h, p
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return []string{net.JoinHostPort(host, port)}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolvesWithin)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, a := range found[:min(len(found), maxAddresses)] { // the resolver puts those first that can be reached
		addresses = append(addresses, net.JoinHostPort(a.Unmap().String(), port))
	}
	return addresses, nil
}

// set corrects the clock: at once if it is far off, otherwise by letting it run a little faster or slower.
func (c *Clock) set(by time.Duration) error {
	step, lead := c.Step, c.Lead
	if step == nil {
		step = stepMachine
	}
	if lead == nil {
		lead = leadMachine
	}
	if by.Abs() < far {
		return lead(by)
	}
	return step(by)
}

func leadMachine(by time.Duration) error {
	if _, err := unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_OFFSET_SINGLESHOT, Offset: by.Microseconds()}); err != nil {
		return fmt.Errorf("leading the clock: %w", err)
	}
	return nil
}

func stepMachine(by time.Duration) error {
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
