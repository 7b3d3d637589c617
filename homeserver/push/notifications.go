package push

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
)

// Notification is an event that notifies a user.
type Notification struct {
	Room    *store.Room
	Event   *store.Event
	Actions []json.RawMessage
	Read    bool // the user's receipts cover it
}

// Notifications is a page of what notifies a user, newest first.
type Notifications struct {
	List []Notification
	Next string // token of the next page; "" if there is none
}

// The bounds of one page: how many lines of the log and how many events of the user's rooms are read for it. A page
// that ends at one of them may be short, or empty, and has a Next.
const (
	maxWalked    = 20_000
	maxEvaluated = 5_000
)

// Notifications returns up to limit notifications of a user before a token, "" for the newest; with highlights only
// those that highlight.
//
// Errors: M_INVALID_PARAM (400) for a token that cannot be.
// spec: client-server-api#listing-notifications
func (p *Push) Notifications(ctx context.Context, user matrix.UserID, from string, limit int, highlights bool) (*Notifications, error) {
	w := &walk{p: p, highlights: highlights, limit: limit, rooms: make(map[store.RoomNum]*walkedRoom)}
	pos := p.store.Durable() + 1
	if from != "" {
		at, err := readNotificationsToken(from)
		if err != nil {
			return nil, err
		}
		pos = min(pos, at)
	}
	var err error
	if w.rs, err = p.Rules(ctx, user); err != nil {
		return nil, err
	}
	if w.ignored, err = p.accounts.Ignored(ctx, user); err != nil {
		return nil, err
	}
	for m, err := range p.store.Memberships(ctx, user) {
		if err != nil {
			return nil, err
		}
		if !m.Forgotten {
			w.rooms[m.Room] = &walkedRoom{m: m}
		}
	}
	next, err := w.run(ctx, pos)
	if err != nil {
		return nil, err
	}
	page := &Notifications{List: w.found}
	if next > 1 {
		page.Next = notificationsToken(next)
	}
	return page, nil
}

// notificationsToken names the place in the log before which a page begins: "n" and a position, see the package's
// comment.
func notificationsToken(pos store.Pos) string { return "n" + strconv.FormatUint(uint64(pos), 10) }

func readNotificationsToken(token string) (store.Pos, error) {
	digits, ok := strings.CutPrefix(token, "n")
	pos, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil || pos == 0 || notificationsToken(store.Pos(pos)) != token {
		return 0, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The token from was not made by this server")
	}
	return store.Pos(pos), nil
}

// walk goes back through the log and finds what notifies one user.
type walk struct {
	p          *Push
	rs         *Ruleset
	ignored    *account.Ignored
	highlights bool
	limit      int
	rooms      map[store.RoomNum]*walkedRoom // that the user has to do with
	found      []Notification
	evaluated  int
}

// walkedRoom is a room that the walk comes through; room and read are nil until they are needed.
type walkedRoom struct {
	m    *store.Membership
	room *store.Room
	read *readUpTo
}

// run walks back from a position, not included, and returns the position before which the next page begins: 1 if
// there is nothing before it.
func (w *walk) run(ctx context.Context, pos store.Pos) (store.Pos, error) {
	for walked := 0; walked < maxWalked && w.evaluated < maxEvaluated; {
		notes, err := w.p.store.Before(ctx, pos)
		if err != nil || len(notes) == 0 {
			return 1, err
		}
		events, err := w.events(ctx, notes)
		if err != nil {
			return 0, err
		}
		for i, n := range notes {
			if len(w.found) == w.limit {
				return pos, nil
			}
			pos = n.Pos
			if events[i] == nil {
				continue
			}
			if err := w.event(ctx, events[i]); err != nil {
				return 0, err
			}
		}
		walked += len(notes)
	}
	return pos, nil
}

// events reads the events of notes that may notify the user, nil for every other note.
func (w *walk) events(ctx context.Context, notes []store.Note) ([]*store.Event, error) {
	out := make([]*store.Event, len(notes))
	places := make(map[store.RoomNum][]int)
	for i, n := range notes {
		if n.Kind == store.KindEvent && w.rooms[n.Room] != nil {
			places[n.Room] = append(places[n.Room], i)
		}
	}
	for room, at := range places {
		orders := make([]store.Order, len(at))
		for j, i := range at {
			orders[j] = notes[i].Order
		}
		events, err := w.p.store.EventsAt(ctx, room, orders...)
		if err != nil {
			return nil, err
		}
		for j, i := range at {
			out[i] = events[j]
		}
	}
	return out, nil
}

// concerns reports whether an event is of the user's present stay in its room, or an invitation of the user.
func (w *walk) concerns(r *walkedRoom, e *store.Event) bool {
	if !e.Visible() || e.RedactedBy != 0 || e.Sender == w.rs.User || w.ignored.Has(e.Sender) {
		return false
	}
	if e.Is("m.room.member", string(w.rs.User)) && e.Membership() == "invite" {
		return true
	}
	return r.m.Membership == "join" && e.Order > r.m.Since
}

func (w *walk) event(ctx context.Context, e *store.Event) error {
	r := w.rooms[e.Room]
	if !w.concerns(r, e) {
		return nil
	}
	if r.room == nil {
		rooms, err := w.p.store.RoomsByNum(ctx, e.Room)
		if err != nil {
			return err
		}
		if rooms[0] == nil || rooms[0].Deleted {
			return nil
		}
		r.room = rooms[0]
	}
	w.evaluated++
	o, err := w.rs.Evaluate(e.Event, &roomOf{ctx, w.p.store, r.room, e})
	if err != nil || !o.Notify || w.highlights && !o.Highlight {
		return err
	}
	read, err := w.read(ctx, r, e)
	w.found = append(w.found, Notification{Room: r.room, Event: e, Actions: o.Actions, Read: read})
	return err
}

// read reports whether the user's receipts cover an event.
func (w *walk) read(ctx context.Context, r *walkedRoom, e *store.Event) (bool, error) {
	if r.read == nil {
		var err error
		if r.read, err = w.p.readUpTo(ctx, countKey{w.rs.User, e.Room}); err != nil {
			return false, err
		}
	}
	thread, err := w.p.threadOf(ctx, e)
	return r.read.covers(thread, e.Order), err
}
