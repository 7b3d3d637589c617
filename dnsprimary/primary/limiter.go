package primary

import (
	"net/netip"
	"time"

	"hearth/dnsprimary/zone"
)

// answerKind is what an answer is to the limiter.
type answerKind uint8

const (
	fullAnswer answerKind = iota
	referralAnswer
	absentAnswer
	errorAnswer
)

// Rates are how many equal answers a second one network gets over UDP before the limiter thinks that somebody forges
// its addresses.
type Rates struct {
	Answers int // and referrals
	Absent  int // of one zone
	Errors  int
	// Slip: of the answers over the rate each Slip-th is sent truncated, so that a real resolver comes back over TCP.
	// 1 sends all so, 0 none.
	Slip int
	// Networks are the first bits of addresses that count as one.
	IPv4Bits, IPv6Bits int
	Buckets            int // how many answers are counted at a time, 24 bytes each
}

// DefaultRates suit a server of small zones.
func DefaultRates() Rates {
	return Rates{Answers: 50, Absent: 25, Errors: 10, Slip: 2, IPv4Bits: 24, IPv6Bits: 56, Buckets: 16384}
}

// Limiter counts answers. It belongs to one goroutine, and its memory is bounded: a bucket that is needed is taken from
// the answer that was longest not given.
type Limiter struct {
	rates   Rates
	secret  [16]byte
	buckets []bucket
	buffer  [1 + 16 + zone.MaxName]byte
}

// bucket holds what may still be sent of one answer to one network.
type bucket struct {
	key    uint64
	last   int64 // when tokens were counted, in nanoseconds
	tokens float32
	over   uint32 // how many were over the rate since it was kept last
}

// ways is how many buckets an answer can have.
const ways = 4

// NewLimiter returns a limiter. The secret keeps strangers from choosing names that share a bucket.
func NewLimiter(rates Rates, secret [16]byte) *Limiter {
	return &Limiter{rates: rates, secret: secret, buckets: make([]bucket, max(rates.Buckets/ways, 1)*ways)}
}

type verdict uint8

const (
	pass verdict = iota
	slip
	drop
)

func (l *Limiter) rate(kind answerKind) int {
	switch kind {
	case absentAnswer:
		return l.rates.Absent
	case errorAnswer:
		return l.rates.Errors
	}
	return l.rates.Answers
}

// judge counts an answer and says what becomes of it.
func (l *Limiter) judge(now time.Time, client netip.Addr, kind answerKind, name zone.Name) verdict {
	rate := float32(l.rate(kind))
	if rate <= 0 {
		return pass
	}
	b, at := l.bucket(l.key(client, kind, name)), now.UnixNano()
	if elapsed := at - b.last; elapsed > 0 {
		b.tokens = min(b.tokens+rate*float32(elapsed)/float32(time.Second), rate)
	}
	b.last = at // also when the clock was set back: then it counts from there
	if b.tokens >= 1 {
		b.tokens--
		b.over = 0
		return pass
	}
	b.over++
	if l.rates.Slip > 0 && b.over%uint32(l.rates.Slip) == 0 {
		return slip
	}
	return drop
}

// key hashes an answer to a network.
func (l *Limiter) key(client netip.Addr, kind answerKind, name zone.Name) uint64 {
	client = client.Unmap()
	bits := l.rates.IPv6Bits
	if client.Is4() {
		bits = l.rates.IPv4Bits
	}
	data := append(l.buffer[:0], byte(kind))
	if network, err := client.Prefix(bits); err == nil {
		a := network.Addr().As16()
		data = append(data, a[:]...)
	}
	return sipHash(&l.secret, append(data, name...))
}

// bucket finds the bucket of a key, or makes one full.
func (l *Limiter) bucket(key uint64) *bucket {
	at := int(key%uint64(len(l.buckets)/ways)) * ways
	oldest := &l.buckets[at]
	for i := range l.buckets[at : at+ways] {
		b := &l.buckets[at+i]
		if b.key == key {
			return b
		}
		if b.last < oldest.last {
			oldest = b
		}
	}
	*oldest = bucket{key: key, tokens: 1 << 20} // min makes it the rate once time is counted
	return oldest
}
