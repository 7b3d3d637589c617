// Package e2ee keeps what devices need to encrypt for each other: messages from device to device.
//
// # Messages
//
// A message waits in the queue of the device that it is for until that device has acknowledged it. It lies at the
// position in the log at which it was announced, so a device asks for what came after the position that it knows,
// and nothing is delivered twice or left out whatever fails on the way.
//
// A queue is bounded (MaxQueued, MaxQueuedBytes). When it is full, whoever has the most bytes in it loses the
// oldest of them, again and again until a quarter of the queue is free: one sender cannot push out the others.
//
// A request with a transaction id takes effect once: the row that remembers it is part of the same change as the
// messages. It is remembered for one to two weeks.
//
// # Tables
//
// Integers are 8 bytes, big-endian; born is the position in the log at which the sending device was made, so that
// a later device of that name starts anew. A week is 7*24 hours of Unix time.
//
//	todev     user, 0x00, device, 0x00, position                          the message as JSON
//	todevtxn  week, user, 0x00, device, 0x00, born, type, 0x00, txn id    nothing
//
// A message is the object that a client gets, with its members in this order:
//
//	{"sender":"@alice:example.org","type":"m.dummy","content":{}}
package e2ee

import (
	"context"
	"hash/maphash"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
)

const (
	tableMessages     = "todev"
	tableTransactions = "todevtxn"
)

// Options are what E2EE needs beside its store.
type Options struct {
	Now func() time.Time // default time.Now
}

// E2EE keeps the messages between devices.
type E2EE struct {
	store    *store.Store
	accounts *account.Accounts
	now      func() time.Time
	queues   *queues
	seed     maphash.Seed
	turns    [64]chan struct{} // each lets one request at a time of the devices that hash to it look for its transaction; full while held
}

// New returns the messages that s keeps for the devices of a.
func New(s *store.Store, a *account.Accounts, o Options) *E2EE {
	if o.Now == nil {
		o.Now = time.Now
	}
	e := &E2EE{store: s, accounts: a, now: o.Now, queues: newQueues(), seed: maphash.MakeSeed()}
	for i := range e.turns {
		e.turns[i] = make(chan struct{}, 1)
	}
	return e
}

// turn waits until no other request of the device is under way.
func (e *E2EE) turn(ctx context.Context, user matrix.UserID, device string) (done func(), err error) {
	held := e.turns[maphash.String(e.seed, string(queueKey(user, device)))%uint64(len(e.turns))]
	select {
	case held <- struct{}{}:
		return func() { <-held }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// queueKey is the beginning of the keys of a device's messages, without the position.
func queueKey(user matrix.UserID, device string) []byte {
	k := make([]byte, 0, len(user)+len(device)+10)
	k = append(append(k, user...), 0)
	return append(append(k, device...), 0)
}
