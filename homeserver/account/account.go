// Package account keeps users: their passwords, sessions and devices, profiles, filters and account data.
//
// Users are those of this server. Every read-modify-write of what belongs to one user is serialised by a lock that
// many users share; it is held until the change is durable, so that whoever comes next reads what was written.
//
// # Tables
//
// user is the whole user id, which never contains 0x00; integers in keys are 8 bytes, big-endian; a varint is that of
// encoding/binary and a string is its length as an unsigned varint and its bytes; times are milliseconds since 1970
// as signed varints.
//
//	user     user                               flags (1 byte), made (time), kind (string), password (string)
//	device   user, 0x00, device                 name (string), made, seen (times), born (unsigned varint), token (string)
//	                                            and perhaps refresh, next token, next refresh, spent, address (strings)
//	token    SHA-256 of the access token        user, device (strings), born (unsigned varint), made (time), perhaps
//	                                            when it expires (time)
//	refresh  SHA-256 of the refresh token       user, device (strings)
//	profile  user                               the profile, a canonical JSON object
//	filter   user, 0x00, filter id              the filter as the client sent it
//	filter   user, 0x00                         how many filters there are and their bytes (unsigned varints)
//	adata    user, 0x00, 0x00, room, type       position (8 bytes), then the content, a JSON object
//	adata    user, 0x00, 0x01, position         room (8 bytes), type: what changed at that position
//	adata    user, 0x00, 0x02                   how many rows of content there are and their bytes (unsigned varints)
//	rtok     registration token                 flags (1 byte), uses allowed, completed (unsigned varints), expiry (time)
//	gone     user                               nothing: a deactivated user whose rooms and data are still to be left
//	gone     user, 0x00, device                 nothing: a removed device of which something may still be kept
//	erased   user                               nothing: a deactivated user who asked for erasure
//
// The flags of a user are 1 administrator, 2 locked, 4 suspended, 8 deactivated, 16 guest, 32 erased. Those of a
// registration token are 1 if its uses are limited, 2 if it expires; what does not apply is 0. A password is the string
// that the reference implementation of Argon2 writes, "" if the user has none:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>
//
// with salt and hash in unpadded Base64. The token of a device is the SHA-256 of its access token, "" if it has
// none, and likewise its refresh token, the pair that a refresh gave out and that was not used yet, and the refresh
// token that was replaced last; address is from where the device was last seen. All after the token is left out if
// the device has neither refresh token nor address. Born is the position in the log at which the device was made, so
// that what was meant for an earlier device of that name can be told apart. So the user made by an administrator one
// second after 1970 without a password is the five bytes 01 d0 0f 00 00.
//
// No access or refresh token is ever written down: who reads the disk cannot use a session.
package account

import (
	"context"
	"crypto/rand"
	"fmt"
	"hash/maphash"
	"io"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
)

const (
	tableUsers    = "user"
	tableDevices  = "device"
	tableTokens   = "token"
	tableRefresh  = "refresh"
	tableProfiles = "profile"
	tableFilters  = "filter"
	tableData     = "adata"

	tableInvitations = "rtok"
	tableDeparting   = "gone"
	tableErased      = "erased"
)

// Options are what Accounts needs beside its store.
type Options struct {
	Server   matrix.ServerName
	Now      func() time.Time // default time.Now
	Rand     io.Reader        // default crypto/rand.Reader
	Cost     Cost             // of new passwords; default DefaultCost
	Lifetime time.Duration    // of the access tokens of clients that refresh them; default 5 minutes
	Reserved matrix.UserID    // of the server itself: nobody can register it
	Sessions int              // sessions kept in memory; default 4096, about 300 bytes each
}

// Accounts keeps the users of one server.
type Accounts struct {
	store    *store.Store
	server   matrix.ServerName
	reserved matrix.UserID
	now      func() time.Time
	rand     io.Reader
	hasher   hasher
	lifetime time.Duration // of access tokens that expire
	sessions *sessions
	ignored  *store.Memo[matrix.UserID, *Ignored]
	seed     maphash.Seed

	loginTokens  *tickets
	openIDTokens *tickets

	invitations invitations
	departing   chan struct{} // capacity 1; see Departures
	seen        sightings
	erased      erased

	locks [64]chan struct{} // each guards the rows of the users that hash to it; full while held
}

// New returns the accounts that s keeps.
func New(s *store.Store, o Options) *Accounts {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Cost == (Cost{}) {
		o.Cost = DefaultCost()
	}
	if o.Lifetime == 0 {
		o.Lifetime = 5 * time.Minute
	}
	if o.Sessions == 0 {
		o.Sessions = 4096
	}
	a := &Accounts{
		store:    s,
		server:   o.Server,
		reserved: o.Reserved,
		now:      o.Now,
		rand:     o.Rand,
		hasher:   newHasher(o.Cost),
		lifetime: o.Lifetime,
		sessions: newSessions(o.Sessions),
		ignored:  store.NewMemo[matrix.UserID, *Ignored](s, maxIgnoring),
		seed:     maphash.MakeSeed(),

		loginTokens:  newTickets(LoginTokenLifetime),
		openIDTokens: newTickets(OpenIDLifetime),

		invitations: newInvitations(),
		departing:   make(chan struct{}, 1),
		seen:        newSightings(),
	}
	for i := range a.locks {
		a.locks[i] = make(chan struct{}, 1)
	}
	return a
}

// Server returns the name of the server whose users these are.
func (a *Accounts) Server() matrix.ServerName { return a.server }

// lock waits until nobody else changes what belongs to user. The caller calls unlock when its change is durable.
func (a *Accounts) lock(ctx context.Context, user matrix.UserID) (unlock func(), err error) {
	held := a.locks[maphash.String(a.seed, string(user))%uint64(len(a.locks))]
	select {
	case held <- struct{}{}:
		return func() { <-held }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// apply writes a change of a locked user. Once it is queued it waits for the outcome even if ctx ends, so that the
// lock is not given to somebody who would read the past.
func (a *Accounts) apply(ctx context.Context, write func(*store.Tx)) (store.Pos, error) {
	t, err := a.store.Append(ctx, write)
	if err != nil {
		return 0, err
	}
	return t.Pos(), t.Wait(context.WithoutCancel(ctx))
}

// random returns n random bytes.
func (a *Accounts) random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(a.rand, b); err != nil {
		return nil, fmt.Errorf("reading random bytes: %w", err)
	}
	return b, nil
}

// key returns user, 0x00 and the parts.
func key(user matrix.UserID, parts ...string) []byte {
	n := len(user) + 1
	for _, p := range parts {
		n += len(p)
	}
	k := append(append(make([]byte, 0, n), user...), 0)
	for _, p := range parts {
		k = append(k, p...)
	}
	return k
}
