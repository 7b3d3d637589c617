package account

import (
	"context"

	"hearth/matrix"
)

// SetAdmin makes a user an administrator of this server, or an ordinary user. Error: M_NOT_FOUND (404).
func (a *Accounts) SetAdmin(ctx context.Context, id matrix.UserID, admin bool) error {
	return a.edit(ctx, id, func(u *User) { u.Admin = admin })
}

// SetLocked locks or unlocks an account. Its sessions stay as they are: they can be used again once it is unlocked.
// Error: M_NOT_FOUND (404).
// spec: client-server-api#account-locking
func (a *Accounts) SetLocked(ctx context.Context, id matrix.UserID, locked bool) error {
	return a.edit(ctx, id, func(u *User) { u.Locked = locked })
}

// SetSuspended suspends an account, or lets it write again. Error: M_NOT_FOUND (404).
// spec: client-server-api#account-suspension
func (a *Accounts) SetSuspended(ctx context.Context, id matrix.UserID, suspended bool) error {
	return a.edit(ctx, id, func(u *User) { u.Suspended = suspended })
}

// SetKind changes what kind of user this is; see User. Error: M_NOT_FOUND (404).
func (a *Accounts) SetKind(ctx context.Context, id matrix.UserID, kind string) error {
	return a.edit(ctx, id, func(u *User) { u.Kind = kind })
}
