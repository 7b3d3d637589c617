package network

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// The times of RFC 6762 §8: between the questions whether somebody has the name, until they are asked anew after somebody else went before us,
// between announcements, and between names once many were taken.
const (
	probePause    = 250 * time.Millisecond
	yieldPause    = time.Second
	announcePause = time.Second
	manyPause     = 5 * time.Second
)

// How many there are of probes and announcements, and after how many names that were taken the next waits.
const (
	probes        = 3
	announcements = 2
	many          = 10
)

// responder gets a name by RFC 6762 §8 and answers to it.
type responder struct {
	host   string // the name that is wanted, without .local
	places map[int][]netip.Prefix
	heard  <-chan arrived
	send   func(link int, to netip.AddrPort, m *dnsmessage.Message) error
	named  func(string)

	has    bool              // it has the name
	claims map[int]claim     // by interface
	spoken map[int]time.Time // when each was last answered to all
}

// outcome is how a try to get a name ends.
type outcome int

const (
	ended   outcome = iota // with its context
	granted                // nobody else has it
	taken                  // somebody else has it
	lost                   // somebody else wants it at the same time, and goes before us
)

// run gets a name and answers to it until ctx ends: the host's if nobody has it, or the first free one of HOST-2, HOST-3 and so on.
func (r *responder) run(ctx context.Context) error {
	for number := 1; ; {
		label := r.host
		if number > 1 {
			suffix := fmt.Sprintf("-%d", number)
			label = label[:min(len(label), 63-len(suffix))] + suffix
		}
		if err := r.claim(label); err != nil {
			return err
		}
		switch r.probe(ctx) {
		case ended:
			return nil
		case taken:
			number++
			if number > many && r.pause(ctx, manyPause) {
				return nil
			}
		case lost:
			if r.pause(ctx, yieldPause) {
				return nil
			}
		case granted:
			r.named(label)
			if r.answer(ctx) {
				return nil
			}
		}
	}
}

// claim prepares to have a name.
func (r *responder) claim(label string) error {
	r.claims, r.spoken = make(map[int]claim), make(map[int]time.Time)
	for link, prefixes := range r.places {
		var addresses []netip.Addr
		for _, p := range prefixes {
			addresses = append(addresses, p.Addr())
		}
		c, err := newClaim(label, addresses)
		if err != nil {
			return err
		}
		r.claims[link] = c
	}
	return nil
}

// probe finds out whether somebody has the name.
func (r *responder) probe(ctx context.Context) outcome {
	verdict := r.heed(ctx, rand.N(probePause)) // not all boxes of a house after a power cut at once
	for i := 0; i < probes && verdict == granted; i++ {
		r.tell(claim.probe)
		verdict = r.heed(ctx, probePause)
	}
	return verdict
}

// heed judges what comes within a time.
func (r *responder) heed(ctx context.Context, within time.Duration) outcome {
	verdict := granted
	if r.listen(ctx, time.After(within), func(a arrived) bool {
		verdict = r.judge(a)
		return verdict != granted
	}) {
		return ended
	}
	return verdict
}

// judge says what a message means for a name that is not ours yet.
func (r *responder) judge(a arrived) outcome {
	c, ok := r.claims[a.link]
	switch {
	case !ok:
		return granted
	case c.disputed(&a.message, r.ours()):
		return taken
	case c.yields(&a.message):
		return lost
	}
	return granted
}

// listen gives what comes from others of the interfaces' own networks to f, until f is done, or the time is over. It reports whether ctx ended.
func (r *responder) listen(ctx context.Context, over <-chan time.Time, f func(arrived) (done bool)) bool {
	for {
		select {
		case <-ctx.Done():
			return true
		case <-over:
			return false
		case a, ok := <-r.heard:
			if !ok {
				return true
			}
			if r.isNear(a) && f(a) {
				return false
			}
		}
	}
}

// isNear reports whether a message comes from somebody else, and from the network that it came by (RFC 6762 §11).
func (r *responder) isNear(a arrived) bool {
	from := a.from.Addr().WithZone("")
	if slices.Contains(r.ours(), from) {
		return false
	}
	return from.IsLinkLocalUnicast() || slices.ContainsFunc(r.places[a.link], func(p netip.Prefix) bool { return p.Contains(from) })
}

// ours returns all addresses that we have.
func (r *responder) ours() []netip.Addr {
	var all []netip.Addr
	for _, c := range r.claims {
		all = append(all, c.addresses...)
	}
	return all
}

// pause lets a time pass, and reports whether ctx ended.
func (r *responder) pause(ctx context.Context, d time.Duration) bool {
	return r.listen(ctx, time.After(d), func(arrived) bool { return false })
}

// tell says something to all, on each interface over the protocols that it has.
func (r *responder) tell(what func(claim) *dnsmessage.Message) {
	for link, c := range r.claims {
		r.toAll(link, what(c))
	}
}

func (r *responder) toAll(link int, m *dnsmessage.Message) {
	group4, group6 := mdnsGroups()
	for _, group := range []netip.AddrPort{group4, group6} {
		if slices.ContainsFunc(r.claims[link].addresses, func(a netip.Addr) bool { return a.Is4() == group.Addr().Is4() }) {
			_ = r.send(link, group, m) // while a cable is out
		}
	}
}

// answer announces the name and answers to it, until somebody else says to have it too. It reports whether ctx ended.
func (r *responder) answer(ctx context.Context) bool {
	r.has = true
	for i, disputed := 0, false; !disputed; i++ {
		var over <-chan time.Time // never, after the last announcement
		if i < announcements {
			r.tell(func(c claim) *dnsmessage.Message { return c.announcement(ttlHost) })
			over = time.After(announcePause)
		}
		if r.listen(ctx, over, func(a arrived) bool {
			disputed = r.serve(a)
			return disputed
		}) {
			return true
		}
	}
	r.has = false
	return false
}

// leave says that the name is free, if it was ours.
func (r *responder) leave() {
	if r.has {
		r.tell(func(c claim) *dnsmessage.Message { return c.announcement(0) })
	}
}

// serve answers a message. It reports whether somebody else says to have the name.
func (r *responder) serve(a arrived) (disputed bool) {
	c, ok := r.claims[a.link]
	if !ok {
		return false
	}
	if a.message.Response {
		return c.disputed(&a.message, r.ours())
	}
	legacy := a.from.Port() != mdnsPort
	m := c.reply(&a.message, legacy)
	if m == nil {
		return false
	}
	if legacy || a.direct || slices.ContainsFunc(a.message.Questions, func(q dnsmessage.Question) bool { return q.Class&topBit != 0 }) {
		_ = r.send(a.link, a.from, m)
		return false
	}
	if now := time.Now(); now.Sub(r.spoken[a.link]) >= announcePause { // RFC 6762 §6: not more often to all
		r.spoken[a.link] = now
		r.toAll(a.link, m)
	}
	return false
}
