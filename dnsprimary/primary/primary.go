// Package primary decides what a primary DNS server answers, given its state, a message, the peer and the time.
//
// A State is a value: the zones with their histories, the keys, and what an operator decided. State.Handle takes one
// message and returns a Decision: the bytes of the reply, or a Transfer that gives one message after the other; and for
// an UPDATE the next State with the Change that must be stored before the reply is sent. Nothing here reads a clock,
// makes randomness, logs or waits. The shell around it owns the sockets, serialises what changes the state, and gives
// each of its goroutines a Desk: memory that is used again for each message, and the limiter of response rates.
//
// The shell does with a Decision, in this order: store the Change and the Mark and wait until they are durable; let Next be the state;
// send Reply, or the messages of Transfer; plan with a Notifier whom to tell.
//
// # Order of decisions
//
//  1. What is no question (too short, or a reply) gets no answer.
//  2. An operation that is not known: NOTIMP. A message that is not well-formed: FORMERR.
//  3. TSIG (RFC 8945): a signature that is not good gets NOTAUTH, whatever the question. No key, no rights.
//  4. EDNS (RFC 6891): version 0 or BADVERS. Sizes over UDP are at most 1232 (DNS Flag Day 2020).
//  5. The operation: a query from the zones; AXFR and IXFR for keys that may; UPDATE as RFC 2136 §3 has it; NOTIFY is
//     refused, since a primary has nothing to fetch.
//  6. Over UDP, without a key and without a valid cookie (RFC 7873), the rate of equal answers to one network is
//     limited: some are sent truncated, or as BADCOOKIE, the others not at all.
//
// # Speed
//
// A query without TSIG is read and answered in place, from record sets that are in wire form already; it allocates the
// question's name and nothing else. Names are compressed against the question and the names written before.
//
// # Rights
//
// A Key has Grants. Without a grant nothing may be transferred or changed; a grant to update is for a name, or all
// below it, and for some types, or all. There are no rights by address.
package primary

