// Package push keeps push rules, pushers, read receipts and the notification counts that follow from them.
//
// # Counting
//
// Nothing is written when a message arrives, however many members count it: a user's count in a room is found when
// the user syncs, by evaluating the rules for the events since the user's receipt, once each. So a count is a
// function of the room's events, the user's receipts and the user's present rules; changed rules are applied to what
// is unread already. What was counted is kept in memory, bounded, and now and then written down (table "count"), so
// that a restart does not count all of a long absence again.
//
// # Listing notifications
//
// What notified a user is not written down either: a page of it is found by walking the log backwards and evaluating
// the present rules for the events of the user's rooms. The work for a page is bounded, so a page may end early with a
// token to go on from. The events of the present stay in each room are listed, and invitations. A token is "n" and, in
// decimal, the position of the log before which the page begins:
//
//	n4711
//
// # Tables
//
// Integers are 8 bytes, big-endian, orders offset by 2^63.
//
//	prule  user                                       position, then the user's rules as JSON (see stored)
//	rcpt   room, user, 0x00, kind, 0x00, thread       position, order, time in ms, event id
//	rcptp  room, position                             the rest of the "rcpt" key that was written there
//	count  user, 0x00, room                           a count
//	pusher   user, 0x00, app id, 0x00, pushkey        a pusher as JSON, and the device that set it
//	pushkey  app id, 0x00, pushkey, 0x00, user        empty: the user has that pusher
//
// A count is a list of signed varints: the order up to which was counted, the one after which counting began, the
// order of the user's join, the position of the newest change of the rules or of whom the user ignores, the order up
// to which unthreaded receipts say that all was read, the notifications and highlights of the main timeline, and the
// number of threads (the main timeline too) that have receipts. For each of these follow its name and the receipt's
// order, and then, to the end, for each thread with notifications its root, its notifications and its highlights. A
// name is an unsigned varint length and its bytes.
//
// A count up to order 7, begun after 2, the join being 1, the rules at position 5, nothing read by unthreaded
// receipts, with 3 notifications and 1 highlight in the main timeline, which was read up to 2, and one notification
// in the thread $t is, in hexadecimal:
//
//	0e 04 02 0a 00 06 02 02  04 6d61696e 04  02 2474 02 00
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

	locks         [64]sync.Mutex // each serialises changes of the users that hash to it
	pusherChanges sync.Mutex     // serialises changes of pushers, which may belong to several users

	rules  *store.Memo[matrix.UserID, *Ruleset]
	counts *store.Memo[countKey, *counted]
	reads  *store.Memo[countKey, *readUpTo]
}

const (
	maxRulesets = 256   // users whose compiled rules are kept in memory
	maxCounts   = 16384 // counts kept in memory
	maxReads    = 4096  // and what their users have read
)

// New returns the push rules, receipts and counts over a store.
func New(s *store.Store, accounts *account.Accounts, log *slog.Logger) *Push {
	if log == nil {
		log = slog.Default()
	}
	return &Push{
		store: s, accounts: accounts, log: log,
		rules:  store.NewMemo[matrix.UserID, *Ruleset](s, maxRulesets),
		counts: store.NewMemo[countKey, *counted](s, maxCounts),
		reads:  store.NewMemo[countKey, *readUpTo](s, maxReads),
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
	rs, ok, version := p.rules.Get(user)
	if ok {
		return rs, nil
	}
	stored, pos, err := p.load(ctx, user)
	if err != nil {
		return nil, err
	}
	rs = newRuleset(user, stored, pos)
	p.rules.Put(user, version, rs)
	return rs, nil
}
