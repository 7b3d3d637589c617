package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"hearth/dnsprimary/certs"
	"hearth/dnsprimary/dnssec"
	"hearth/dnsprimary/primary"
	"hearth/dnsprimary/resolver"
	"hearth/dnsprimary/transport"
	"hearth/dnsprimary/zone"
	"hearth/process"
	"hearth/storage/blob"
	"hearth/storage/socket"
)

// server is the primary: the state that answers are made of, and the one turn in which it changes.
type server struct {
	cfg       *Settings
	config    *config
	log       *slog.Logger
	now       func() time.Time
	archive   *archive
	state     atomic.Pointer[primary.State]
	secret    [16]byte // of the limiters
	told      chan errand
	counts    counts
	transport *transport.Server
	// resolver asks for what parents have; nil if nobody is to be asked.
	resolver *resolver.Resolver

	refusals refusals

	turn  chan struct{} // capacity 1; who holds it changes what is below, and state
	zones map[zone.Name]*held
}

// held is what belongs to a zone beside its State.
type held struct {
	version version
	past    []version // that are served for incremental transfers, the oldest first
	own     version   // what the upkeep made
	signer  *dnssec.Signer
	waits   bool // for somebody who says what is in it: that was logged

	looked, look time.Time // when keys and signatures were looked at last, and are to be again
}

// due reports whether it is time to look at keys and signatures, also since the clock was set back.
func (h *held) due(now time.Time) bool { return now.Before(h.looked) || !now.Before(h.look) }

// errand is a change that the secondaries are to hear of.
type errand struct {
	zone    *zone.Zone
	targets []primary.Target
}

// counts are for the metrics.
type counts struct {
	byTransport [5]atomic.Uint64
	byRcode     [16]atomic.Uint64
	silent      atomic.Uint64
	updates     atomic.Uint64
}

// serve serves until ctx ends.
func serve(ctx context.Context, cfg *Settings, log *slog.Logger) error {
	c, err := cfg.check()
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(int64(cfg.MemoryLimit))
	debug.SetGCPercent(50)
	client, err := socket.Dial(ctx, cfg.StorageSocket, namespace, socket.ClientOptions{Outage: time.Minute})
	if err != nil {
		return fmt.Errorf("reaching storage: %w", err)
	}
	defer client.Close()
	s, err := open(ctx, cfg, c, client, log, time.Now)
	if err != nil {
		return err
	}
	if s.resolver != nil {
		defer s.resolver.Close()
	}
	debug.FreeOSMemory() // reading zones takes much more than having them
	return s.serve(ctx)
}

// open reads what is stored, and makes what is not there yet.
func open(ctx context.Context, cfg *Settings, c *config, store blob.Store, log *slog.Logger, now func() time.Time) (*server, error) {
	s := &server{
		cfg: cfg, config: c, log: log, now: now, archive: &archive{store, now}, told: make(chan errand, 64),
		turn: make(chan struct{}, 1), zones: make(map[zone.Name]*held),
	}
	s.transport = transport.New(s.service, transport.Limits{}, log)
	if len(c.resolvers) > 0 {
		kept := min(parentPause, c.policy.ParentTTL) / 2 // so that the next look sees what is new
		s.resolver = resolver.New(resolver.Options{Servers: c.resolvers, Least: kept, Most: kept, Absent: kept, Failure: min(kept, time.Second), Now: now})
	}
	if _, err := rand.Read(s.secret[:]); err != nil {
		return nil, err
	}
	secret, err := s.cookieSecret(ctx)
	if err != nil {
		return nil, err
	}
	state, err := primary.NewState(primary.Settings{
		Keys: c.keys, CookieSecrets: [][]byte{secret}, NSID: cfg.NSID, Version: cfg.Version,
	})
	if err != nil {
		return nil, err
	}
	marks, err := s.archive.marks(ctx)
	if err != nil {
		return nil, err
	}
	s.state.Store(state.Remember(s.now(), marks))
	return s, s.load(ctx)
}

// cookieSecret reads the secret of cookies, or makes it.
func (s *server) cookieSecret(ctx context.Context) ([]byte, error) {
	key := blob.RowKey{Table: tableSelf, Key: []byte("cookies")}
	rows, err := s.archive.store.Rows(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("reading the secret of cookies: %w", err)
	}
	if len(rows[0]) == 16 {
		return rows[0], nil
	}
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	var b blob.Batch
	b.Set(key.Table, key.Key, secret)
	if err := s.archive.store.Apply(ctx, &b); err != nil {
		return nil, fmt.Errorf("writing the secret of cookies: %w", err)
	}
	return secret, nil
}

// load reads all zones, then has the upkeep look at each.
func (s *server) load(ctx context.Context) error {
	for _, origin := range s.config.zones {
		if err := s.reload(ctx, origin); err != nil {
			return err
		}
	}
	return s.upkeep(ctx)
}

