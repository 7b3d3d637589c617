// Package ratelimit tells who asks too often: one token bucket for each user, device or address.
//
// A bucket is one number: the moment at which it will be full again (the generic cell rate algorithm). What is taken
// moves that moment on by an interval for each token; who would move it further away than a full bucket's worth of
// intervals is refused, and told how long to wait.
//
// Invariants:
//
//  1. A Limiter holds a bounded number of buckets, 32 bytes and a map's entry each; the one that was used least
//     recently makes room for a new one.
//  2. Taking from a bucket that exists allocates nothing.
//  3. A clock that is set back makes nobody wait for more than a full bucket.
package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

// Limiter limits one kind of request. A nil Limiter refuses nothing.
type Limiter struct {
	rate Rate
	now  func() time.Time
	seed maphash.Seed
	most int // buckets

	mu      sync.Mutex // guards the fields below
	index   map[Key]int32
	buckets []bucket // the first is the ends of the list of all others, by their last use
}

// Key names a bucket. It is a keyed hash, so that nobody can choose two names that share one.
type Key uint64

// bucket is one of a list: next is what was used before it, previous what was used after it.
type bucket struct {
	key            Key
	full           int64 // when it will be full, in nanoseconds of Unix time
	previous, next int32
}

// New returns a limiter of that rate with at most that many buckets, nil for a rate without a limit.
func New(rate Rate, buckets int, now func() time.Time) *Limiter {
	if rate == (Rate{}) {
		return nil
	}
	return &Limiter{
		rate: rate, now: now, seed: maphash.MakeSeed(), most: max(buckets, 1),
		index: make(map[Key]int32), buckets: make([]bucket, 1),
	}
}

// Key returns the bucket of these names together.
func (l *Limiter) Key(names ...string) Key {
	if l == nil {
		return 0
	}
	var k uint64
	for _, name := range names {
		k = k*0x9e3779b97f4a7c15 + maphash.String(l.seed, name)
	}
	return Key(k)
}

// Bytes is Key of a name that is bytes.
func (l *Limiter) Bytes(name []byte) Key {
	if l == nil {
		return 0
	}
	return Key(maphash.Bytes(l.seed, name))
}

// Take takes tokens out of a bucket and returns 0, or takes none and returns how long to wait until there are enough.
// More than the bucket holds is taken as all that it holds.
func (l *Limiter) Take(k Key, tokens int) time.Duration {
	if l == nil {
		return 0
	}
	now := l.now().UnixNano()
	depth := int64(l.rate.Burst) * int64(l.rate.Every)
	cost := int64(min(tokens, l.rate.Burst)) * int64(l.rate.Every)
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(k, now)
	b.full = min(max(b.full, now), now+depth)
	if wait := b.full + cost - now - depth; wait > 0 {
		return time.Duration(wait)
	}
	b.full += cost
	return 0
}

// Give puts tokens back that were taken out of a bucket.
func (l *Limiter) Give(k Key, tokens int) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i, ok := l.index[k]; ok {
		l.buckets[i].full -= int64(min(tokens, l.rate.Burst)) * int64(l.rate.Every)
	}
}

// bucket returns a key's bucket, a full one if it is new, as the one that was used last. Called with the lock held.
func (l *Limiter) bucket(k Key, now int64) *bucket {
	i, ok := l.index[k]
	if !ok {
		i = l.fresh(k, now)
	} else {
		l.unlink(i)
	}
	b := &l.buckets[i]
	b.previous, b.next = 0, l.buckets[0].next
	l.buckets[b.next].previous = i
	l.buckets[0].next = i
	return b
}

// fresh returns a full bucket that is in no list: a new one, or the one that was used least recently.
func (l *Limiter) fresh(k Key, now int64) int32 {
	var i int32
	if len(l.buckets) <= l.most {
		i = int32(len(l.buckets))
		l.buckets = append(l.buckets, bucket{})
	} else {
		i = l.buckets[0].previous
		l.unlink(i)
		delete(l.index, l.buckets[i].key)
	}
	l.buckets[i] = bucket{key: k, full: now}
	l.index[k] = i
	return i
}

func (l *Limiter) unlink(i int32) {
	b := &l.buckets[i]
	l.buckets[b.previous].next = b.next
	l.buckets[b.next].previous = b.previous
}
