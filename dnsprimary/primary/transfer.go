package primary

import (
	"bytes"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// fill is how long the messages of a transfer get, if no record set is longer. Pointers reach no further, so longer
// messages would be larger for each name.
const fill = 16 << 10

// Transfer gives the messages that make up the answer to AXFR or IXFR (RFC 5936 §2.2, RFC 1995 §4). It holds one
// version of the zone, and memory for one message.
type Transfer struct {
	request request
	options []byte
	maxUDP  int
	sig     *signature
	from    source
	writer  writer
	begun   bool
	over    bool
}

// source gives the records of a transfer in their order.
type source interface {
	// write writes what fits the message, and reports whether it wrote the last record.
	write(w *writer) (last bool)
}

// Next returns the next message, nil when there is none any more. It is valid until the next call.
func (t *Transfer) Next(now time.Time) []byte {
	if t.over {
		return nil
	}
	w, r := &t.writer, &t.request
	w.begin(r, !t.begun) // RFC 5936 §2.2.2: the first message has the question, the others need not
	w.class = dns.ClassINET
	ending := t.sig.size()
	if !t.begun && r.edns.present {
		ending += optSize + len(t.options)
	}
	w.limit = fill - ending
	t.over = t.from.write(w)
	if w.counts[1] == 0 && !t.over { // a set longer than usual
		w.limit = dns.MaxMsgSize - ending
		t.over = t.from.write(w)
		if w.counts[1] == 0 { // no zone has such
			t.over = true
			return nil
		}
	}
	if !t.begun && r.edns.present {
		w.opt(t.maxUDP, dns.RcodeSuccess, r.edns.do, false, t.options, t.sig.size())
	}
	t.begun = true
	w.finish(r.id, flagResponse|flagAuthoritative)
	if t.sig != nil {
		w.buf = t.sig.sign(w.buf, now)
	}
	return w.buf
}

// transfer answers AXFR and IXFR.
func (s *State) transfer(d *Desk, now time.Time, from Peer, sig *signature) Decision {
	r := &d.request
	h := s.zones[r.name]
	switch {
	case r.counts[0] != 1:
		return s.send(d, now, from, fail(dns.RcodeFormatError), sig)
	case r.class != dns.ClassINET || h == nil || h.Zone.SOA().Empty(): // RFC 5936 §2.2.1
		return s.send(d, now, from, fail(dns.RcodeNotAuth).because(dns.ExtendedErrorCodeNotAuthoritative), sig)
	case sig == nil || !sig.key.mayTransfer(r.name):
		return s.send(d, now, from, fail(dns.RcodeRefused).because(dns.ExtendedErrorCodeProhibited), sig)
	case r.typ == dns.TypeIXFR:
		return s.incremental(d, now, from, sig, h)
	case !from.stream(): // RFC 5936 §4.2
		return s.send(d, now, from, fail(dns.RcodeFormatError), sig)
	}
	return s.begin(d, now, from, sig, h, &whole{zone: h.Zone, next: h.Zone.Origin()})
}

// begin makes the transfer. It keeps nothing of the desk or the message.
func (s *State) begin(d *Desk, now time.Time, from Peer, sig *signature, h *Hosted, records source) Decision {
	t := &Transfer{request: d.request, sig: sig, from: records, maxUDP: s.settings.MaxUDP}
	out := outcome{expire: h.Zone.Expire()}
	t.options = s.appendOptions(nil, now, &d.request, from, &out)
	t.request.wire = bytes.Clone(d.request.wire[:d.request.question])
	t.request.edns.cookie = nil
	return Decision{Transfer: t}
}

// incremental answers IXFR: with one SOA to who has the newest version, with what changed if that version is in the
// history and the change is smaller than the zone, otherwise with all.
func (s *State) incremental(d *Desk, now time.Time, from Peer, sig *signature, h *Hosted) Decision {
	serial, ok := d.request.knownSerial()
	if !ok {
		return s.send(d, now, from, fail(dns.RcodeFormatError), sig)
	}
	if !SerialLess(serial, h.Zone.Serial()) {
		return s.send(d, now, from, d.onlySOA(h.Zone), sig)
	}
	records := changedSince(h, serial)
	if !from.stream() {
		return s.incrementalUDP(d, now, from, sig, h, records)
	}
	if records == nil {
		return s.begin(d, now, from, sig, h, &whole{zone: h.Zone, next: h.Zone.Origin()})
	}
	return s.begin(d, now, from, sig, h, &listed{records: records})
}

// incrementalUDP answers in one message if that is possible, otherwise with the SOA, whereupon the secondary comes back
// over a stream (RFC 1995 §2).
func (s *State) incrementalUDP(d *Desk, now time.Time, from Peer, sig *signature, h *Hosted, records []zone.Record) Decision {
	if records != nil && len(records) <= maxFacts {
		a := &d.answer
		a.Reset()
		for _, record := range records {
			a.Answer = append(a.Answer, zone.Fact{Owner: record.Owner, Set: zone.NewRRset(record.Type, record.TTL, record.Rdata)})
		}
		out := outcome{authoritative: true, answer: a, expire: h.Zone.Expire(), account: h.Zone.Origin()}
		if reply := s.reply(d, now, from, &out, sig); !out.truncated {
			return Decision{Reply: reply}
		}
		again := *sig // the reply that was too long is not sent, but its signature counted
		again.sent, again.mac = 0, sig.request
		sig = &again
	}
	return s.send(d, now, from, d.onlySOA(h.Zone), sig)
}

// maxFacts is how many records a message over UDP could have at all.
const maxFacts = 128

// onlySOA says what the newest version is.
func (d *Desk) onlySOA(z *zone.Zone) outcome {
	d.answer.Reset()
	d.answer.Answer = append(d.answer.Answer, zone.Fact{Owner: z.Origin(), Set: z.SOA()})
	return outcome{authoritative: true, answer: &d.answer, expire: z.Expire(), account: z.Origin()}
}

// knownSerial returns the serial number in the authority section: of the version that the secondary has.
func (r *request) knownSerial() (uint32, bool) {
	at := r.question
	for range r.counts[1] {
		rr, ok := readResource(r.wire, at)
		if !ok {
			return 0, false
		}
		at = rr.end
	}
	rr, ok := readResource(r.wire, at)
	owner, named := readName(r.wire, at)
	if !ok || !named || r.counts[2] != 1 || rr.typ != dns.TypeSOA || owner != r.name {
		return 0, false
	}
	const numbers = 20
	if rr.end-rr.rdata < numbers+2 {
		return 0, false
	}
	tail := r.wire[rr.end-numbers:]
	return uint32(tail[0])<<24 | uint32(tail[1])<<16 | uint32(tail[2])<<8 | uint32(tail[3]), true
}

// changedSince returns the records of an IXFR from a version to the newest, condensed to one step (RFC 1995 §5). It is
// nil if the version is not known, or all records are fewer.
func changedSince(h *Hosted, serial uint32) []zone.Record {
	for i := len(h.History) - 1; i >= 0; i-- {
		old := h.History[i]
		if old.Serial() != serial || old.SOA().Empty() {
			continue
		}
		delta := zone.Diff(old, h.Zone)
		if len(delta.Removed)+len(delta.Added) >= h.Zone.Records() {
			return nil
		}
		soa := delta.Added[0] // the serial differs, so both lists begin with SOA
		records := append([]zone.Record{soa}, delta.Removed...)
		records = append(records, delta.Added...)
		return append(records, soa)
	}
	return nil
}

// listed gives records one by one.
type listed struct{ records []zone.Record }

func (l *listed) write(w *writer) (last bool) {
	for len(l.records) > 0 {
		r := &l.records[0]
		if !w.record(1, r.Owner, r.Type, r.TTL, r.Rdata) {
			return false
		}
		l.records = l.records[1:]
	}
	return true
}

// whole gives all records of a zone: the SOA, everything else in canonical order, the SOA again.
type whole struct {
	zone  *zone.Zone
	begun bool
	next  zone.Name // the owner to go on with
	skip  int       // how many of its sets were written
}

func (a *whole) write(w *writer) (last bool) {
	origin := a.zone.Origin()
	if !a.begun {
		if !w.set(1, origin, a.zone.SOA()) {
			return false
		}
		a.begun = true
	}
	for owner, sets := range a.zone.From(a.next) {
		if owner != a.next {
			a.next, a.skip = owner, 0
		}
		for ; a.skip < len(sets); a.skip++ {
			if sets[a.skip].Type == dns.TypeSOA && owner == origin {
				continue
			}
			if !w.set(1, owner, sets[a.skip]) {
				return false
			}
		}
	}
	return w.set(1, origin, a.zone.SOA())
}
