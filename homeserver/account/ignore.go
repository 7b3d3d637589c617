package account

import (
	"context"
	"fmt"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// IgnoredUsers is the type of the account data that lists the users whom a user ignores.
const IgnoredUsers = "m.ignored_user_list"

// maxIgnoring is for how many users is kept in memory whom they ignore, and maxIgnoredKept the longest list, in bytes,
// that is kept; a longer one is read whenever it is asked for.
const (
	maxIgnoring    = 1024
	maxIgnoredKept = 8 << 10
)

// Ignored is whom a user ignores. It is not changed once made.
type Ignored struct {
	Pos   store.Pos // of the last change of the list; 0 if there never was one
	users map[matrix.UserID]struct{}
}

// Has reports whether the user ignores u. Nobody ignores themselves; nil ignores nobody.
func (i *Ignored) Has(u matrix.UserID) bool {
	if i == nil {
		return false
	}
	_, ok := i.users[u]
	return ok
}

// Len returns how many users are ignored.
func (i *Ignored) Len() int {
	if i == nil {
		return 0
	}
	return len(i.users)
}

// Ignored returns whom a user of this server ignores. It is quick for a user of whom it was asked lately, and knows
// every change that the log has announced.
// spec: client-server-api#ignoring-users
func (a *Accounts) Ignored(ctx context.Context, user matrix.UserID) (*Ignored, error) {
	if !a.local(user) {
		return &Ignored{}, nil
	}
	i, ok, version := a.ignored.Get(user)
	if ok {
		return i, nil
	}
	row, err := a.store.Row(ctx, tableData, contentKey(user, 0, IgnoredUsers))
	if err != nil {
		return nil, fmt.Errorf("reading whom %s ignores: %w", user, err)
	}
	i = &Ignored{}
	if row != nil {
		d, err := readDatum(user, 0, IgnoredUsers, row)
		if err != nil {
			return nil, err
		}
		i = readIgnored(user, &d)
	}
	if len(row) <= maxIgnoredKept {
		a.ignored.Put(user, version, i)
	}
	return i, nil
}

// readIgnored reads a list, which its owner may have made of anything: what is no user id ignores nobody.
func readIgnored(user matrix.UserID, d *Datum) *Ignored {
	i := &Ignored{Pos: d.Pos}
	list, _ := matrix.Field(d.Content, "ignored_users")
	if !matrix.IsObject(list) {
		return i
	}
	i.users = make(map[matrix.UserID]struct{})
	matrix.EachField(list, func(name string, _ []byte) bool {
		if id, err := matrix.ParseUserID(name); err == nil && id != user {
			i.users[id] = struct{}{}
		}
		return true
	})
	return i
}
