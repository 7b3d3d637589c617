package clientapi

import (
	"context"
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/directory"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/matrix/wire"
)

func (a *API) directoryRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/directory/room/{roomAlias}", a.getAlias)
	m.Handle("PUT /_matrix/client/v3/directory/room/{roomAlias}", a.authed(a.putAlias))
	m.Handle("DELETE /_matrix/client/v3/directory/room/{roomAlias}", a.authed(a.deleteAlias))
	m.Handle("GET /_matrix/client/v3/rooms/{roomId}/aliases", a.authed(a.roomAliases))
}

func aliasParam(r *http.Request) (matrix.RoomAlias, error) {
	alias, err := matrix.ParseRoomAlias(r.PathValue("roomAlias"))
	if err != nil {
		return "", err
	}
	return alias, nil
}

// newAlias checks an alias that a user wants to make.
func (a *API) newAlias(s string) (matrix.RoomAlias, error) {
	alias, err := matrix.ParseRoomAlias(s)
	if err != nil || len(alias.Localpart()) == 0 {
		return "", matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%q is not a room alias", s)
	}
	if alias.Server() != a.Settings.Server {
		return "", matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "Aliases made here end in :%s", a.Settings.Server)
	}
	return alias, nil
}

func unknownAlias(alias matrix.RoomAlias) error {
	return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "Room alias %s not found", alias)
}

// spec: client-server-api#get_matrixclientv3directoryroomroomalias
func (a *API) getAlias(w http.ResponseWriter, r *http.Request) error {
	alias, err := aliasParam(r)
	if err != nil {
		return err
	}
	have, err := a.Directory.Resolve(r.Context(), alias)
	if err != nil {
		return err
	}
	if have == nil {
		return unknownAlias(alias)
	}
	return wire.Answer(w, map[string]any{"room_id": have.Room, "servers": []matrix.ServerName{a.Settings.Server}})
}

// spec: client-server-api#put_matrixclientv3directoryroomroomalias
func (a *API) putAlias(w http.ResponseWriter, r *http.Request, s account.Session) error {
	var q struct {
		RoomID *string `json:"room_id"`
	}
	alias, err := a.newAlias(r.PathValue("roomAlias"))
	if err != nil {
		return err
	}
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	if q.RoomID == nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "room_id is missing")
	}
	id, err := matrix.ParseRoomID(*q.RoomID)
	if err != nil {
		return err
	}
	room, err := a.Store.RoomByID(r.Context(), id)
	if err != nil {
		return err
	}
	if ok, err := a.mayName(r.Context(), s.User, room); err != nil {
		return err
	} else if !ok {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are not in room %s", id)
	}
	err = a.Directory.Set(r.Context(), alias, room, s.User)
	if hasCode(err, matrix.MRoomInUse) {
		return matrix.Errorf(http.StatusConflict, matrix.MUnknown, "Room alias %s already exists", alias)
	}
	if err != nil {
		return err
	}
	return wire.Empty(w)
}

// mayName says whether user may make aliases of a room, which is nil if it is not known: its members, and administrators.
func (a *API) mayName(ctx context.Context, user matrix.UserID, room *store.Room) (bool, error) {
	if ok, err := a.isJoined(ctx, user, room); err != nil || ok {
		return ok, err
	}
	if room == nil || room.Deleted {
		return false, nil
	}
	return a.Accounts.IsAdmin(ctx, user)
}

// spec: client-server-api#delete_matrixclientv3directoryroomroomalias
func (a *API) deleteAlias(w http.ResponseWriter, r *http.Request, s account.Session) error {
	alias, err := aliasParam(r)
	if err != nil {
		return err
	}
	have, err := a.Directory.Resolve(r.Context(), alias)
	if err != nil {
		return err
	}
	if have == nil {
		return unknownAlias(alias)
	}
	room, err := a.Store.RoomByID(r.Context(), have.Room)
	if err != nil {
		return err
	}
	ok, err := a.mayDeleteAlias(r, s.User, have, room)
	if err != nil {
		return err
	}
	if !ok {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "Only who made an alias, or who may change the room's main alias, may remove it")
	}
	if err := a.dropAlias(r.Context(), s.User, alias, *have, room); err != nil {
		return err
	}
	return wire.Empty(w)
}