// reload reads a zone from storage: what is served is what is durable.
func (s *server) reload(ctx context.Context, origin zone.Name) error {
	h := &held{version: version{zone: zone.New(origin)}, own: version{zone: zone.New(origin)}}
	v, err := s.archive.zone(ctx, rootZone, origin)
	if err != nil {
		return err
	}
	own, err := s.archive.zone(ctx, rootOwn, origin)
	if err != nil {
		return err
	}
	if own != nil {
		h.own = *own
	}
	if s.cfg.Sign.Sign || s.cfg.Sign.Withdraw {
		keys, err := s.archive.keys(ctx, origin)
		if err != nil {
			return err
		}
		h.signer = &dnssec.Signer{Policy: s.config.policy, Keys: keys}
	}
	s.zones[origin] = h
	if v == nil {
		return nil
	}
	h.version = *v
	if h.past, err = s.archive.past(ctx, origin, v); err != nil {
		return err
	}
	s.show(h)
	return nil
}

// show makes the state serve what is held of a zone.
func (s *server) show(h *held) {
	hosted := primary.Hosted{Zone: h.version.zone, Serial: s.config.serial, Notify: s.config.notify[h.version.zone.Origin()]}
	if h.signer != nil && len(h.signer.Keys) > 0 {
		hosted.Signer = h.signer
	}
	for _, v := range h.past {
		hosted.History = append(hosted.History, v.zone)
	}
	s.state.Store(s.state.Load().With(hosted))
}

