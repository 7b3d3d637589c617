package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/miekg/dns"

	"hearth/dnsprimary/primary"
)

// refusals tells the log, at level INFO, of transfers and updates that were refused, so that who sets up a secondary or a
// key sees what is wrong. It tells of one a second at most.
type refusals struct {
	mu   sync.Mutex // guards last
	last time.Time
}

// note looks at a message and the reply to it.
func (r *refusals) note(log *slog.Logger, now func() time.Time, message, reply []byte, peer primary.Peer) {
	rcode := int(reply[3] & 0xf)
	if rcode != dns.RcodeRefused && rcode != dns.RcodeNotAuth || !log.Enabled(context.Background(), slog.LevelInfo) || !r.may(now()) {
		return
	}
	var asked, said dns.Msg
	if asked.Unpack(message) != nil || said.Unpack(reply) != nil || len(asked.Question) != 1 {
		return
	}
	q := asked.Question[0]
	what := dns.OpcodeToString[asked.Opcode]
	switch {
	case asked.Opcode == dns.OpcodeQuery && (q.Qtype == dns.TypeAXFR || q.Qtype == dns.TypeIXFR):
		what = dns.TypeToString[q.Qtype]
	case asked.Opcode == dns.OpcodeQuery && said.IsTsig() == nil:
		return // for a zone of others
	}
	key, why := "none", "it needs a key with the right (setting keys)"
	if sig := asked.IsTsig(); sig != nil {
		key, why = sig.Hdr.Name, "the key has no right to it, or the zone is not served here (setting keys, setting zones)"
	}
	if sig := said.IsTsig(); sig != nil && sig.Error != dns.RcodeSuccess {
		why = reasons(int(sig.Error))
	}
	from := "this box"
	if peer.Address.IsValid() {
		from = peer.Address.String()
	}
	log.Info("refused", "what", what, "zone", q.Name, "from", from, "key", key, "rcode", dns.RcodeToString[rcode], "why", why)
}

// reasons are the errors of TSIG in an owner's words.
// spec: RFC 8945 §5.2
func reasons(err int) string {
	switch err {
	case dns.RcodeBadKey:
		return "there is no key of this name and algorithm here"
	case dns.RcodeBadSig:
		return "the secret is another one"
	case dns.RcodeBadTime:
		return "the clocks differ by more than some minutes"
	}
	return dns.RcodeToString[err]
}

// may reports whether it is time to tell something again.
func (r *refusals) may(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since := now.Sub(r.last); since >= 0 && since < time.Second {
		return false
	}
	r.last = now
	return true
}
