// Package timeline is the read side of rooms: what a user may see, paged, related, threaded, rendered.
//
// Whatever is shown of a room passes the reader's Eyes: they know how far the reader may look (members all that the
// history visibility allows, those who left what there was until then, others what is readable by the world), whom the
// reader ignores, and who asked for erasure. That holds for what is bundled with an event too: its newest edit, the
// newest event of its thread, what refers to it, what emptied it.
//
// Invariants:
//
//  1. Nothing is read without a bound: a page that meets thousands of events that its reader may not see ends early, with
//     a token to go on from.
//  2. What a reader may not see leaves no trace: an unknown room, a forbidden one and one that was deleted look alike, and
//     threads stand where their newest visible event puts them.
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
