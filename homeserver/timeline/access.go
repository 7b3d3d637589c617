package timeline

import (
	"context"
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

// Access is how far a user may look into a room.
type Access struct {
	Membership *store.Membership // nil if the user never had to do with the room
	Joined     bool
	State      blob.Hash        // the newest state that the user may see
	End        store.Order      // events with an order below End exist for the user
	Ignored    *account.Ignored // whose messages the user does not want to see; nil for nobody's
}

// Hides reports whether the user ignores the event's sender. State is shown whoever set it.
// spec: client-server-api#ignoring-users
func (a *Access) Hides(e *store.Event) bool {
	return a.Ignored.Has(e.Sender) && !e.IsState()
}

// Access returns how far a user may look into a room: members see all that its history visibility allows, those
// who left what there was until then, and others only what is readable by the world. The error is M_FORBIDDEN.
func (t *Timeline) Access(ctx context.Context, user matrix.UserID, room *store.Room) (Access, error) {
	m, err := t.store.Membership(ctx, user, room.Num)
	if err != nil {
		return Access{}, err
	}
	ignored, err := t.accounts.Ignored(ctx, user)
	if err != nil {
		return Access{}, err
	}
	a := Access{Membership: m, State: room.State, End: store.MaxOrder, Ignored: ignored}
	switch {
	case m != nil && m.Membership == "join":
		a.Joined = true
		return a, nil
	case m != nil && m.Ended != 0 && !m.Forgotten:
		a.State, a.End = m.Left, m.Ended+1
		return a, nil
	}
	v, err := t.visibilityAt(ctx, room.Num, room.State)
	if err != nil {
		return Access{}, err
	}
	if v != worldReadable {
		return Access{}, matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are not in room %s", room.ID)
	}
	return a, nil
}

// Room returns a room by its id and the user's access to it. To those who may not see it, an unknown room and a
// forbidden one look the same.
func (t *Timeline) Room(ctx context.Context, user matrix.UserID, id string) (*store.Room, Access, error) {
	room, err := t.known(ctx, id)
	if err != nil {
		return nil, Access{}, err
	}
	a, err := t.Access(ctx, user, room)
	return room, a, err
}

func (t *Timeline) known(ctx context.Context, id string) (*store.Room, error) {
	roomID, err := matrix.ParseRoomID(id)
	if err != nil {
		return nil, err
	}
	room, err := t.store.RoomByID(ctx, roomID)
	if err != nil {
		return nil, err
	}
	if room == nil || room.Deleted {
		return nil, matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are not in room %s", roomID)
	}
	return room, nil
}

// RoomOfEvent is Room for who reads one event by its id. Then the event's own history visibility decides: those who are
// invited may see what was sent since, and those who left what the world may see.
// spec: client-server-api#server-behaviour-5
func (t *Timeline) RoomOfEvent(ctx context.Context, user matrix.UserID, id string) (*store.Room, Access, error) {
	room, err := t.known(ctx, id)
	if err != nil {
		return nil, Access{}, err
	}
	a, refused := t.Access(ctx, user, room)
	if refused == nil {
		a.End = store.MaxOrder
		return room, a, nil
	}
	m, err := t.store.Membership(ctx, user, room.Num)
	if err != nil {
		return nil, Access{}, err
	}
	if m == nil || m.Membership != event.Invite {
		return nil, Access{}, refused
	}
	return room, Access{Membership: m, State: room.State, End: store.MaxOrder}, nil
}

// history visibilities
const (
	worldReadable = "world_readable"
	shared        = "shared"
	invited       = "invited"
	joined        = "joined"
)

// visibilityOf returns what a history visibility event says; a missing or unknown one is "shared".
// spec: client-server-api#server-behaviour-5
func visibilityOf(e *store.Event) string {
	if e == nil {
		return shared
	}
	switch v, _ := matrix.StringField(e.Content, "history_visibility"); v {
	case worldReadable, invited, joined:
		return v
	}
	return shared
}

func (t *Timeline) visibilityAt(ctx context.Context, room store.RoomNum, root blob.Hash) (string, error) {
	events, err := t.store.StateEvents(ctx, room, root, event.Key{Type: "m.room.history_visibility"})
	if err != nil {
		return "", err
	}
	return visibilityOf(events[0]), nil
}

// Eyes are one user's view of one room; they remember what was found for the states they have met.
type Eyes struct {
	t      *Timeline
	user   matrix.UserID
	room   store.RoomNum
	access Access
	seen   map[blob.Hash]circumstances
}

// circumstances are what decides about the events at one state.
type circumstances struct {
	visibility string
	membership string
}

// Eyes returns the view that access gives a user of a room. They are for one goroutine.
func (t *Timeline) Eyes(user matrix.UserID, room store.RoomNum, access Access) *Eyes {
	return &Eyes{t: t, user: user, room: room, access: access, seen: make(map[blob.Hash]circumstances, 2)}
}

func (y *Eyes) at(ctx context.Context, root blob.Hash) (circumstances, error) {
	if c, ok := y.seen[root]; ok {
		return c, nil
	}
	events, err := y.t.store.StateEvents(ctx, y.room, root,
		event.Key{Type: "m.room.history_visibility"}, event.Key{Type: "m.room.member", StateKey: string(y.user)})
	if err != nil {
		return circumstances{}, err
	}
	c := circumstances{visibilityOf(events[0]), "leave"}
	if events[1] != nil {
		c.membership = events[1].Membership()
	}
	if len(y.seen) < 1024 {
		y.seen[root] = c
	}
	return c, nil
}

// Sees reports whether the user may see the event and does not ignore its sender, and the user's membership at it, which
// includes what the event itself changes.
// spec: client-server-api#room-history-visibility, client-server-api#room-event-format (unsigned.membership)
func (y *Eyes) Sees(ctx context.Context, e *store.Event) (ok bool, membership string, err error) {
	if y.access.Hides(e) {
		return false, "", nil
	}
	return y.may(ctx, e)
}

// may is Sees for who ignores nobody.
func (y *Eyes) may(ctx context.Context, e *store.Event) (ok bool, membership string, err error) {
	if !e.Visible() || e.Order >= y.access.End {
		return false, "", nil
	}
	before, err := y.at(ctx, e.Before)
	if err != nil {
		return false, "", err
	}
	own := e.Is("m.room.member", string(y.user))
	if y.allows(before, e) {
		if own {
			return true, e.Membership(), nil
		}
		return true, before.membership, nil
	}
	if !own && !e.Is("m.room.history_visibility", "") {
		return false, "", nil
	}
	after, err := y.at(ctx, e.After)
	if err != nil {
		return false, "", err
	}
	return y.allows(after, e) || own && (after.membership == "invite" || after.membership == "knock"), after.membership, nil
}

func (y *Eyes) allows(c circumstances, e *store.Event) bool {
	switch {
	case c.visibility == worldReadable, c.membership == "join":
		return true
	case c.visibility == shared:
		m := y.access.Membership
		return y.access.Joined || m != nil && m.Ended > e.Order && !m.Forgotten
	case c.visibility == invited:
		return c.membership == "invite"
	}
	return false
}
