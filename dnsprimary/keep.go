package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"hearth/dnsprimary/dnssec"
	"hearth/dnsprimary/primary"
	"hearth/dnsprimary/resolver"
	"hearth/dnsprimary/zone"
)

// The longest pauses between two looks.
const (
	signPause   = time.Hour        // at the age of signatures: all of a zone are looked at, and they are renewed days ahead
	parentPause = 10 * time.Minute // at the parent, while it lacks a DS; no longer than its TTL
)

// keep looks after the zones until ctx ends: addresses, signatures, keys, the parent.
func (s *server) keep(ctx context.Context) {
	poll := time.NewTicker(s.cfg.AddressPoll)
	defer poll.Stop()
	parent := time.NewTicker(max(min(parentPause, s.config.policy.ParentTTL), s.cfg.AddressPoll))
	defer parent.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		case <-parent.C:
			s.askParents(ctx)
		}
		if err := s.upkeep(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("looking after the zones", "err", err)
		}
	}
}

// upkeep does what is due in all zones.
func (s *server) upkeep(ctx context.Context) error {
	addresses, err := s.config.upkeep.addresses()
	if err != nil {
		return err
	}
	give, err := s.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	for _, origin := range s.config.zones {
		if err := s.tend(ctx, s.zones[origin], addresses); err != nil {
			return err
		}
	}
	return s.archive.forget(ctx, s.now().Add(-primary.Remembered))
}

// tend brings one zone up to date. Who calls it has the turn.
func (s *server) tend(ctx context.Context, h *held, addresses []netip.Addr) error {
	now, origin := s.now(), h.version.zone.Origin()
	e := h.version.zone.Edit()
	if h.version.zone.SOA().Empty() {
		if len(s.config.upkeep.nameservers) == 0 {
			if !h.waits {
				s.log.Warn("a zone is not served, since nothing is known of it: run dnsprimary load ZONE FILE, or set nameservers", "zone", origin.String())
			}
			h.waits = true
			return nil
		}
		if err := s.found(e, origin, now); err != nil {
			return err
		}
	}
	own, err := follow(e, h.own.zone, s.config.upkeep.records(origin, addresses))
	if err != nil {
		return fmt.Errorf("changing the zone %s: %w", origin, err)
	}
	var sides []side
	if !zone.Diff(h.own.zone, own).Empty() {
		sides = append(sides, side{rootOwn, h.own, own})
	}
	next, message := e.Zone(), "keys and signatures"
	if added, removed := sizes(h.version.zone, next); added+removed > 0 {
		message = fmt.Sprintf("upkeep: %d added, %d removed", added, removed)
	}
	return s.change(ctx, h, next, h.signer, message, sides...)
}

// found gives a zone that has none a SOA.
func (s *server) found(e *zone.Edit, origin zone.Name, now time.Time) error {
	soa, err := s.config.upkeep.soa(origin, s.config.serial.Next(0, now))
	if err == nil {
		_, err = e.Add(soa)
	}
	return err
}

// change commits what a zone has become by an edit, a new signer or the passing of time, if it has become anything.
func (s *server) change(ctx context.Context, h *held, next *zone.Zone, signer *dnssec.Signer, message string, sides ...side) error {
	now := s.now()
	old := h.version.zone
	fresh := old.SOA().Empty()
	edited := fresh || !zone.Diff(old, next).Empty()
	if !edited {
		next = old
	}
	serial := old.Serial()
	if edited && !fresh && !primary.SerialLess(serial, next.Serial()) {
		serial = s.config.serial.Next(serial, now)
		e := next.Edit()
		if err := e.Replace(next.Origin(), zone.WithSerial(next.SOA(), serial)); err != nil {
			return err
		}
		next = e.Zone()
	}
	if edited && (fresh || old.Check().Err() == nil) { // who broke a zone by an update may go on
		if err := next.Check().Err(); err != nil {
			return fmt.Errorf("the zone %s would be broken: %w", next.Origin(), err)
		}
	}
	var err error
	switch {
	case signer != nil && signer == h.signer && !edited && !h.due(now):
	case signer != nil:
		if next, signer, err = s.sign(now, h, next, signer, edited); err != nil {
			return err
		}
	default:
		next, err = s.unsigned(old, next, now)
	}
	if err != nil {
		return err
	}
	if next == old && len(sides) == 0 && signer == h.signer {
		return nil
	}
	return s.commit(ctx, h, next, signer, nil, message, sides...)
}