import (
	"fmt"
	"maps"
	"net/netip"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// Settings are what the operator decided. They must not be changed once they are given.
type Settings struct {
	Keys []Key
	// CookieSecrets are 16 bytes each: the first makes server cookies, all are accepted (RFC 9018 §5). None, no cookies.
	CookieSecrets [][]byte
	NSID          string // name of this server, told to who asks (RFC 5001); "" is none
	Version       string // what version.bind says; "" refuses the question
	MaxUDP        int    // greatest reply over UDP in bytes, 512 to 4096; 0 is 1232
}

// maxText bounds what the server says about itself, in bytes.
const maxText = 64

// Transport is how a message came.
type Transport uint8

// The transports. All but UDP are streams; TLS and QUIC are encrypted; Local is a socket of this machine.
const (
	UDP Transport = iota
	TCP
	TLS
	QUIC
	Local
)

// Peer is who sent a message.
type Peer struct {
	Address   netip.Addr
	Transport Transport
	// Idle is after how long a connection is closed, told to who asks (RFC 7828); 0 is not told.
	Idle time.Duration
}

func (p Peer) stream() bool { return p.Transport != UDP }

func (p Peer) encrypted() bool { return p.Transport == TLS || p.Transport == QUIC }

// Hosted is a zone with what belongs to serving it.
type Hosted struct {
	Zone *zone.Zone
	// History holds earlier versions that were served, the oldest first, for IXFR. At most MaxHistory are kept.
	History []*zone.Zone
	Serial  SerialPolicy
	// Notify are the secondaries that are told of changes.
	Notify []Target
	Signer Signer // nil: the zone is not signed
}

// MaxHistory bounds the earlier versions of a zone that are kept for IXFR. They share most of their memory.
const MaxHistory = 64

// Signer completes what a signed zone says.
type Signer interface {
	// Prove adds to an answer for who wants DNSSEC: signatures of its facts, proofs of its denials.
	Prove(now time.Time, z *zone.Zone, a *zone.Answer) error
	// Sign returns what is to be served when next follows old.
	Sign(now time.Time, old, next *zone.Zone) (*zone.Zone, error)
	// Makes reports whether records of this type are the signer's, so that no update may touch them.
	Makes(typ uint16) bool
}

// State is all that answers depend on. It is never changed, and safe for any number of goroutines.
type State struct {
	settings *Settings
	keys     map[zone.Name]*Key
	zones    map[zone.Name]*Hosted
	deepest  int // labels of the zone that has most
	seen     seen
}

// NewState returns a state without zones.
func NewState(settings Settings) (*State, error) {
	s := &State{settings: &settings, keys: make(map[zone.Name]*Key), zones: make(map[zone.Name]*Hosted)}
	if settings.MaxUDP == 0 {
		settings.MaxUDP = 1232
	}
	if settings.MaxUDP < dns.MinMsgSize || settings.MaxUDP > 4096 {
		return nil, fmt.Errorf("the greatest reply over UDP is %d bytes, want 512 to 4096", settings.MaxUDP)
	}
	if len(settings.NSID) > maxText || len(settings.Version) > maxText {
		return nil, fmt.Errorf("the name and the version of the server have %d and %d bytes, want at most %d", len(settings.NSID), len(settings.Version), maxText)
	}
	for _, secret := range settings.CookieSecrets {
		if len(secret) != 16 {
			return nil, fmt.Errorf("a secret for cookies has %d bytes, want 16", len(secret))
		}
	}
	for i := range settings.Keys {
		k := &settings.Keys[i]
		if err := k.check(); err != nil {
			return nil, err
		}
		if s.keys[k.Name] != nil {
			return nil, fmt.Errorf("there are two keys of the name %s", k.Name)
		}
		s.keys[k.Name] = k
	}
	return s, nil
}

// With returns the state that also serves a zone, in place of the one with the same origin.
func (s *State) With(h Hosted) *State {
	next := *s
	next.zones = maps.Clone(s.zones)
	if over := len(h.History) - MaxHistory; over > 0 {
		h.History = h.History[over:]
	}
	next.zones[h.Zone.Origin()] = &h
	next.deepest = max(next.deepest, h.Zone.Origin().Labels())
	return &next
}

// Without returns the state that does not serve a zone.
func (s *State) Without(origin zone.Name) *State {
	next := *s
	next.zones = maps.Clone(s.zones)
	delete(next.zones, origin)
	next.deepest = 0
	for name := range next.zones {
		next.deepest = max(next.deepest, name.Labels())
	}
	return &next
}

// Zone returns the zone with an origin.
func (s *State) Zone(origin zone.Name) (Hosted, bool) {
	h := s.zones[origin]
	if h == nil {
		return Hosted{}, false
	}
	return *h, true
}

// find returns the zone that answers a question: the closest at or above the name, for DS the closest above, if that
// is served too (RFC 4035 §3.1.4.1).
func (s *State) find(name zone.Name, typ uint16) *Hosted {
	labels := name.Labels()
	over := max(labels-s.deepest, 0)
	name, labels = name.Up(over), labels-over
	var below *Hosted
	for ; ; name, labels = name.Up(1), labels-1 {
		if h := s.zones[name]; h != nil {
			if typ != dns.TypeDS || over > 0 || below != nil {
				return h
			}
			below = h
		}
		if labels == 0 {
			return below
		}
		over++
	}
}

// Decision is what follows from a message. The zero Decision is silence.
type Decision struct {
	// Reply is to be sent back. It is valid until the desk is used again.
	Reply []byte
	// Transfer gives the messages of a zone transfer, in place of Reply.
	Transfer *Transfer
	// Next, if not nil, is the state from now on. It was made from the state asked, so no other may have come between.
	Next *State
	// Change, if not nil, must be durable before Reply is sent and Next takes effect.
	Change *Change
	// Mark, if not nil, must be durable before Reply is sent: together with Change, if there is one.
	Mark *Mark
}

// Change is a new version of a zone.
type Change struct {
	Old, New *zone.Zone
	Key      zone.Name // who asked for it
	Notify   []Target  // who is to be told
}

// Desk is what one goroutine needs to handle one message after another.
type Desk struct {
	// Limiter limits the rates of answers over UDP; nil does not.
	Limiter *Limiter

	request request
	answer  zone.Answer
	writer  writer
	options []byte
}
