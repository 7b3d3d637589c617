// Package resolver asks recursive resolvers on behalf of the programs of this box, and remembers what they say.
//
// It is a stub (RFC 1034 §5.3.1), not a resolver of its own and no server: it asks the servers that it is given, or that
// /etc/resolv.conf names, one after the other until one answers. Questions go over UDP with EDNS, and over TCP if the
// answer did not fit; each from a socket of its own, so that the kernel chooses its port, and with an id that nobody can
// guess. What comes back counts only if it comes from the server, has the id, and repeats the question.
//
// # Trust
//
// Answers are not validated here. A server that validates says so by the AD bit; it is believed if the server is on
// loopback or trusted by who configured it, since otherwise anybody on the way could say it (RFC 6840 §5.7). Results
// are Authentic then, and DANE (RFC 7672) may use them. Whoever connects to names that strangers chose gives Allow,
// which sees every address after it was looked up and before it is used: so a name cannot lead into the home network,
// whatever it resolves to the second time.
//
// # Memory
//
// Results are kept for as long as their TTL says, within bounds; so is that there is no such name or record, for as long
// as the zone's SOA says (RFC 2308 §5); and for a short time that no server had an answer (RFC 9520). Together they take
// at most Options.Memory bytes, and what was not used for longest makes room. Who asks what another is asking already
// waits for the same answer. At most 128 questions are sent at a time, and 4,096 wait for their turn.
package resolver

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNotFound is the error of a name that does not exist, or has no records of the type.
var ErrNotFound = errors.New("not found")

// ErrForbidden is the error of a name that has addresses, of which none is allowed.
var ErrForbidden = errors.New("no address is allowed")

// Server is a recursive resolver.
type Server struct {
	Address netip.AddrPort
	Trusted bool // what it says of its validation is believed; on loopback it always is
}

func (s Server) trusted() bool { return s.Trusted || s.Address.Addr().Unmap().IsLoopback() }

// Options say how a Resolver works. The zero value of each stands for its default.
type Options struct {
	Servers []Server // asked in this order
	File    string   // who are asked if Servers has none; /etc/resolv.conf, whenever it changes
	// Allow decides which addresses may be used; nil allows all. IPv4 is never given as IPv6.
	Allow func(netip.Addr) bool

	Memory  int           // what results may take, in bytes; 4 MiB
	Least   time.Duration // how long a result is kept at least; 5 seconds
	Most    time.Duration // and at most; 6 hours
	Absent  time.Duration // how long at most it is kept that there is nothing; 10 minutes
	Failure time.Duration // how long it is kept that no server answered; 5 seconds

	Timeout  time.Duration // until a server is thought not to answer; as the file says, or 2 seconds
	Attempts int           // how often each is asked; as the file says, or 2
	Patience time.Duration // until a look-up fails, whatever it waits for; 10 seconds
	// MixCase varies the case of letters in questions, which one who forges answers must guess too. Some old
	// forwarders do not repeat it.
	MixCase bool

	Now    func() time.Time
	Random func(n int) int // a number from 0 up to n, for choosing among servers of a service
}

func (o Options) withDefaults() Options {
	set(&o.File, configFile)
	set(&o.Memory, 4<<20)
	set(&o.Least, 5*time.Second)
	set(&o.Most, 6*time.Hour)
	set(&o.Absent, 10*time.Minute)
	set(&o.Failure, 5*time.Second)
	set(&o.Patience, 10*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.IntN
	}
	return o
}

// config returns whom to ask, and how.
func (r *Resolver) config() config {
	c := config{servers: r.options.Servers}
	if len(c.servers) == 0 {
		c = r.file.config(r.options.Now())
	}
	if r.options.Timeout != 0 {
		c.timeout = r.options.Timeout
	}
	if r.options.Attempts != 0 {
		c.attempts = r.options.Attempts
	}
	set(&c.timeout, 2*time.Second)
	set(&c.attempts, 2)
	return c
}

func set[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// The bounds of questions.
const (
	maxUnderWay = 128
	maxWaiting  = 4096
)

// Resolver looks names up. Close ends it.
type Resolver struct {
	options   Options
	file      watched
	preferred atomic.Int32 // index of the server that answered last
	slots     chan struct{}
	ctx       context.Context
	cancel    context.CancelFunc
	work      sync.WaitGroup // look-ups under way

	mu      sync.Mutex // guards the fields below
	cache   cache
	calls   map[key]*call
	closed  bool
	counted Counts
}

// Counts say what a Resolver has done.
type Counts struct {
	Hits, Misses uint64 // look-ups that were answered from memory, and those that were not
	Asked        uint64 // messages sent
	Failed       uint64 // look-ups that no server answered
	Memory       int    // bytes that results take
}

// New returns a Resolver.
func New(o Options) *Resolver {
	o = o.withDefaults()
	r := &Resolver{options: o, slots: make(chan struct{}, maxUnderWay), calls: make(map[key]*call)}
	r.file.path = o.File
	r.cache.most = o.Memory
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Close ends all look-ups, and returns when none is left.
func (r *Resolver) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.work.Wait()
}

// Counts returns what was done until now.
func (r *Resolver) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.counted
	c.Memory = r.cache.size
	return c
}
