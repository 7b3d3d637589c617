package room

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// Upgrade is what a user asks of a room's replacement by one of another version.
// spec: client-server-api#room-upgrades
type Upgrade struct {
	Sender   matrix.UserID
	Version  matrix.Version
	Creators []matrix.UserID    // additional_creators; ignored by versions that have none
	Aliases  []matrix.RoomAlias // that move to the new room
	// Also, if set, adds to the change that replaces the room: the aliases that move, say.
	Also func(tx *store.Tx, num store.RoomNum, id matrix.RoomID)
}

// upgrade is a replacement under way. The turn of the old room is held.
type upgrade struct {
	Upgrade
	rooms     *Rooms
	version   *matrix.RoomVersion
	old, next *stage
	creation  *event.Creation // of the old room
	again     bool            // the old room was replaced before
	restored  []byte          // the new room's lasting power levels, if those it begins with are others
	writer    *writer         // of the new room, if its turn is held
}

// Upgrade replaces a room and returns the id of the new one once that is durable.
//
// The new room, the tombstone of the old one and what Also adds are one change: whenever the server is killed, the room
// was replaced or it was not. Only if there is more to copy than one change can hold (see copyPage), the new room is
// made by changes of its own before; until the last one, which has the tombstone, nobody but the sender knows of it,
// the old room is as it was, and the sender may begin again. Who asks for what was done already gets the same answer: see
// done.
//
// Errors: M_UNSUPPORTED_ROOM_VERSION (400); M_FORBIDDEN (403) if the sender may not replace the room; M_INVALID_ROOM_STATE
// (400) if the new room cannot be as asked for; M_USER_LIMIT_EXCEEDED (403).
func (rs *Rooms) Upgrade(ctx context.Context, room *store.Room, u Upgrade) (matrix.RoomID, error) {
	version, ok := matrix.LookupVersion(u.Version)
	if !ok {
		return "", unknownVersion(u.Version)
	}
	if err := rs.mayMake(ctx, u.Sender); err != nil {
		return "", err
	}
	for {
		id, t, err := rs.tryUpgrade(ctx, room.Num, &upgrade{Upgrade: u, rooms: rs, version: version})
		if errors.Is(err, store.ErrStale) || errors.Is(err, errIDTaken) {
			continue
		}
		if err != nil {
			return "", err
		}
		// The caller may hold aliases: see Create.
		return id, t.Wait(context.WithoutCancel(ctx))
	}
}

func unknownVersion(v matrix.Version) error {
	return matrix.Errorf(http.StatusBadRequest, matrix.MUnsupportedRoomVersion, "This server does not know room version %.100q", v)
}

func (rs *Rooms) tryUpgrade(ctx context.Context, num store.RoomNum, u *upgrade) (matrix.RoomID, *store.Ticket, error) {
	w, err := rs.take(ctx, num)
	if err != nil {
		return "", nil, err
	}
	defer w.give()
	u.old = w.stage()
	if id, err := u.done(ctx); err != nil || id != "" {
		if err != nil {
			return "", nil, err
		}
		t, err := u.old.finish(ctx)
		return id, t, err
	}
	if err := u.begin(ctx); err != nil {
		return "", nil, err
	}
	defer u.letGo()
	for _, step := range []func(context.Context) error{u.firstState, u.copyMany, u.moveAliases, u.restoreLevels, u.closeOld} {
		if err := step(ctx); err != nil {
			return "", nil, err
		}
	}
	if u.Also != nil {
		u.next.writes = append(u.next.writes, func(tx *store.Tx) { u.Also(tx, u.next.info.Num, u.next.info.ID) })
	}
	t, err := commitBoth(ctx, u.next, u.old)
	return u.next.info.ID, t, err
}

func (u *upgrade) letGo() {
	if u.writer != nil {
		u.writer.give()
	}
}

