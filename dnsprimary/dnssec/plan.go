package dnssec

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// Advance returns the signer as it is at a time, with keys made, published, activated, retired and removed; s itself if
// nothing changes. Then says when the next change is due by the passing of time alone, the zero time if none is.
// longest is the greatest TTL of the zone. After a change the zone must be refreshed.
//
// New keys have the algorithm and the scheme of those in use; the policy's are for the first ones.
func (s *Signer) Advance(now time.Time, longest time.Duration, random io.Reader) (next *Signer, then time.Time, err error) {
	p := planner{policy: s.Policy.withDefaults(), now: now.Truncate(time.Second), longest: longest, random: random}
	for _, k := range s.Keys {
		copied := *k
		p.keys = append(p.keys, &copied)
	}
	for again := true; again; {
		p.changed, p.then = false, time.Time{}
		for _, role := range p.roles() {
			if err := p.advance(role); err != nil {
				return nil, then, fmt.Errorf("planning keys: %w", err)
			}
		}
		again = p.changed
		p.ever = p.ever || p.changed
	}
	if !p.ever {
		return s, p.then, nil
	}
	return &Signer{Policy: s.Policy, Keys: p.keys}, p.then, nil
}

// Roll returns the signer that has been asked for successors of the keys of a role that are in use.
func (s *Signer) Roll(role Role, now time.Time) (*Signer, error) {
	next := &Signer{Policy: s.Policy}
	found := false
	for _, k := range s.Keys {
		copied := *k
		if k.Role == role && !k.Activate.IsZero() && k.Retire.IsZero() {
			copied.Asked, found = now.Truncate(time.Second), true
		}
		next.Keys = append(next.Keys, &copied)
	}
	if !found {
		return nil, fmt.Errorf("no %s is in use", role)
	}
	return next, nil
}

// Confirm returns the signer that knows that the parent has the DS of the key with a tag; s itself if it knew, or there
// is no such key.
func (s *Signer) Confirm(tag uint16, now time.Time) *Signer {
	i := slices.IndexFunc(s.Keys, func(k *Key) bool { return k.Tag() == tag && k.Role != ZSK && k.published() && k.Confirm.IsZero() })
	if i < 0 {
		return s
	}
	next := &Signer{Policy: s.Policy, Keys: slices.Clone(s.Keys)}
	copied := *s.Keys[i]
	copied.Confirm = now.Truncate(time.Second)
	next.Keys[i] = &copied
	return next
}

// planner moves keys on.
type planner struct {
	policy        Policy
	now           time.Time
	longest       time.Duration
	random        io.Reader
	keys          []*Key
	changed, ever bool
	then          time.Time
}

// roles are the roles that the zone's keys have.
func (p *planner) roles() []Role {
	split := p.policy.Split
	for _, k := range p.keys {
		if k.Remove.IsZero() {
			split = k.Role != CSK
		}
	}
	if split {
		return []Role{KSK, ZSK}
	}
	return []Role{CSK}
}

// due reports whether a moment has come, and remembers it otherwise.
func (p *planner) due(at time.Time) bool {
	if !p.now.Before(at) {
		return true
	}
	if p.then.IsZero() || at.Before(p.then) {
		p.then = at
	}
	return false
}

// stand are the keys of one role by where they are in their lives.
type stand struct{ coming, current, going *Key }

func (p *planner) stand(role Role) (s stand) {
	for _, k := range p.keys {
		switch {
		case k.Role != role || !k.published():
		case k.Activate.IsZero():
			s.coming = k
		case k.Retire.IsZero():
			s.current = k
		default:
			s.going = k
		}
	}
	return s
}

// lead is how long a key must be in the zone before everybody knows it (RFC 7583 §3.2.1: Ipub), and its signatures.
func (p *planner) lead(role Role) time.Duration {
	if role == CSK {
		return p.policy.Propagate + max(p.policy.KeyTTL, p.longest)
	}
	return p.policy.Propagate + p.policy.KeyTTL
}

// advance takes the steps of one role that are due.
func (p *planner) advance(role Role) error {
	s := p.stand(role)
	if s.current == nil && s.coming == nil {
		k, err := p.generate(role, p.policy.Algorithm)
		if err != nil {
			return err
		}
		k.Activate = p.now // nobody could know of another
		return nil
	}
	if s.going != nil && p.mayGo(s) {
		s.going.Remove, p.changed = p.now, true
		s.going = nil
	}
	if s.coming == nil && s.going == nil && p.wanted(s.current) {
		var err error
		if s.coming, err = p.generate(role, s.current.Algorithm); err != nil {
			return err
		}
	}
	if s.coming != nil && p.due(s.coming.Publish.Add(p.lead(role))) {
		s.coming.Activate, p.changed = p.now, true
		if s.current != nil {
			s.current.Retire = p.now
		}
	}
	return nil
}

// generate makes a key and publishes it.
func (p *planner) generate(role Role, a Algorithm) (*Key, error) {
	k, err := Generate(a, role, p.now, p.random)
	if err != nil {
		return nil, err
	}
	for slices.ContainsFunc(p.keys, func(other *Key) bool { return other.Remove.IsZero() && other.Tag() == k.Tag() }) {
		if k, err = Generate(a, role, p.now, p.random); err != nil { // tags tell keys apart
			return nil, err
		}
	}
	k.Publish, p.changed = p.now, true
	p.keys = append(p.keys, k)
	return k, nil
}

// wanted reports whether it is time for a successor.
func (p *planner) wanted(k *Key) bool {
	if !k.Asked.IsZero() {
		return true
	}
	life := p.policy.EntryKeyLife
	if k.Role == ZSK {
		life = p.policy.ZoneKeyLife
	}
	return life >= 0 && p.due(k.Activate.Add(life-p.lead(k.Role)))
}

// mayGo reports whether nobody can need a key that was retired.
func (p *planner) mayGo(s stand) bool {
	if s.going.Role == ZSK {
		return p.due(s.going.Retire.Add(p.policy.Propagate + p.longest)) // RFC 7583 §3.2.1: Iret
	}
	// RFC 7583 §3.3.1: the old DS must have left all caches.
	return s.current != nil && !s.current.Confirm.IsZero() && p.due(s.current.Confirm.Add(p.policy.ParentPropagate+p.policy.ParentTTL))
}
