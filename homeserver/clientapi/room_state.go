package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/homeserver/timeline"
	"hearth/matrix"
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
	if err := a.checkState(r, s, known.ID, typ, key, content); err != nil {
		return err
	}
	id, err := a.Rooms.SetState(r.Context(), known, room.Message{Sender: s.User, Device: s.Device, Type: typ, Content: content}, key)
	if err != nil {
		return err
	}
	return sentEvent(w, id)
}

// checkState refuses state that a client may not set in this way.
func (a *API) checkState(r *http.Request, s account.Session, id matrix.RoomID, typ, key string, content []byte) error {
	switch typ {
	case "m.room.create":
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A room is created once, by createRoom")
	case "m.room.canonical_alias":
		return a.checkCanonicalAlias(r, id, content)
	case "m.room.member":
		m, _ := matrix.StringField(content, "membership")
		if m != "invite" {
			return nil
		}
		_, err := a.localTarget(r, key)
		return err
	}
	return nil
}

// checkCanonicalAlias refuses aliases that do not point to the room.
// spec: client-server-api#mroomcanonical_alias
func (a *API) checkCanonicalAlias(r *http.Request, id matrix.RoomID, content []byte) error {
	var names []string
	if raw, ok := matrix.Field(content, "alias"); ok && string(raw) != "null" {
		name, ok := matrix.StringField(content, "alias")
		if !ok {
			return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "alias must be a string")
		}
		names = append(names, name)
	}
	raw, _ := matrix.Field(content, "alt_aliases")
	bad := false
	matrix.EachElement(raw, func(raw []byte) bool {
		name, ok := matrix.String(raw)
		names = append(names, name)
		bad = bad || !ok
		return len(names) < 100
	})
	if bad {
		return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "alt_aliases must be strings")
	}
	for _, name := range names {
		alias, err := matrix.ParseRoomAlias(name)
		if err != nil {
			return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%s", err)
		}
		have, err := a.Directory.Resolve(r.Context(), alias)
		if err != nil {
			return err
		}
		if have == nil || have.Room != id {
			return matrix.Errorf(http.StatusBadRequest, matrix.MBadAlias, "The alias %s does not point to this room", alias)
		}
	}
	return nil
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
	v := a.view(s)
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
	events, err := a.Timeline.State(r.Context(), known, access)
	if err != nil {
		return err
	}
	return a.answerEvents(w, r, s, "", seen(events))
}

// answerEvents answers with an array of events, inside an object with one member unless name is "".
func (a *API) answerEvents(w http.ResponseWriter, r *http.Request, s account.Session, name string, events []timeline.Seen) error {
	v := a.view(s)
	if err := a.prepare(r.Context(), v, events); err != nil {
		return err
	}
	out := wire.NewStream(w)
	if name != "" {
		out.Open('{')
		writeEvents(out, name, v, events)
		out.Close('}')
		return out.End()
	}
	out.Open('[')
	var buf []byte
	for _, e := range events {
		buf = v.Append(buf[:0], e.Event, e.Membership)
		out.Raw(buf)
	}
	out.Close(']')
	return out.End()
}