// done returns the room of the version asked for by which this one was replaced already, if it is not empty: the sender
// asks again, or asks for what somebody else has just done. It is not sent back to who has replaced the room and left.
func (u *upgrade) done(ctx context.Context) (matrix.RoomID, error) {
	tombstone, err := u.old.current(ctx, tombstoneType, "")
	u.again = tombstone != nil
	if err != nil || tombstone == nil {
		return "", err
	}
	if may, err := u.mayReplace(ctx); err != nil || !may {
		return "", err // begin says why
	}
	if err := u.rooms.store.Settle(ctx); err != nil { // the answer may be under way
		return "", err
	}
	id, _ := matrix.StringField(tombstone.Content, "replacement_room")
	next, err := u.rooms.store.RoomByID(ctx, matrix.RoomID(id))
	if err != nil || next == nil || next.Deleted || next.Version != u.version || next.Joined == 0 {
		return "", err
	}
	state, err := u.rooms.store.StateEvents(ctx, next.Num, next.State,
		event.Key{Type: event.TypeCreate}, event.Key{Type: memberType, StateKey: string(u.Sender)})
	if err != nil || state[0] == nil || tombstone.Sender == u.Sender && membershipOf(state[1]) != event.Join {
		return "", err
	}
	if from, _ := matrix.StringField(state[0].Content, "predecessor", "room_id"); matrix.RoomID(from) != u.old.info.ID {
		return "", nil
	}
	return next.ID, nil
}

// mayReplace reports whether the sender is in the old room and may send its tombstone.
func (u *upgrade) mayReplace(ctx context.Context) (bool, error) {
	member, err := u.old.current(ctx, memberType, string(u.Sender))
	if err != nil || membershipOf(member) != event.Join {
		return false, err
	}
	p, err := u.old.powers(ctx)
	return err == nil && p.of(u.Sender) >= p.levels.Event(tombstoneType, true), unlessRefused(err)
}

const (
	tombstoneType = "m.room.tombstone"
	aliasType     = "m.room.canonical_alias"
	childType     = "m.space.child"
)

// begin stages what names the other room: the new one's create event and the old one's tombstone.
// spec: client-server-api#room-upgrades 1, 2, 5
func (u *upgrade) begin(ctx context.Context) error {
	create, err := u.old.current(ctx, event.TypeCreate, "")
	if err != nil {
		return err
	}
	if create == nil {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "The room has no create event")
	}
	u.creation = event.ReadCreation(create.Event)
	h := newHead(u.old.h.generation, store.Room{Version: u.version})
	u.next = newStage(u.rooms, h)
	u.next.created = u.rooms.creationTime()
	if u.version.RoomIDIsCreateHash {
		if err := u.create(ctx, ""); err != nil { // whose hash the tombstone names
			return err
		}
		_, err := u.bury(ctx)
		return err
	}
	name, err := u.rooms.randomName()
	if err != nil {
		return err
	}
	u.next.info.ID = matrix.RoomID("!" + name + ":" + string(u.rooms.o.Signer.Server))
	tombstone, err := u.bury(ctx)
	if err != nil {
		return err
	}
	return u.create(ctx, tombstone.ID)
}

// bury stages the tombstone.
func (u *upgrade) bury(ctx context.Context) (*store.Event, error) {
	content := matrix.With(nil, []byte(`{"body":"This room has been replaced"}`), "replacement_room", matrix.AppendString(nil, string(u.next.info.ID)))
	key := ""
	return u.old.add(ctx, draftEvent{sender: u.Sender, typ: tombstoneType, stateKey: &key, content: content})
}

// create stages the new room's create event.
func (u *upgrade) create(ctx context.Context, tombstone matrix.EventID) error {
	predecessor := matrix.With(nil, []byte("{}"), "room_id", matrix.AppendString(nil, string(u.old.info.ID)))
	if tombstone != "" {
		predecessor = matrix.With(nil, predecessor, "event_id", matrix.AppendString(nil, string(tombstone)))
	}
	content := matrix.With(nil, []byte("{}"), "predecessor", predecessor)
	if !u.creation.Federate {
		content = matrix.With(nil, content, "m.federate", []byte("false"))
	}
	if u.creation.Type != "" {
		content = matrix.With(nil, content, "type", matrix.AppendString(nil, u.creation.Type))
	}
	if u.version.PrivilegedCreators && len(u.Creators) > 0 {
		content = matrix.With(nil, content, "additional_creators", list(u.Creators))
	}
	return asRoomState(u.next.createEvent(ctx, &Creation{Creator: u.Sender, Content: content}, preset{}))
}

// list encodes names as an array of strings.
func list[S ~string](names []S) []byte {
	out := []byte{'['}
	for i, n := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = matrix.AppendString(out, string(n))
	}
	return append(out, ']')
}

