package primary

import (
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// query answers a question that is no transfer.
func (s *State) query(d *Desk, now time.Time, from Peer) outcome {
	r := &d.request
	if r.counts[0] == 0 {
		return outcome{kind: errorAnswer} // it asks for a cookie only
	}
	if out, wrong := refusedType(r.typ); wrong {
		return out
	}
	switch r.class {
	case dns.ClassINET:
	case dns.ClassCHAOS:
		return s.chaos(d)
	default:
		return fail(dns.RcodeRefused).because(dns.ExtendedErrorCodeNotAuthoritative)
	}
	h := s.find(r.name, r.typ)
	if h == nil {
		return fail(dns.RcodeRefused).because(dns.ExtendedErrorCodeNotAuthoritative)
	}
	a := &d.answer
	h.Zone.Answer(a, r.name, r.typ)
	if r.edns.do && h.Signer != nil {
		if err := h.Signer.Prove(now, h.Zone, a); err != nil {
			return fail(dns.RcodeServerFailure).because(dns.ExtendedErrorCodeRRSIGsMissing)
		}
	}
	out := outcome{rcode: a.Rcode, authoritative: a.Authoritative, answer: a}
	out.kind, out.account = account(h.Zone, a)
	if r.edns.expire && r.typ == dns.TypeSOA && r.name == h.Zone.Origin() {
		out.expire = h.Zone.Expire()
	}
	return out
}

// refusedType tells what is said to types that nobody can own.
func refusedType(typ uint16) (outcome, bool) {
	switch typ {
	case 0, dns.TypeOPT, dns.TypeTSIG, dns.TypeNXNAME: // RFC 9824 §3.1.1.1 for NXNAME
		return fail(dns.RcodeFormatError).because(dns.ExtendedErrorCodeInvalidQueryType), true
	case dns.TypeMAILA, dns.TypeMAILB, dns.TypeTKEY:
		return fail(dns.RcodeNotImplemented), true
	}
	return outcome{}, false
}

// account tells under what an answer is counted. What an attacker can make many of at will counts as one: the absent
// names of a zone, the names under a wildcard or a cut.
func account(z *zone.Zone, a *zone.Answer) (answerKind, zone.Name) {
	switch {
	case len(a.Answer) == 0 && a.Cut != "":
		return referralAnswer, a.Cut
	case len(a.Answer) == 0 || a.Rcode != dns.RcodeSuccess:
		return absentAnswer, z.Origin()
	case a.Answer[0].Wildcard != "":
		return fullAnswer, a.Answer[0].Wildcard
	}
	return fullAnswer, a.Answer[0].Owner
}

// Names of class CH about the server itself (RFC 4892), in wire form.
const (
	versionBind   zone.Name = "\x07version\x04bind\x00"
	versionServer zone.Name = "\x07version\x06server\x00"
	idServer      zone.Name = "\x02id\x06server\x00"
	hostnameBind  zone.Name = "\x08hostname\x04bind\x00"
)

// chaos tells about the server what the operator wants told.
func (s *State) chaos(d *Desk) outcome {
	text := ""
	switch d.request.name {
	case versionBind, versionServer:
		text = s.settings.Version
	case idServer, hostnameBind:
		text = s.settings.NSID
	}
	if text == "" || d.request.typ != dns.TypeTXT {
		return fail(dns.RcodeRefused)
	}
	d.answer.Reset()
	d.answer.Answer = append(d.answer.Answer, zone.Fact{
		Owner: d.request.name,
		Set:   zone.NewRRset(dns.TypeTXT, 0, string([]byte{byte(len(text))})+text),
	})
	return outcome{authoritative: true, answer: &d.answer, kind: fullAnswer, account: d.request.name}
}