// sign advances the keys of a zone and signs it. h.version is what it was, edited or not.
func (s *server) sign(now time.Time, h *held, next *zone.Zone, signer *dnssec.Signer, edited bool) (*zone.Zone, *dnssec.Signer, error) {
	advanced, then, err := signer.Advance(now, longest(next), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	h.looked, h.look = now, now.Add(min(signPause, s.config.policy.Refresh/4))
	if !then.IsZero() && then.Before(h.look) {
		h.look = then
	}
	signed := !h.version.zone.Set(next.Origin(), dns.TypeDNSKEY).Empty()
	switch {
	case !signed:
		next, err = advanced.Sign(now, nil, s.bump(h, next, now, edited))
	case edited:
		if next, err = advanced.Sign(now, h.version.zone, next); err == nil {
			next, err = advanced.Refresh(now, next, next.Serial())
		}
	default:
		next, err = advanced.Refresh(now, next, s.config.serial.Next(next.Serial(), now))
	}
	return next, advanced, err
}

// bump gives a zone that is signed for the first time another serial number, if no edit did.
func (s *server) bump(h *held, next *zone.Zone, now time.Time, edited bool) *zone.Zone {
	if edited {
		return next
	}
	e := next.Edit()
	_ = e.Replace(next.Origin(), zone.WithSerial(next.SOA(), s.config.serial.Next(h.version.zone.Serial(), now))) // it was a SOA
	return e.Zone()
}

// unsigned takes away what a signer has made, when zones are signed no more.
func (s *server) unsigned(old, next *zone.Zone, now time.Time) (*zone.Zone, error) {
	if next.Set(next.Origin(), dns.TypeDNSKEY).Empty() {
		if next.Serial() == old.Serial() && zone.Diff(old, next).Empty() {
			return old, nil
		}
		return next, nil
	}
	e := next.Edit()
	for owner, sets := range next.All() {
		for _, set := range sets {
			if (*dnssec.Signer)(nil).Makes(set.Type) {
				e.RemoveSets(owner, set.Type)
			}
		}
	}
	if next.Serial() == old.Serial() {
		if err := e.Replace(next.Origin(), zone.WithSerial(next.SOA(), s.config.serial.Next(old.Serial(), now))); err != nil {
			return nil, err
		}
	}
	return e.Zone(), nil
}

// longest returns the greatest TTL of a zone.
func longest(z *zone.Zone) time.Duration {
	var most uint32
	for _, sets := range z.All() {
		for _, set := range sets {
			most = max(most, set.TTL)
		}
	}
	return time.Duration(most) * time.Second
}

// askParents asks resolvers whether the parents have the DS of keys that wait for it.
func (s *server) askParents(ctx context.Context) {
	for _, origin := range s.config.zones {
		hosted, ok := s.state.Load().Zone(origin)
		signer, signed := hosted.Signer.(*dnssec.Signer)
		if !ok || !signed {
			continue
		}
		for _, k := range signer.Keys {
			if !waits(k) || !s.parentHas(ctx, origin, k) {
				continue
			}
			if err := s.confirm(ctx, origin, k.Tag()); err != nil {
				s.log.Error("noting that the parent knows a key", "zone", origin.String(), "err", err)
			}
		}
	}
}

// waits reports whether a key is in use and the parent is not known to have its DS.
func waits(k *dnssec.Key) bool {
	return k.Role != dnssec.ZSK && !k.Activate.IsZero() && k.Confirm.IsZero() && k.Remove.IsZero()
}

// parentHas asks the resolvers for the DS of a key.
func (s *server) parentHas(ctx context.Context, origin zone.Name, k *dnssec.Key) bool {
	if s.resolver == nil {
		return false
	}
	found, err := s.resolver.DS(ctx, origin.String())
	if err != nil {
		return false // the next look may find it
	}
	want := k.DS(origin).Rdata
	return slices.ContainsFunc(found.Values, func(d resolver.DS) bool {
		rdata := append(binary.BigEndian.AppendUint16(nil, d.Tag), d.Algorithm, d.Digest)
		return string(append(rdata, d.Data...)) == want
	})
}

// confirm notes that the parent has the DS of a key.
func (s *server) confirm(ctx context.Context, origin zone.Name, tag uint16) error {
	return s.rekey(ctx, origin, fmt.Sprintf("the parent knows key %d", tag), func(signer *dnssec.Signer) (*dnssec.Signer, error) {
		next := signer.Confirm(tag, s.now())
		if next == signer {
			return nil, fmt.Errorf("no key %d of %s waits for the parent", tag, origin)
		}
		return next, nil
	})
}

// rekey changes the keys of a zone and signs it with them.
func (s *server) rekey(ctx context.Context, origin zone.Name, message string, f func(*dnssec.Signer) (*dnssec.Signer, error)) error {
	give, err := s.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	h := s.zones[origin]
	if h == nil || h.signer == nil {
		return fmt.Errorf("%s is not signed here", origin)
	}
	signer, err := f(h.signer)
	if err != nil {
		return err
	}
	return s.change(ctx, h, h.version.zone, signer, message)
}

// notify sends NOTIFY to secondaries until ctx ends.
func (s *server) notify(ctx context.Context) {
	conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp", ":0")
	if err != nil {
		s.log.Error("no secondary hears of changes", "err", err)
		return
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	replies := make(chan reply)
	go receive(ctx, conn, replies)
	n := primary.NewNotifier(s.state.Load())
	for _, origin := range s.config.zones {
		if hosted, ok := s.state.Load().Zone(origin); ok {
			n.Changed(s.now(), hosted.Zone, hosted.Notify)
		}
	}
	for {
		send, lost := n.Due(s.now(), number)
		for _, m := range send {
			_, _ = conn.WriteTo(m.Message, net.UDPAddrFromAddrPort(m.To)) // it is sent again
		}
		for _, t := range lost {
			s.log.Warn("a secondary does not confirm that it heard of a change: is it up, and does it take NOTIFY from this box?", "address", t.Address.String())
		}
		var due <-chan time.Time
		timer := new(time.Timer)
		if at, any := n.Next(); any {
			timer = time.NewTimer(max(at.Sub(s.now()), 0))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case e := <-s.told:
			n.Changed(s.now(), e.zone, e.targets)
		case r := <-replies:
			n.Reply(s.now(), r.message, r.from)
		case <-due:
		}
		if due != nil {
			timer.Stop()
		}
	}
}

type reply struct {
	message []byte
	from    netip.AddrPort
}

func receive(ctx context.Context, conn net.PacketConn, replies chan<- reply) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return // closed
		}
		address := from.(*net.UDPAddr).AddrPort()
		r := reply{append([]byte(nil), buf[:n]...), netip.AddrPortFrom(address.Addr().Unmap(), address.Port())}
		select {
		case replies <- r:
		case <-ctx.Done():
			return
		}
	}
}

func number() uint16 {
	var b [2]byte
	_, _ = rand.Read(b[:]) // it never fails
	return binary.NativeEndian.Uint16(b[:])
}
