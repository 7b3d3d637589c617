// Package push keeps push rules, read receipts and the notification counts that follow from them.
//
// # Counting
//
// Nothing is written when a message arrives, however many members count it: a user's count in a room is found when
// the user syncs, by evaluating the rules for the events since the user's receipt, once each. What was counted is
// kept in memory, bounded, and now and then written down (table "count"), so that a restart does not count all of
// a long absence again.
//
// # Tables
//
// Integers are 8 bytes, big-endian, orders offset by 2^63.
//
//	prule  user                                       position, then the user's rules as JSON (see stored)
//	rcpt   room, user, 0x00, kind, 0x00, thread       position, order, time in ms, event id
//	rcptp  room, position                             the rest of the "rcpt" key that was written there
//	count  user, 0x00, room                           a count (see appendCount)
package push

import (
	"context"
	"log/slog"
	"sync"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
)

// Push keeps the rules, receipts and counts of a server's users.
type Push struct {
	store    *store.Store
	accounts *account.Accounts
	log      *slog.Logger

	locks [64]sync.Mutex // each serialises changes of the users that hash to it

	mu     sync.Mutex // guards the fields below
	rules  map[matrix.UserID]*Ruleset
	epoch  uint64 // changes of rules so far
	counts map[countKey]*counted
}

const (
	maxRulesets = 1024  // users whose compiled rules are kept in memory
	maxCounts   = 16384 // counts kept in memory
)

// New returns the push rules, receipts and counts over a store.
func New(s *store.Store, accounts *account.Accounts, log *slog.Logger) *Push {
	if log == nil {
		log = slog.Default()
	}
	return &Push{
		store: s, accounts: accounts, log: log,
		rules:  make(map[matrix.UserID]*Ruleset),
		counts: make(map[countKey]*counted),
	}
}

// lock serialises changes of what belongs to a user.
func (p *Push) lock(user matrix.UserID) *sync.Mutex {
	var h uint32 = 2166136261
	for i := 0; i < len(user); i++ {
		h = (h ^ uint32(user[i])) * 16777619
	}
	return &p.locks[h%uint32(len(p.locks))]
}

// Rules returns a user's rules, ready to be evaluated.
func (p *Push) Rules(ctx context.Context, user matrix.UserID) (*Ruleset, error) {
	p.mu.Lock()
	rs, epoch := p.rules[user], p.epoch
	p.mu.Unlock()
	if rs != nil {
		return rs, nil
	}
	stored, pos, err := p.load(ctx, user)
	if err != nil {
		return nil, err
	}
	rs = newRuleset(user, stored, pos)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch != epoch {
		return rs, nil // somebody's rules changed since they were read; do not keep what may be old
	}
	if len(p.rules) >= maxRulesets {
		clear(p.rules)
	}
	p.rules[user] = rs
	return rs, nil
}