// firstState stages the sender's join, the power levels, and the state that there is at most once.
// spec: client-server-api#room-upgrades 3
func (u *upgrade) firstState(ctx context.Context) error {
	if err := u.next.creatorJoins(ctx, &Creation{Creator: u.Sender}, preset{}); err != nil {
		return asRoomState(err)
	}
	if err := u.firstLevels(ctx); err != nil {
		return asRoomState(err)
	}
	for _, typ := range []string{
		event.TypeJoinRules, event.TypeHistoryVisibility, "m.room.guest_access", "m.room.encryption", "m.room.server_acl",
		"m.room.name", "m.room.topic", "m.room.avatar",
	} {
		e, err := u.old.current(ctx, typ, "")
		if err != nil {
			return err
		}
		if e == nil {
			continue
		}
		content := e.Content
		if typ == event.TypeJoinRules {
			content = joinRulesFor(u.version, content)
		}
		if err := u.copy(ctx, typ, "", content); err != nil {
			return err
		}
	}
	return nil
}

// copy stages state of the old room in the new one, unless a room of its version cannot hold it: numbers that are no
// integers, say.
func (u *upgrade) copy(ctx context.Context, typ, key string, content []byte) error {
	_, err := u.next.add(ctx, draftEvent{sender: u.Sender, typ: typ, stateKey: &key, content: content})
	return unlessRefused(err)
}

// unlessRefused returns err unless it says that an event cannot be or is not allowed.
func unlessRefused(err error) error {
	var m *matrix.Error
	if errors.As(err, &m) {
		return nil
	}
	return err
}

// joinRulesFor returns the content of join rules with a rule that the version knows, since one that it does not know
// lets nobody in.
func joinRulesFor(v *matrix.RoomVersion, content []byte) []byte {
	rule, _ := matrix.StringField(content, "join_rule")
	known := rule
	if known == event.JoinKnockRestricted && !v.KnockRestricted {
		known = event.JoinRestricted
	}
	if known == event.JoinRestricted && !v.Restricted || known == event.JoinKnock && !v.Knocking {
		known = event.JoinInvite
	}
	if known == rule {
		return content
	}
	return matrix.With(nil, content, "join_rule", matrix.AppendString(nil, known))
}

// moveAliases stages what becomes of the main alias and its alternatives in both rooms.
// spec: client-server-api#room-upgrades 4
func (u *upgrade) moveAliases(ctx context.Context) error {
	e, err := u.old.current(ctx, aliasType, "")
	if err != nil || e == nil || len(u.Aliases) == 0 {
		return err
	}
	kept, moved := splitAliases(e.Content, u.Aliases)
	if string(moved) == "{}" {
		return nil
	}
	if err := u.copy(ctx, aliasType, "", moved); err != nil {
		return err
	}
	return u.change(ctx, aliasType, kept)
}

// change stages state of the old room, if the sender may change it.
func (u *upgrade) change(ctx context.Context, typ string, content []byte) error {
	key := ""
	_, err := u.old.add(ctx, draftEvent{sender: u.Sender, typ: typ, stateKey: &key, content: content})
	return unlessRefused(err)
}

// splitAliases parts the content of an m.room.canonical_alias into what stays and what moves.
func splitAliases(content []byte, move []matrix.RoomAlias) (kept, moved []byte) {
	kept, moved = content, []byte("{}")
	if name, ok := matrix.StringField(content, "alias"); ok && slices.Contains(move, matrix.RoomAlias(name)) {
		kept = matrix.Without(nil, kept, "alias")
		moved = matrix.With(nil, moved, "alias", matrix.AppendString(nil, name))
	}
	var stay, gone []string
	all, _ := matrix.Field(content, "alt_aliases")
	if !matrix.IsArray(all) {
		return kept, moved
	}
	matrix.EachElement(all, func(raw []byte) bool {
		switch name, ok := matrix.String(raw); {
		case !ok:
		case slices.Contains(move, matrix.RoomAlias(name)):
			gone = append(gone, name)
		default:
			stay = append(stay, name)
		}
		return true
	})
	if len(gone) == 0 {
		return kept, moved
	}
	kept = matrix.Without(nil, kept, "alt_aliases")
	if len(stay) > 0 {
		kept = matrix.With(nil, kept, "alt_aliases", list(stay))
	}
	return kept, matrix.With(nil, moved, "alt_aliases", list(gone))
}
