package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/authrules"
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
		return "", matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%s", err)
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
		RoomID string `json:"room_id"`
	}
	alias, err := a.newAlias(r.PathValue("roomAlias"))
	if err != nil {
		return err
	}
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	id, err := matrix.ParseRoomID(q.RoomID)
	if err != nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%s", err)
	}
	room, err := a.Store.RoomByID(r.Context(), id)
	if err != nil {
		return err
	}
	if room == nil || room.Deleted {
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "Room %s not found", id)
	}
	m, err := a.Store.Membership(r.Context(), s.User, room.Num)
	if err != nil {
		return err
	}
	if m == nil || m.Membership != "join" {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are not in room %s", id)
	}
	if err := a.Directory.Set(r.Context(), alias, room, s.User); err != nil {
		return err
	}
	return wire.Empty(w)
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
	if have.Creator != s.User {
		ok := false
		if room != nil {
			if ok, err = a.maySendState(r, s.User, room.Num, "m.room.canonical_alias"); err != nil {
				return err
			}
		}
		if !ok {
			return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "Only who made an alias, or who may change the room's main alias, may remove it")
		}
	}
	if err := a.Directory.Delete(r.Context(), alias, room); err != nil {
		return err
	}
	return wire.Empty(w)
}

// spec: client-server-api#get_matrixclientv3roomsroomidaliases
func (a *API) roomAliases(w http.ResponseWriter, r *http.Request, s account.Session) error {
	room, err := a.knownRoom(r)
	if err != nil {
		return err
	}
	m, err := a.Store.Membership(r.Context(), s.User, room.Num)
	if err != nil {
		return err
	}
	if m == nil || m.Membership != "join" {
		visibility, err := a.Store.StateEvents(r.Context(), room.Num, room.State, event.Key{Type: "m.room.history_visibility"})
		if err != nil {
			return err
		}
		readable := false
		if visibility[0] != nil {
			v, _ := matrix.StringField(visibility[0].Content, "history_visibility")
			readable = v == "world_readable"
		}
		if !readable {
			return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are not in room %s", room.ID)
		}
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

// maySendState says whether a member may send state events of a type.
func (a *API) maySendState(r *http.Request, user matrix.UserID, num roomNum, typ string) (bool, error) {
	rooms, err := a.Store.RoomsByNum(r.Context(), num)
	if err != nil || rooms[0] == nil {
		return false, err
	}
	events, err := a.Store.StateEvents(r.Context(), num, rooms[0].State,
		event.Key{Type: "m.room.create"}, event.Key{Type: "m.room.power_levels"}, event.Key{Type: "m.room.member", StateKey: string(user)})
	if err != nil || events[0] == nil || events[2] == nil || events[2].Membership() != "join" {
		return false, err
	}
	needed := int64(50)
	var power *event.Event
	if events[1] != nil {
		power = events[1].Event
		if n, ok := matrix.IntField(power.Content, "state_default"); ok {
			needed = n
		}
		if n, ok := matrix.IntField(power.Content, "events", typ); ok {
			needed = n
		}
	}
	return authrules.UserLevel(user, events[0].Event, power) >= needed, nil
}
