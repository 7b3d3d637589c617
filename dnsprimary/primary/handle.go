package primary

import (
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// outcome is what a reply says.
type outcome struct {
	rcode         int
	authoritative bool
	answer        *zone.Answer // nil if the message has no records
	why           uint16       // extended error (RFC 8914) and 1; 0 is none
	expire        uint32       // the zone's, if it may be asked for (RFC 7314)
	truncated     bool         // says nothing but that it should be asked over a stream
	kind          answerKind   // for the limiter, with
	account       zone.Name    // what equal answers are counted under
}

// fail returns the outcome of what cannot be done.
func fail(rcode int) outcome { return outcome{rcode: rcode, kind: errorAnswer} }

// because adds an extended error.
func (o outcome) because(code uint16) outcome {
	o.why = code + 1
	return o
}

// Handle decides what follows from a message.
func (s *State) Handle(d *Desk, now time.Time, message []byte, from Peer) Decision {
	r := &d.request
	if !r.header(message) {
		return Decision{}
	}
	switch r.opcode {
	case dns.OpcodeQuery, dns.OpcodeNotify, dns.OpcodeUpdate:
	default:
		if !r.read() { // it may look otherwise; but if it has an OPT, the reply has one (RFC 6891 §6.1.1)
			r.question, r.edns = 0, edns{}
		}
		if r.edns.version > 0 { // RFC 6891 §6.1.3
			return s.send(d, now, from, fail(dns.RcodeBadVers), nil)
		}
		return s.send(d, now, from, fail(dns.RcodeNotImplemented), nil)
	}
	if !r.read() {
		return s.send(d, now, from, fail(dns.RcodeFormatError), nil)
	}
	var sig *signature
	if r.tsig.end > 0 {
		var rcode int
		if sig, rcode = s.verify(now, r); rcode != dns.RcodeSuccess {
			return s.send(d, now, from, fail(rcode), sig)
		}
	}
	if r.edns.version > 0 {
		return s.send(d, now, from, fail(dns.RcodeBadVers), sig)
	}
	switch {
	case r.opcode == dns.OpcodeUpdate:
		return s.update(d, now, from, sig)
	case r.opcode == dns.OpcodeNotify:
		return s.send(d, now, from, s.notified(r), sig)
	case r.typ == dns.TypeAXFR || r.typ == dns.TypeIXFR:
		return s.transfer(d, now, from, sig)
	}
	return s.send(d, now, from, s.query(d, now, from), sig)
}

// notified answers NOTIFY. A primary has nobody to fetch from (RFC 1996 §3.10).
func (s *State) notified(r *request) outcome {
	if s.zones[r.name] == nil {
		return fail(dns.RcodeNotAuth).because(dns.ExtendedErrorCodeNotAuthoritative)
	}
	return fail(dns.RcodeRefused).because(dns.ExtendedErrorCodeNotSupported)
}

// send gives the reply, unless the limiter has something against it.
func (s *State) send(d *Desk, now time.Time, from Peer, out outcome, sig *signature) Decision {
	if d.Limiter != nil && from.Transport == UDP && (sig == nil || sig.key == nil) {
		cookie := d.request.edns.cookie
		if len(cookie) == 0 || !s.validCookie(now, cookie, from.Address) {
			switch d.Limiter.judge(now, from.Address, out.kind, out.account) {
			case drop:
				return Decision{}
			case slip:
				out = outcome{rcode: dns.RcodeSuccess, truncated: true}
				if len(cookie) > 0 && len(s.settings.CookieSecrets) > 0 {
					out = outcome{rcode: dns.RcodeBadCookie} // RFC 7873 §5.2.3: asked again with the cookie it is answered
				}
			}
		}
	}
	return Decision{Reply: s.reply(d, now, from, &out, sig)}
}

// reply writes a message.
func (s *State) reply(d *Desk, now time.Time, from Peer, out *outcome, sig *signature) []byte {
	r, w := &d.request, &d.writer
	w.begin(r, true)
	w.class = dns.ClassINET
	if r.class == dns.ClassCHAOS {
		w.class = dns.ClassCHAOS
	}
	limit := s.limit(r, from)
	following, ending := sig.size(), 0
	d.options = d.options[:0]
	if r.edns.present {
		d.options = s.appendOptions(d.options, now, r, from, out)
		ending = optSize + len(d.options)
	}
	w.limit = limit - following - ending
	if out.answer != nil && !out.truncated && !w.answer(out.answer) {
		out.truncated = true
		w.begin(r, true)
	}
	if r.edns.present {
		w.opt(s.settings.MaxUDP, out.rcode, r.edns.do, r.edns.padding && from.encrypted(), d.options, following)
	}
	w.finish(r.id, s.flags(r, out))
	if sig != nil {
		w.buf = sig.sign(w.buf, now)
	}
	return w.buf
}

// limit returns how long the reply may be (RFC 6891 §6.2.3).
func (s *State) limit(r *request, from Peer) int {
	switch {
	case from.stream():
		return dns.MaxMsgSize
	case r.edns.present:
		return min(max(r.edns.size, dns.MinMsgSize), s.settings.MaxUDP)
	}
	return dns.MinMsgSize
}

func (s *State) flags(r *request, out *outcome) uint16 {
	flags := uint16(flagResponse) | uint16(r.opcode)<<11 | uint16(out.rcode&15)
	if r.opcode == dns.OpcodeQuery {
		flags |= r.flags & (flagRecursion | flagNoCheck)
	}
	if out.authoritative {
		flags |= flagAuthoritative
	}
	if out.truncated {
		flags |= flagTruncated
	}
	return flags
}

// answer writes all sections, and reports whether nothing is missing that must be there. Additional records may be,
// without a word (RFC 2181 §9), but not the glue of a referral (RFC 9471 §3.1).
func (w *writer) answer(a *zone.Answer) bool {
	for i := range a.Answer {
		if !w.set(1, a.Answer[i].Owner, a.Answer[i].Set) {
			return false
		}
	}
	for i := range a.Authority {
		if !w.set(2, a.Authority[i].Owner, a.Authority[i].Set) {
			return false
		}
	}
	for i := range a.Additional {
		if !w.set(3, a.Additional[i].Owner, a.Additional[i].Set) && a.Additional[i].Needed {
			return false
		}
	}
	return true
}
