package clientapi

import (
	"encoding/json"
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/directory"
	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/matrix/wire"
)

func (a *API) createRoomRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/createRoom", a.authed(a.createRoom))
}

type createRoomRequest struct {
	Visibility    string              `json:"visibility"`
	AliasName     *string             `json:"room_alias_name"`
	Name          *string             `json:"name"`
	Topic         *string             `json:"topic"`
	Invite        []string            `json:"invite"`
	Invite3PID    []json.RawMessage   `json:"invite_3pid"`
	RoomVersion   matrix.Version      `json:"room_version"`
	Content       json.RawMessage     `json:"creation_content"`
	InitialState  []room.InitialState `json:"initial_state"`
	Preset        string              `json:"preset"`
	IsDirect      bool                `json:"is_direct"`
	PowerOverride json.RawMessage     `json:"power_level_content_override"`
}

// spec: client-server-api#post_matrixclientv3createroom
func (a *API) createRoom(w http.ResponseWriter, r *http.Request, s account.Session) error {
	var q createRoomRequest
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	c, err := a.creation(r, &q, s.User)
	if err != nil {
		return err
	}
	if c.Alias != "" {
		release, err := a.Directory.Claim(r.Context(), c.Alias)
		if err != nil {
			return err
		}
		defer release()
	}
	c.Also = func(tx *store.Tx, num store.RoomNum, id matrix.RoomID) {
		if c.Alias != "" {
			directory.Put(tx, c.Alias, num, directory.Alias{Room: id, Creator: s.User})
		}
		if c.Public {
			directory.Publish(tx, num)
		}
	}
	id, err := a.Rooms.Create(r.Context(), *c)
	if err != nil {
		return err
	}
	return wire.Answer(w, map[string]any{"room_id": id})
}

func (a *API) creation(r *http.Request, q *createRoomRequest, user matrix.UserID) (*room.Creation, error) {
	c := &room.Creation{
		Creator: user, Version: q.RoomVersion, Preset: q.Preset, InitialState: q.InitialState,
		Name: q.Name, Topic: q.Topic, Direct: q.IsDirect, Encrypt: a.Settings.EncryptRooms,
	}
	var err error
	if q.Visibility != "" {
		if c.Public, err = readVisibility(q.Visibility); err != nil {
			return nil, err
		}
	}
	if len(q.Invite) > room.MaxInvites {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MTooLarge, "At most %d users can be invited at once", room.MaxInvites)
	}
	if len(q.Invite3PID) > 0 {
		return nil, matrix.Errorf(http.StatusForbidden, matrix.MThreepidDenied, "This server does not invite by e-mail or telephone")
	}
	if err := a.limits.invite(user, len(q.Invite)); err != nil {
		return nil, err
	}
	if c.Content, err = object("creation_content", q.Content); err != nil {
		return nil, err
	}
	if c.PowerOverride, err = object("power_level_content_override", q.PowerOverride); err != nil {
		return nil, err
	}
	for _, u := range q.Invite {
		id, err := a.localTarget(r, u)
		if err != nil {
			return nil, err
		}
		c.Invite = append(c.Invite, id)
	}
	if q.AliasName != nil {
		if c.Alias, err = a.newAlias("#" + *q.AliasName + ":" + string(a.Settings.Server)); err != nil {
			return nil, err
		}
	}
	return c, a.checkInitialState(q.InitialState, c.Alias)
}

// checkInitialState refuses state without a type or content, aliases that cannot point to the room, which has only the
// one given, and what putState refuses.
func (a *API) checkInitialState(state []room.InitialState, alias matrix.RoomAlias) error {
	for _, e := range state {
		if e.Type == "" || !matrix.IsObject(e.Content) {
			return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "initial_state needs type and content")
		}
		if err := a.checkContent("", e.Type, e.StateKey, e.Content); err != nil {
			return err
		}
		if e.Type == event.TypeRedaction {
			return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A redaction is no state")
		}
		if e.Type != "m.room.canonical_alias" {
			continue
		}
		names, err := canonicalAliases(e.Content)
		if err != nil {
			return err
		}
		for _, name := range names {
			if name != string(alias) {
				return badAlias(name)
			}
		}
	}
	return nil
}

// object returns raw, nil if it is absent; anything but an object is an error.
func object(name string, raw json.RawMessage) ([]byte, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if !matrix.IsObject(raw) {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "%s must be an object", name)
	}
	return raw, nil
}

// localTarget reads the id of a user whom a membership change is about.
func (a *API) localTarget(r *http.Request, id string) (matrix.UserID, error) {
	user, err := matrix.ParseUserID(id)
	if err != nil {
		return "", err
	}
	if user.Server() != a.Settings.Server {
		return "", matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "This server does not federate: it cannot reach %s", user.Server())
	}
	exists, err := a.Accounts.Exists(r.Context(), user)
	if err != nil {
		return "", err
	}
	if !exists {
		return "", matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no user %s here", user)
	}
	return user, nil
}
