package account

import (
	"context"
	"encoding/base32"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// The flags of a user's record.
const (
	flagAdmin = 1 << iota
	flagLocked
	flagSuspended
	flagDeactivated
	flagGuest
	flagErased
)

// KindServer is the kind of the user as whom the server itself speaks.
const KindServer = "server"

// User is one account.
type User struct {
	ID          matrix.UserID
	Admin       bool
	Locked      bool // may do nothing but log out (spec: client-server-api#account-locking)
	Suspended   bool // may read and leave, not write (spec: client-server-api#account-suspension)
	Deactivated bool // is gone for good; the id is never given out again
	Guest       bool
	Erased      bool // deactivated, and what the user wrote is shown redacted to those who come later
	Made        time.Time
	Kind        string // "" for people, "bot" or "support", or KindServer

	password string
}

func (u *User) flags() byte {
	var f byte
	for i, set := range []bool{u.Admin, u.Locked, u.Suspended, u.Deactivated, u.Guest, u.Erased} {
		if set {
			f |= 1 << i
		}
	}
	return f
}

func appendUser(dst []byte, u *User) []byte {
	dst = appendTime(append(dst, u.flags()), u.Made)
	return appendString(appendString(dst, u.Kind), u.password)
}

func readUser(id matrix.UserID, data []byte) (*User, error) {
	r := reader{data: data}
	f := r.byte()
	u := &User{
		ID: id, Made: r.time(), Kind: r.string(), password: r.string(),
		Admin: f&flagAdmin != 0, Locked: f&flagLocked != 0, Suspended: f&flagSuspended != 0,
		Deactivated: f&flagDeactivated != 0, Guest: f&flagGuest != 0, Erased: f&flagErased != 0,
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("reading user %s: %w", id, err)
	}
	return u, nil
}

// User returns a user, nil if there is none of that id.
func (a *Accounts) User(ctx context.Context, id matrix.UserID) (*User, error) {
	if !a.local(id) {
		return nil, nil
	}
	row, err := a.store.Row(ctx, tableUsers, []byte(id))
	if err != nil {
		return nil, fmt.Errorf("reading user %s: %w", id, err)
	}
	if row == nil {
		return nil, nil
	}
	return readUser(id, row)
}

// local reports whether id is of this server and fits a key.
func (a *Accounts) local(id matrix.UserID) bool {
	return len(id) > 0 && len(id) <= matrix.MaxID && id.Server() == a.server
}

// Exists reports whether there is, or was, a user of that id on this server.
func (a *Accounts) Exists(ctx context.Context, id matrix.UserID) (bool, error) {
	u, err := a.User(ctx, id)
	return u != nil, err
}

// IsAdmin reports whether id is an administrator of this server.
func (a *Accounts) IsAdmin(ctx context.Context, id matrix.UserID) (bool, error) {
	u, err := a.User(ctx, id)
	return u != nil && u.Admin && !u.Deactivated, err
}

// Users yields all users whose ids sort after the one given, in order of their ids.
func (a *Accounts) Users(ctx context.Context, after matrix.UserID) iter.Seq2[*User, error] {
	return func(yield func(*User, error) bool) {
		var from []byte
		if after != "" {
			from = append([]byte(after), 0)
		}
		for row, err := range a.store.Scan(ctx, blob.Range{Table: tableUsers, From: from}) {
			if err != nil {
				yield(nil, fmt.Errorf("reading users: %w", err))
				return
			}
			u, err := readUser(matrix.UserID(row.Key), row.Value)
			if !yield(u, err) || err != nil {
				return
			}
		}
	}
}

// NewUser says what kind of user to create.
type NewUser struct {
	Admin       bool
	Kind        string // see User
	DisplayName string // "" for none
	// Invitation is the registration token that the user was let in by, "" if none, and Session the one of interactive
	// authentication that holds a place for it; see HoldRegistrationToken.
	Invitation, Session string
}

// Create makes a user. An empty localpart is replaced by a random one; an empty password means that nobody can log
// in by password.
//
// Errors: M_INVALID_USERNAME, M_USER_IN_USE, M_INVALID_PARAM for a password that is too long (all 400); M_UNAUTHORIZED
// (401) if the registration token is not good any more.
func (a *Accounts) Create(ctx context.Context, localpart, password string, n NewUser) (matrix.UserID, error) {
	if localpart == "" {
		b, err := a.random(10)
		if err != nil {
			return "", err
		}
		localpart = strings.ToLower(base32.StdEncoding.EncodeToString(b))
	}
	available := a.Available
	if n.Kind == KindServer {
		available = a.free
	}
	id, err := available(ctx, localpart)
	if err != nil {
		return "", err
	}
	u := &User{ID: id, Admin: n.Admin, Kind: n.Kind, Made: a.now()}
	if password != "" {
		// Before the lock: it takes long.
		if u.password, err = a.hash(ctx, password); err != nil {
			return "", err
		}
	}
	invitation, done, err := a.redeem(ctx, n.Invitation, n.Session)
	if err != nil {
		return "", err
	}
	defer done()
	unlock, err := a.lock(ctx, id)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := available(ctx, localpart); err != nil {
		return "", err
	}
	_, err = a.apply(ctx, func(tx *store.Tx) {
		tx.Set(tableUsers, []byte(id), appendUser(nil, u))
		if invitation != nil {
			tx.Set(tableInvitations, []byte(invitation.Token), appendRegistrationToken(nil, invitation))
		}
		if n.DisplayName != "" {
			tx.Set(tableProfiles, []byte(id), displayNameOnly(n.DisplayName))
		}
		tx.Note(store.Note{Kind: store.KindProfile, User: id})
	})
	if err != nil {
		return "", fmt.Errorf("creating user %s: %w", id, err)
	}
	return id, nil
}

// Available returns the id that a new user of this localpart would have. Capital letters are lowered.
//
// Errors: M_INVALID_USERNAME, M_USER_IN_USE (both 400).
// spec: client-server-api#get_matrixclientv3registeravailable
func (a *Accounts) Available(ctx context.Context, localpart string) (matrix.UserID, error) {
	id, err := a.free(ctx, localpart)
	if err == nil && id == a.reserved {
		err = errTaken()
	}
	if err != nil {
		return "", err
	}
	return id, nil
}

func errTaken() error {
	return matrix.Errorf(http.StatusBadRequest, matrix.MUserInUse, "This user name is taken")
}

// free is Available for the server's own user, whose name nobody else can have.
func (a *Accounts) free(ctx context.Context, localpart string) (matrix.UserID, error) {
	id, err := matrix.NewUserID(Fold(localpart), a.server)
	if err != nil {
		return "", err
	}
	taken, err := a.Exists(ctx, id)
	if err != nil {
		return "", err
	}
	if taken {
		return "", errTaken()
	}
	return id, nil
}

// Fold returns the localpart that stands for what somebody typed: ASCII capitals lowered.
func Fold(localpart string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, localpart)
}
