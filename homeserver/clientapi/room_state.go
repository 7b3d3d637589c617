package clientapi

import (
	"context"
	"net/http"
	"slices"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/matrix/wire"
)

func (a *API) roomStateRoutes(m *wire.Mux) {
	const path = " /_matrix/client/v3/rooms/{roomId}/state/{eventType}"
	for _, p := range []string{path, path + "/{stateKey}"} {
		m.Handle("PUT"+p, a.authed(a.putState))
		m.Handle("GET"+p, a.authed(a.getStateEvent))
	}
	m.Handle("GET /_matrix/client/v3/rooms/{roomId}/state", a.authed(a.getState))
}

// spec: client-server-api#put_matrixclientv3roomsroomidstateeventtypestatekey
func (a *API) putState(w http.ResponseWriter, r *http.Request, s account.Session) error {
	content, err := wire.ReadObject(w, r, maxBody)
	if err != nil {
		return err
	}
	known, err := a.knownRoom(r)
	if err != nil {
		return err
	}
	typ, key := r.PathValue("eventType"), r.PathValue("stateKey")
	if err := a.checkState(r, s, known, typ, key, content); err != nil {
		return err
	}
	id, err := a.Rooms.SetState(r.Context(), known, room.Message{Sender: s.User, Device: s.Device, Type: typ, Content: content}, key)
	if err != nil {
		return err
	}
	if membership, _ := matrix.StringField(content, "membership"); typ == event.TypeMember && membership == event.Join {
		if err := a.carryOver(r.Context(), s.User, known.ID); err != nil {
			return err
		}
	}
	a.acts(s)
	return sentEvent(w, id)
}

// checkState refuses state that a client may not set in this way.
func (a *API) checkState(r *http.Request, s account.Session, known *store.Room, typ, key string, content []byte) error {
	if err := a.checkContent(known.ID, typ, key, content); err != nil {
		return err
	}
	switch typ {
	case event.TypeCreate:
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A room is created once, by createRoom")
	case event.TypeRedaction:
		// Other servers would redact what it names, whoever it is.
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A redaction is no state")
	case "m.room.canonical_alias":
		return a.checkCanonicalAlias(r.Context(), known, key, content)
	case "m.room.power_levels":
		return checkPowerLevels(known.Version, key, content)
	case event.TypeMember:
		m, _ := matrix.StringField(content, "membership")
		if m == event.Leave && key == string(s.User) {
			return a.Notices.MayReject(r.Context(), s.User, known)
		}
		if m == event.Invite {
			if err := a.limits.invite(s.User, 1); err != nil {
				return err
			}
			_, err := a.localTarget(r, key)
			return err
		}
	}
	return nil
}

// checkPowerLevels says what is wrong with levels that no room would take, whoever sends them: the room's rules would
// only forbid them.
// spec: rooms/v12#authorization-rules 10.1 to 10.3
func checkPowerLevels(v *matrix.RoomVersion, key string, content []byte) error {
	if key != "" {
		return nil
	}
	if _, err := event.ParsePowerLevels(v, content); err != nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "These power levels cannot be read: %s", err)
	}
	return nil
}

// checkContent refuses state by which users would lock themselves out of their room; id is "" for a new one.
func (a *API) checkContent(id matrix.RoomID, typ, key string, content []byte) error {
	if key != "" {
		return nil
	}
	switch typ {
	case "m.room.server_acl":
		// spec: client-server-api#mroomserver_acl (the first warning)
		if !event.ReadServerACL(content).Allows(a.Settings.Server) {
			return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "This would deny your own server the room")
		}
	case "m.room.tombstone":
		if next, _ := matrix.StringField(content, "replacement_room"); next != "" && matrix.RoomID(next) == id {
			return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A room cannot replace itself")
		}
	}
	return nil
}

// checkCanonicalAlias refuses aliases that are new in the event and do not point to the room.
// spec: client-server-api#put_matrixclientv3roomsroomidstateeventtypestatekey
func (a *API) checkCanonicalAlias(ctx context.Context, known *store.Room, key string, content []byte) error {
	names, err := canonicalAliases(content)
	if err != nil {
		return err
	}
	old, err := a.Store.StateEvents(ctx, known.Num, known.State, event.Key{Type: "m.room.canonical_alias", StateKey: key})
	if err != nil {
		return err
	}
	had := make(map[string]bool)
	if old[0] != nil {
		before, _ := canonicalAliases(old[0].Content) // none if they cannot be read
		for _, name := range before {
			had[name] = true
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return had[name] })
	aliases := make([]matrix.RoomAlias, len(names))
	for i, name := range names {
		if aliases[i], err = matrix.ParseRoomAlias(name); err != nil {
			return err
		}
	}
	have, err := a.Directory.ResolveAll(ctx, aliases...)
	if err != nil {
		return err
	}
	for i, alias := range aliases {
		if have[i] == nil || have[i].Room != known.ID {
			return badAlias(alias)
		}
	}
	return nil
}

func badAlias[S ~string](alias S) error {
	return matrix.Errorf(http.StatusBadRequest, matrix.MBadAlias, "The alias '%s' does not point to this room", alias)
}

// canonicalAliases returns the aliases that the content of an m.room.canonical_alias lists.
// spec: client-server-api#mroomcanonical_alias
func canonicalAliases(content []byte) ([]string, error) {
	var c struct {
		Alias *string  `json:"alias"`
		Alt   []string `json:"alt_aliases"`
	}
	if err := wire.Decode(content, &c); err != nil {
		return nil, err
	}
	if c.Alias == nil || *c.Alias == "" { // "" is how clients remove it
		return c.Alt, nil
	}
	return append(c.Alt, *c.Alias), nil
}

// spec: client-server-api#get_matrixclientv3roomsroomidstateeventtypestatekey
func (a *API) getStateEvent(w http.ResponseWriter, r *http.Request, s account.Session) error {
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	format, err := wire.Choice(query, "format", "content", "event")
	if err != nil {
		return err
	}
	known, access, err := a.visibleRoom(r, s)
	if err != nil {
		return err
	}
	e, err := a.Timeline.StateEvent(r.Context(), known, access, r.PathValue("eventType"), r.PathValue("stateKey"))
	if err != nil {
		return err
	}
	if format == "content" {
		return wire.Raw(w, e.Content)
	}
	v := a.roomView(s, known, access)
	if err := a.prepare(r.Context(), v, []timeline.Seen{{Event: e}}); err != nil {
		return err
	}
	return wire.Raw(w, v.Append(nil, e, ""))
}

// spec: client-server-api#get_matrixclientv3roomsroomidstate
func (a *API) getState(w http.ResponseWriter, r *http.Request, s account.Session) error {
	known, access, err := a.visibleRoom(r, s)
	if err != nil {
		return err
	}
	entries, err := a.Timeline.Entries(r.Context(), access.State, nil, nil)
	if err != nil {
		return err
	}
	out := wire.NewStream(w)
	out.Open('[')
	if err := a.writeState(r.Context(), out, a.roomView(s, known, access), known, entries, nil); err != nil {
		return out.Fail(err)
	}
	out.Close(']')
	return out.End()
}
