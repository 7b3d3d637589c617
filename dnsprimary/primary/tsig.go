package primary

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// The algorithms of RFC 8945 §6, in wire form. Those with two numbers keep only the second number's bits of a hash.
const (
	HMACMD5       zone.Name = "\x08hmac-md5\x07sig-alg\x03reg\x03int\x00"
	HMACSHA1      zone.Name = "\x09hmac-sha1\x00"
	HMACSHA224    zone.Name = "\x0bhmac-sha224\x00"
	HMACSHA256    zone.Name = "\x0bhmac-sha256\x00"
	HMACSHA256128 zone.Name = "\x0fhmac-sha256-128\x00"
	HMACSHA384    zone.Name = "\x0bhmac-sha384\x00"
	HMACSHA384192 zone.Name = "\x0fhmac-sha384-192\x00"
	HMACSHA512    zone.Name = "\x0bhmac-sha512\x00"
	HMACSHA512256 zone.Name = "\x0fhmac-sha512-256\x00"
)

// algorithm returns a hash and how many of its bytes are a MAC; 0 if the algorithm is not known.
func algorithm(name zone.Name) (func() hash.Hash, int) {
	switch name {
	case HMACMD5:
		return md5.New, md5.Size
	case HMACSHA1:
		return sha1.New, sha1.Size
	case HMACSHA224:
		return sha256.New224, sha256.Size224
	case HMACSHA256:
		return sha256.New, sha256.Size
	case HMACSHA256128:
		return sha256.New, sha256.Size / 2
	case HMACSHA384:
		return sha512.New384, sha512.Size384
	case HMACSHA384192:
		return sha512.New384, sha512.Size384 / 2
	case HMACSHA512:
		return sha512.New, sha512.Size
	case HMACSHA512256:
		return sha512.New, sha512.Size / 2
	}
	return nil, 0
}

// Limits of time, in seconds. A peer may allow more difference of the clocks, but it is not granted.
const (
	maxFudge  = 600
	ownFudge  = 300
	otherTime = 6 // bytes of a time in BADTIME's other data
)

// signature is what signs the replies to one request.
type signature struct {
	key       *Key // nil: the replies carry an empty MAC
	name      zone.Name
	algorithm zone.Name
	id        uint16 // original ID
	time      int64  // when the request was signed
	fudge     uint16
	request   []byte // MAC of the request
	mac       []byte // the same, then that of the last message
	err       uint16
	sent      int // messages of this reply so far
}

// size returns the greatest length of the TSIG record that sign appends.
func (g *signature) size() int {
	if g == nil {
		return 0
	}
	size := len(g.name) + 10 + len(g.algorithm) + 16 + otherTime
	if g.key != nil {
		_, n := algorithm(g.key.Algorithm)
		size += n
	}
	return size
}

// verify checks a request's signature in the order of RFC 8945 §5.2. With an rcode other than success the signature is
// what the reply that says so is signed with, nil if it is not signed at all.
func (s *State) verify(now time.Time, r *request) (*signature, int) {
	g, mac, ok := readSignature(r)
	if !ok || g.err != 0 {
		return nil, dns.RcodeFormatError
	}
	key := s.keys[g.name]
	if key == nil || key.Algorithm != g.algorithm { // §5.2.1
		return g.bad(dns.RcodeBadKey)
	}
	newHash, size := algorithm(key.Algorithm)
	if len(mac) > size || len(mac) < max(10, newHash().Size()/2) { // §5.2.2.1
		return nil, dns.RcodeFormatError
	}
	if want := g.messageMAC(key, r); !hmac.Equal(mac, want[:len(mac)]) { // §5.2.2
		return g.bad(dns.RcodeBadSig)
	}
	g.key, g.request = key, bytes.Clone(mac) // a transfer needs it when the request is long gone
	g.mac = g.request
	if skew := now.Unix() - g.time; max(skew, -skew) > int64(min(g.fudge, maxFudge)) { // §5.2.3
		return g.bad(dns.RcodeBadTime)
	}
	if len(mac) < size { // §5.2.4: it is as good as its length, but nobody needs it
		return g.bad(dns.RcodeBadTrunc)
	}
	return g, dns.RcodeSuccess
}

// bad says in the signature what is wrong with the request's.
func (g *signature) bad(code uint16) (*signature, int) {
	g.err = code
	return g, dns.RcodeNotAuth
}

