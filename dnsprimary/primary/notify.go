package primary

import (
	"cmp"
	"crypto/hmac"
	"net/netip"
	"slices"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// Target is a secondary that is told of changes.
type Target struct {
	Address netip.AddrPort
	Key     zone.Name // signs the message; "" does not
}

// Sending is a message to be sent over UDP.
type Sending struct {
	To      netip.AddrPort
	Message []byte
}

// Times of RFC 1996 §3.6. A secondary that is down for long asks by itself, by the SOA's refresh time.
const (
	firstRetry = 5 * time.Second
	lastRetry  = 5 * time.Minute
	maxTries   = 10
)

// Notifier plans which secondaries are to be told what, and when again. It belongs to one goroutine. It holds one entry
// for each zone and target at most.
type Notifier struct {
	keys    map[zone.Name]*Key
	pending map[errand]*attempt
}

type errand struct {
	origin zone.Name
	target Target
}

// attempt is what a secondary has not confirmed yet.
type attempt struct {
	soa   zone.RRset
	tries int
	due   time.Time
	wait  time.Duration
	id    uint16
	sig   *signature // of the last message
}

// NewNotifier returns a notifier that signs with the keys of a state.
func NewNotifier(s *State) *Notifier {
	return &Notifier{s.keys, make(map[errand]*attempt)}
}

// Changed plans to tell targets of a zone's newest version, in place of any older one. It is for changes, and for each
// zone when a server starts (RFC 1996 §3.11).
func (n *Notifier) Changed(now time.Time, z *zone.Zone, targets []Target) {
	for _, target := range targets {
		n.pending[errand{z.Origin(), target}] = &attempt{soa: z.SOA(), due: now, wait: firstRetry}
	}
}

// Forget ends what was planned for a zone.
func (n *Notifier) Forget(origin zone.Name) {
	for e := range n.pending {
		if e.origin == origin {
			delete(n.pending, e)
		}
	}
}

// Due returns what is to be sent now, and the targets given up, which confirmed nothing after all tries. Each message's
// ID is the caller's random number, so that nobody can confirm in a secondary's name.
func (n *Notifier) Due(now time.Time, random func() uint16) (send []Sending, lost []Target) {
	for e, a := range n.pending {
		if a.due.After(now) {
			continue
		}
		if a.tries == maxTries {
			lost = append(lost, e.target)
			delete(n.pending, e)
			continue
		}
		a.tries++
		a.id = random()
		a.due, a.wait = now.Add(a.wait), min(2*a.wait, lastRetry)
		send = append(send, Sending{e.target.Address, n.message(now, e, a)})
	}
	slices.SortFunc(send, func(a, b Sending) int { return cmp.Or(a.To.Compare(b.To), slices.Compare(a.Message, b.Message)) })
	return send, lost
}

// Next returns when something is due, and whether anything is.
func (n *Notifier) Next() (at time.Time, any bool) {
	for _, a := range n.pending {
		if !any || a.due.Before(at) {
			at, any = a.due, true
		}
	}
	return at, any
}

// message writes a NOTIFY with the new SOA as a hint (RFC 1996 §3.7).
func (n *Notifier) message(now time.Time, e errand, a *attempt) []byte {
	w := writer{class: dns.ClassINET, limit: dns.MaxMsgSize}
	w.begin(new(request), false)
	w.buf = append(w.buf, e.origin...)
	w.buf = append(w.buf, 0, byte(dns.TypeSOA), 0, dns.ClassINET)
	w.counts[0] = 1
	w.remember(e.origin, headerSize)
	w.set(1, e.origin, a.soa)
	w.finish(a.id, dns.OpcodeNotify<<11|flagAuthoritative)
	if key := n.keys[e.target.Key]; key != nil {
		a.sig = &signature{key: key, name: key.Name, algorithm: key.Algorithm}
		return a.sig.signRequest(w.buf, now)
	}
	return w.buf
}

// Reply takes a message that came back, and reports whether it ends an errand: the secondary knows, or will not hear
// of it (RFC 1996 §3.8).
func (n *Notifier) Reply(now time.Time, message []byte, from netip.AddrPort) bool {
	var r request
	r.header(message)
	if len(message) < headerSize || r.flags&flagResponse == 0 || r.opcode != dns.OpcodeNotify || !r.read() {
		return false
	}
	for e, a := range n.pending {
		if e.target.Address != from || e.origin != r.name || a.tries == 0 || a.id != r.id {
			continue
		}
		if a.sig != nil && !a.sig.confirms(now, &r) {
			return false
		}
		delete(n.pending, e)
		return true
	}
	return false
}

// signRequest appends TSIG to a request. What answers it covers its MAC.
func (g *signature) signRequest(message []byte, now time.Time) []byte {
	message = g.sign(message, now)
	g.request = g.mac
	return message
}

// confirms reports whether a reply is signed as an answer to the request that g signed (RFC 8945 §5.3).
func (g *signature) confirms(now time.Time, r *request) bool {
	if r.tsig.end == 0 {
		return false
	}
	theirs, mac, ok := readSignature(r)
	if !ok || theirs.name != g.name || theirs.algorithm != g.algorithm {
		return false
	}
	skew := now.Unix() - theirs.time
	theirs.request = g.request
	want := theirs.messageMAC(g.key, r)
	_, size := algorithm(g.key.Algorithm)
	return max(skew, -skew) <= maxFudge && hmac.Equal(mac, want[:size])
}
