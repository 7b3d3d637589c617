// Package timeline is the read side of rooms: what a user may see, paged, related, rendered.
//
// # Tokens
//
// A token names a boundary between two events of a room: "t" and the order, in decimal, of the event after it. So
// reading backward from "t7" begins with event 6, forward with event 7. The tokens of /sync, "s" and a position of
// the log and whatever follows, are accepted too: they name the boundary after the last event that was written at
// or before that position.
package timeline

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
)

// Timeline reads rooms for users of this server.
type Timeline struct {
	store    *store.Store
	accounts *account.Accounts
}

// New returns the read side over a store.
func New(s *store.Store, accounts *account.Accounts) *Timeline {
	return &Timeline{store: s, accounts: accounts}
}

// Token returns the token of the boundary before the event with this order.
func Token(o store.Order) string { return "t" + strconv.FormatInt(int64(o), 10) }

func badToken(name string) error {
	return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The token %s was not made by this server", name)
}

// boundary reads a token given as the parameter name: the order of the event after it.
func (t *Timeline) boundary(ctx context.Context, room *store.Room, name, token string) (store.Order, error) {
	if rest, ok := strings.CutPrefix(token, "t"); ok {
		n, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			return 0, badToken(name)
		}
		return store.Order(n), nil
	}
	rest, ok := strings.CutPrefix(token, "s")
	if !ok {
		return 0, badToken(name)
	}
	digits, _, _ := strings.Cut(rest, "_")
	pos, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, badToken(name)
	}
	return t.store.OrderAfter(ctx, room.Num, store.Pos(pos))
}