// readSignature reads the TSIG record (RFC 8945 §4.2).
func readSignature(r *request) (g *signature, mac []byte, ok bool) {
	rr := r.tsig
	g = new(signature)
	if rr.class != dns.ClassANY || rr.ttl != 0 {
		return nil, nil, false
	}
	if g.name, ok = readName(r.wire, rr.owner); !ok {
		return nil, nil, false
	}
	if g.algorithm, ok = readName(r.wire, rr.rdata); !ok {
		return nil, nil, false
	}
	at, _ := skipName(r.wire, rr.rdata)
	if at+10 > rr.end {
		return nil, nil, false
	}
	data := r.wire[at:rr.end]
	g.time = int64(binary.BigEndian.Uint16(data))<<32 | int64(binary.BigEndian.Uint32(data[2:]))
	g.fudge = binary.BigEndian.Uint16(data[6:])
	size := int(binary.BigEndian.Uint16(data[8:]))
	if len(data) < 10+size+6 {
		return nil, nil, false
	}
	mac, data = data[10:10+size], data[10+size:]
	g.id = binary.BigEndian.Uint16(data)
	g.err = binary.BigEndian.Uint16(data[2:])
	other := int(binary.BigEndian.Uint16(data[4:]))
	return g, mac, len(data) == 6+other
}

// messageMAC computes what the MAC should be (RFC 8945 §4.3.3): over the message as it was before TSIG, and in a reply
// over the request's MAC before that.
func (g *signature) messageMAC(key *Key, r *request) []byte {
	newHash, _ := algorithm(key.Algorithm)
	h := hmac.New(newHash, key.Secret)
	if len(g.request) > 0 {
		h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(g.request))))
		h.Write(g.request)
	}
	var head [headerSize]byte
	copy(head[:], r.wire)
	binary.BigEndian.PutUint16(head[:], g.id)
	binary.BigEndian.PutUint16(head[10:], uint16(r.counts[3]-1))
	h.Write(head[:])
	h.Write(r.wire[headerSize:r.tsig.owner])
	h.Write(g.variables(g.time, g.fudge, g.err, otherData(r)))
	return h.Sum(nil)
}

// otherData returns the last field of the TSIG record.
func otherData(r *request) []byte {
	at, _ := skipName(r.wire, r.tsig.rdata)
	at += 10 + int(binary.BigEndian.Uint16(r.wire[at+8:])) + 6
	return r.wire[at:r.tsig.end]
}

// variables are the fields that a MAC covers beside the message (RFC 8945 §4.3.3).
func (g *signature) variables(at int64, fudge, err uint16, other []byte) []byte {
	b := make([]byte, 0, len(g.name)+len(g.algorithm)+18+len(other))
	b = append(b, g.name...)
	b = append(b, 0, dns.ClassANY, 0, 0, 0, 0)
	b = append(b, g.algorithm...)
	b = appendTime(b, at)
	b = binary.BigEndian.AppendUint16(b, fudge)
	b = binary.BigEndian.AppendUint16(b, err)
	b = binary.BigEndian.AppendUint16(b, uint16(len(other)))
	return append(b, other...)
}

func appendTime(b []byte, at int64) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(at>>32))
	return binary.BigEndian.AppendUint32(b, uint32(at))
}

// sign appends TSIG to a reply. Each message's MAC covers the one before, the first's that of the request
// (RFC 8945 §5.3).
func (g *signature) sign(message []byte, now time.Time) []byte {
	at := now.Unix()
	var other []byte
	if g.err == dns.RcodeBadTime { // §5.2.3: the peer's time, and ours
		other = appendTime(nil, at)
		at = g.time
	}
	var mac []byte
	if g.key != nil {
		newHash, size := algorithm(g.key.Algorithm)
		h := hmac.New(newHash, g.key.Secret)
		if len(g.mac) > 0 { // a request has none before it
			h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(g.mac))))
			h.Write(g.mac)
		}
		h.Write(message)
		if g.sent == 0 {
			h.Write(g.variables(at, ownFudge, g.err, other))
		} else {
			h.Write(binary.BigEndian.AppendUint16(appendTime(nil, at), ownFudge)) // §5.3.1
		}
		mac = h.Sum(nil)[:size]
	}
	id := binary.BigEndian.Uint16(message)
	message = append(message, g.name...)
	message = append(message, 0, byte(dns.TypeTSIG), 0, dns.ClassANY, 0, 0, 0, 0)
	message = binary.BigEndian.AppendUint16(message, uint16(len(g.algorithm)+16+len(mac)+len(other)))
	message = append(message, g.algorithm...)
	message = binary.BigEndian.AppendUint16(appendTime(message, at), ownFudge)
	message = append(binary.BigEndian.AppendUint16(message, uint16(len(mac))), mac...)
	message = binary.BigEndian.AppendUint16(message, id)
	message = binary.BigEndian.AppendUint16(message, g.err)
	message = append(binary.BigEndian.AppendUint16(message, uint16(len(other))), other...)
	binary.BigEndian.PutUint16(message[10:], binary.BigEndian.Uint16(message[10:])+1)
	g.mac = mac
	g.sent++
	return message
}