// dropAlias removes an alias and, in the same change, its mention by the room, if the user may change that.
// spec: client-server-api#delete_matrixclientv3directoryroomroomalias (the note)
func (a *API) dropAlias(ctx context.Context, user matrix.UserID, alias matrix.RoomAlias, have directory.Alias, room *store.Room) error {
	switch {
	case room == nil:
		return a.Directory.Delete(ctx, alias, have, 0)
	case room.Deleted:
		return a.Directory.Delete(ctx, alias, have, room.Num)
	}
	release, err := a.Directory.Hold(ctx, alias, have)
	if err != nil {
		return err
	}
	defer release()
	return a.Rooms.DropAlias(ctx, room, user, alias, func(tx *store.Tx) { directory.Remove(tx, alias, room.Num) })
}

// mayDeleteAlias says whether user may remove an alias: who made it, who may change the room's main alias, and
// administrators. The room is nil if it is not known.
func (a *API) mayDeleteAlias(r *http.Request, user matrix.UserID, have *directory.Alias, room *store.Room) (bool, error) {
	if have.Creator == user {
		return true, nil
	}
	if room == nil {
		return a.Accounts.IsAdmin(r.Context(), user)
	}
	return a.mayList(r, user, room)
}

// spec: client-server-api#get_matrixclientv3roomsroomidaliases
func (a *API) roomAliases(w http.ResponseWriter, r *http.Request, s account.Session) error {
	room, err := a.knownRoom(r)
	if err != nil {
		return err
	}
	if ok, err := a.maySeeAliases(r.Context(), s.User, room); err != nil {
		return err
	} else if !ok {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are not in room %s", room.ID)
	}
	aliases, err := a.Directory.OfRoom(r.Context(), room.Num)
	if err != nil {
		return err
	}
	if aliases == nil {
		aliases = []matrix.RoomAlias{}
	}
	return wire.Answer(w, map[string]any{"aliases": aliases})
}

// isJoined says whether user is in a room, which is nil if it is not known.
func (a *API) isJoined(ctx context.Context, user matrix.UserID, room *store.Room) (bool, error) {
	if room == nil || room.Deleted {
		return false, nil
	}
	m, err := a.Store.Membership(ctx, user, room.Num)
	return m != nil && m.Membership == event.Join, err
}

// maySeeAliases says whether user is in a room, or everybody may look into it.
func (a *API) maySeeAliases(ctx context.Context, user matrix.UserID, room *store.Room) (bool, error) {
	if ok, err := a.isJoined(ctx, user, room); err != nil || ok {
		return ok, err
	}
	visibility, err := a.Store.StateEvents(ctx, room.Num, room.State, event.Key{Type: event.TypeHistoryVisibility})
	if err != nil || visibility[0] == nil {
		return false, err
	}
	v, _ := matrix.StringField(visibility[0].Content, "history_visibility")
	return v == "world_readable", nil
}

// maySendState says whether user is in the room and may send state events of a type.
func (a *API) maySendState(ctx context.Context, user matrix.UserID, room *store.Room, typ string) (bool, error) {
	events, err := a.Store.StateEvents(ctx, room.Num, room.State,
		event.Key{Type: event.TypeCreate}, event.Key{Type: event.TypePowerLevels}, event.Key{Type: event.TypeMember, StateKey: string(user)})
	if err != nil || events[0] == nil || events[2] == nil || events[2].Membership() != event.Join {
		return false, err
	}
	var levels *event.PowerLevels
	if events[1] != nil {
		if levels, err = event.ParsePowerLevels(room.Version, events[1].Content); err != nil {
			return false, nil // who may do what in such a room, nobody can say
		}
	}
	return event.ReadCreation(events[0].Event).Power(levels, user) >= levels.Event(typ, true), nil
}
