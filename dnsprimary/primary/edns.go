package primary

import (
	"encoding/binary"
	"time"

	"github.com/miekg/dns"
)

// edns is what a request's OPT says (RFC 6891 §6.1).
type edns struct {
	present   bool
	size      int
	version   uint8
	do        bool
	cookie    []byte // client's, perhaps with the server's; in the message
	nsid      bool
	padding   bool
	keepalive bool
	expire    bool
}

// read reads an OPT, and reports whether it is well-formed. Options that are not known are passed over.
func (e *edns) read(wire []byte, rr resource) bool {
	*e = edns{present: true, size: int(rr.class), version: uint8(rr.ttl >> 16), do: rr.ttl&(1<<15) != 0}
	for data := wire[rr.rdata:rr.end]; len(data) > 0; {
		if len(data) < 4 {
			return false
		}
		code, n := binary.BigEndian.Uint16(data), 4+int(binary.BigEndian.Uint16(data[2:]))
		if n > len(data) || !e.option(code, data[4:n]) {
			return false
		}
		data = data[n:]
	}
	return true
}

func (e *edns) option(code uint16, value []byte) bool {
	switch code {
	case dns.EDNS0COOKIE:
		if e.cookie == nil { // only the first counts (RFC 7873 §5.2)
			e.cookie = value
			return len(value) == clientCookie || len(value) >= clientCookie+8 && len(value) <= clientCookie+32
		}
	case dns.EDNS0NSID:
		e.nsid = true
	case dns.EDNS0PADDING:
		e.padding = true
	case dns.EDNS0TCPKEEPALIVE:
		e.keepalive = true
		return len(value) == 0 || len(value) == 2
	case dns.EDNS0EXPIRE:
		e.expire = true
	}
	return true
}

// appendOption appends one option.
func appendOption(dst []byte, code uint16, value ...byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, code)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}

// appendOptions appends the options of a reply, all but padding.
func (s *State) appendOptions(dst []byte, now time.Time, r *request, from Peer, out *outcome) []byte {
	e := &r.edns
	if len(e.cookie) > 0 && len(s.settings.CookieSecrets) > 0 && from.Address.IsValid() {
		var buf [clientCookie + serverCookie + 16]byte
		dst = appendOption(dst, dns.EDNS0COOKIE, s.appendCookie(buf[:0], now, e.cookie, from.Address)...)
	}
	if e.nsid && s.settings.NSID != "" {
		dst = appendOption(dst, dns.EDNS0NSID, []byte(s.settings.NSID)...)
	}
	if e.keepalive && from.Idle > 0 && from.stream() {
		tenths := uint16(min(from.Idle/(100*time.Millisecond), 1<<16-1))
		dst = appendOption(dst, dns.EDNS0TCPKEEPALIVE, byte(tenths>>8), byte(tenths))
	}
	if e.expire && out.expire > 0 { // RFC 7314 §3.1
		dst = appendOption(dst, dns.EDNS0EXPIRE, byte(out.expire>>24), byte(out.expire>>16), byte(out.expire>>8), byte(out.expire))
	}
	if out.why != 0 { // RFC 8914; a number says enough, a text would only be for people
		why := out.why - 1
		dst = appendOption(dst, dns.EDNS0EDE, byte(why>>8), byte(why))
	}
	return dst
}

// Of OPT: the bytes without options; of padding: the blocks of RFC 8467 §4.1.
const (
	optSize     = 11
	optionHead  = 4
	paddedBlock = 468
)

// opt writes OPT, and pads so that the message is whole blocks with what still follows it.
func (w *writer) opt(size, rcode int, do, padded bool, options []byte, following int) {
	flags := byte(0)
	if do {
		flags = 0x80
	}
	total := len(w.buf) + optSize + len(options) + optionHead + following
	pad := (paddedBlock - total%paddedBlock) % paddedBlock
	if total+pad > dns.MaxMsgSize {
		padded = false
	}
	length := len(options)
	if padded {
		length += optionHead + pad
	}
	w.buf = append(w.buf, 0, 0, byte(dns.TypeOPT), byte(size>>8), byte(size), byte(rcode>>4), 0, flags, 0, byte(length>>8), byte(length))
	w.buf = append(w.buf, options...)
	if padded {
		w.buf = append(w.buf, 0, byte(dns.EDNS0PADDING), byte(pad>>8), byte(pad))
		w.buf = append(w.buf, make([]byte, pad)...)
	}
	w.counts[3]++
}