// take waits for the turn to change zones. The caller gives it back.
func (s *server) take(ctx context.Context) (give func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// side is a map that changes together with a zone: what the upkeep made, or what was loaded.
type side struct {
	root string
	old  version // without a commit if there was none
	next *zone.Zone
}

// commit makes a new version of a zone durable, then serves it and tells the secondaries. Who calls it has the turn.
// The mark is of the update that asked for it, nil if none did.
func (s *server) commit(ctx context.Context, h *held, next *zone.Zone, signer *dnssec.Signer, mark *primary.Mark, message string, sides ...side) error {
	origin := next.Origin()
	d := s.archive.draft(ctx)
	d.mark(mark)
	before, after, err := d.put(rootZone, h.version, next, message)
	if err != nil {
		return err
	}
	own := h.own
	for _, other := range sides {
		_, made, err := d.put(other.root, other.old, other.next, message)
		if err != nil {
			return err
		}
		if other.root == rootOwn {
			own = made
		}
	}
	if signer != h.signer {
		d.keys(origin, signer.Keys)
	}
	if err := d.apply(); err != nil {
		s.lost(ctx, origin)
		return fmt.Errorf("writing the zone %s: %w", origin, err)
	}
	if _, served := s.state.Load().Zone(origin); served {
		h.past = worthwhile(append(h.past, before), next)
	}
	h.version, h.own, h.signer = after, own, signer
	s.show(h)
	s.tell(next)
	return nil
}

// lost reads a zone again after a write of which nobody knows whether it was done.
func (s *server) lost(ctx context.Context, origin zone.Name) {
	s.zones[origin].look = time.Time{}
	err := s.reload(ctx, origin)
	if marks, markErr := s.archive.marks(ctx); markErr == nil {
		s.state.Store(s.state.Load().Remember(s.now(), marks))
	} else {
		err = errors.Join(err, markErr)
	}
	if err != nil {
		s.log.Error("reading a zone again after a failed write", "zone", origin.String(), "err", err)
	}
}

// tell lets the secondaries hear of a version.
func (s *server) tell(z *zone.Zone) {
	select {
	case s.told <- errand{z, s.config.notify[z.Origin()]}:
	default: // the next change tells them, or their own refresh
	}
}

// Desks are made for each goroutine that answers.
func (s *server) service() transport.Service {
	d := &desk{server: s, desk: new(primary.Desk)}
	if s.cfg.RateLimits {
		sockets := runtime.GOMAXPROCS(0) // share a port, and each counts for itself what reaches it
		rates := primary.DefaultRates()
		for _, rate := range []*int{&rates.Answers, &rates.Absent, &rates.Errors} {
			*rate = max(*rate/sockets, 1)
		}
		rates.Buckets = max(rates.Buckets/sockets, 1024)
		d.desk.Limiter = primary.NewLimiter(rates, s.secret)
	}
	return d
}

// desk answers messages in one goroutine: it implements transport.Service.
type desk struct {
	server *server
	desk   *primary.Desk
}

// Serve implements transport.Service.
func (d *desk) Serve(message []byte, peer primary.Peer, send func([]byte) error) error {
	s := d.server
	s.counts.byTransport[peer.Transport].Add(1)
	if len(message) > 2 && message[2]>>3&0xf == dns.OpcodeUpdate {
		return d.update(message, peer, send)
	}
	now := s.now()
	decision := s.state.Load().Handle(d.desk, now, message, peer)
	if decision.Transfer != nil {
		for m := decision.Transfer.Next(now); m != nil; m = decision.Transfer.Next(s.now()) {
			if err := send(m); err != nil {
				return err
			}
		}
		return nil
	}
	return d.reply(message, decision.Reply, peer, send)
}

func (d *desk) reply(message, reply []byte, peer primary.Peer, send func([]byte) error) error {
	if len(reply) < 4 {
		d.server.counts.silent.Add(1)
		return nil
	}
	d.server.counts.byRcode[reply[3]&0xf].Add(1)
	d.server.refusals.note(d.server.log, d.server.now, message, reply, peer)
	return send(reply)
}

// updateTimeout bounds how long an update may wait for its turn and for the disk.
const updateTimeout = 20 * time.Second

// update carries out an UPDATE in its turn, and answers when it is durable.
func (d *desk) update(message []byte, peer primary.Peer, send func([]byte) error) error {
	s := d.server
	ctx, cancel := context.WithTimeout(context.Background(), updateTimeout)
	defer cancel()
	give, err := s.take(ctx)
	if err != nil {
		return nil // the client asks again
	}
	defer give()
	s.counts.updates.Add(1)
	decision := s.state.Load().Handle(d.desk, s.now(), message, peer)
	if change := decision.Change; change != nil {
		h := s.zones[change.New.Origin()]
		added, removed := sizes(change.Old, change.New)
		if err := s.commit(ctx, h, change.New, h.signer, decision.Mark, fmt.Sprintf("update by key %s: %d added, %d removed", change.Key, added, removed)); err != nil {
			s.log.Error("an update was not written", "zone", change.New.Origin().String(), "err", err)
			return d.reply(message, failed(message), peer, send)
		}
	} else if decision.Mark != nil {
		note := s.archive.draft(ctx)
		note.mark(decision.Mark)
		if err := note.apply(); err != nil {
			s.log.Error("what an update was answered was not written", "err", err)
			return d.reply(message, failed(message), peer, send)
		}
	}
	if decision.Next != nil {
		s.state.Store(s.adopt(decision))
	}
	return d.reply(message, decision.Reply, peer, send)
}

// adopt returns the state after an update: the decision's, with the zone as it was committed.
func (s *server) adopt(decision primary.Decision) *primary.State {
	next := decision.Next
	if decision.Change != nil {
		if hosted, ok := s.state.Load().Zone(decision.Change.New.Origin()); ok {
			next = next.With(hosted)
		}
	}
	return next
}

// sizes counts what changed, without what signing made.
func sizes(old, next *zone.Zone) (added, removed int) {
	made := (*dnssec.Signer)(nil)
	delta := zone.Diff(old, next)
	for _, r := range delta.Added {
		if !made.Makes(r.Type) && r.Type != dns.TypeSOA {
			added++
		}
	}
	for _, r := range delta.Removed {
		if !made.Makes(r.Type) && r.Type != dns.TypeSOA {
			removed++
		}
	}
	return added, removed
}

// failed is SERVFAIL to a message, unsigned: the client tries again.
func failed(message []byte) []byte {
	var m dns.Msg
	if m.Unpack(message) != nil {
		return nil
	}
	reply, err := new(dns.Msg).SetRcode(&m, dns.RcodeServerFailure).Pack()
	if err != nil {
		return nil
	}
	return reply
}

// serve opens the doors, and closes them when ctx ends.
func (s *server) serve(ctx context.Context) error {
	t := s.transport
	defer t.Close()
	for _, address := range s.cfg.Listen {
		if err := errors.Join(t.UDP(address), t.TCP(address)); err != nil {
			return err
		}
	}
	if s.cfg.Socket != "" {
		l, err := process.ListenUnix(s.cfg.Socket, 0o666) // rights are by keys
		if err != nil {
			return fmt.Errorf("listening for this box's programs: %w", err)
		}
		t.Local(l)
	}
	certificates, err := s.secure(ctx, t)
	if err != nil {
		return err
	}
	if certificates != nil {
		defer certificates.Close()
	}
	work, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	admin, err := s.serveAdmin(ended)
	if err != nil {
		stop()
		return err
	}
	done := make(chan struct{}, 2)
	go func() { s.notify(work); done <- struct{}{} }()
	go func() { s.keep(work); done <- struct{}{} }()
	if err := process.Ready(); err != nil {
		s.log.Warn("telling the supervisor that the server is ready", "err", err)
	}
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = nil
	}
	stop()
	<-done
	<-done
	if admin != nil {
		admin.Close()
	}
	return err
}

// secure opens the doors that need a certificate; there is none without such doors.
func (s *server) secure(ctx context.Context, t *transport.Server) (*certs.Certificates, error) {
	if len(s.cfg.ListenTLS)+len(s.cfg.ListenQUIC) == 0 {
		return nil, nil
	}
	o, err := s.cfg.certificates(s.archive.store, s.log)
	if err != nil {
		return nil, err
	}
	c, err := certs.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("preparing DNS over TLS: %w", err)
	}
	for _, address := range s.cfg.ListenTLS {
		err = errors.Join(err, t.TLS(address, c.TLS()))
	}
	for _, address := range s.cfg.ListenQUIC {
		err = errors.Join(err, t.QUIC(address, c.TLS()))
	}
	return c, err
}
