package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// State of a room is served in room_state.go.
func (a *API) roomsRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}", a.authed(a.event))
	m.Handle("GET /_matrix/client/v3/rooms/{roomId}/members", a.authed(a.members))
	m.Handle("GET /_matrix/client/v3/rooms/{roomId}/joined_members", a.authed(a.joinedMembers))
}

// spec: client-server-api#get_matrixclientv3roomsroomideventeventid
func (a *API) event(w http.ResponseWriter, r *http.Request, s account.Session) error {
	room, access, err := a.visibleRoom(r, s)
	if err != nil {
		return err
	}
	e, err := a.Timeline.Event(r.Context(), s.User, room, access, matrix.EventID(r.PathValue("eventId")))
	if err != nil {
		return err
	}
	v := a.roomView(s, room, access)
	if err := a.prepare(r.Context(), v, []timeline.Seen{*e}); err != nil {
		return err
	}
	return wire.Raw(w, v.Append(nil, e.Event, e.Membership))
}

// spec: client-server-api#get_matrixclientv3roomsroomidmembers
func (a *API) members(w http.ResponseWriter, r *http.Request, s account.Session) error {
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	room, access, err := a.visibleRoom(r, s)
	if err != nil {
		return err
	}
	events, err := a.Timeline.Members(r.Context(), room, access, query.Get("at"), query.Get("membership"), query.Get("not_membership"))
	if err != nil {
		return err
	}
	return a.answerEvents(w, r, a.roomView(s, room, access), "chunk", seen(events))
}

// spec: client-server-api#get_matrixclientv3roomsroomidjoined_members
func (a *API) joinedMembers(w http.ResponseWriter, r *http.Request, s account.Session) error {
	room, access, err := a.visibleRoom(r, s)
	if err != nil {
		return err
	}
	if !access.Joined {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are not in room %s", room.ID)
	}
	events, err := a.Timeline.Members(r.Context(), room, access, "", "join", "")
	if err != nil {
		return err
	}
	out := wire.NewStream(w)
	out.Open('{')
	out.Name("joined")
	out.Open('{')
	for _, e := range events {
		out.Name(*e.StateKey)
		out.Open('{')
		for _, f := range [][2]string{{"avatar_url", "avatar_url"}, {"displayname", "display_name"}} {
			if value, ok := matrix.StringField(e.Content, f[0]); ok {
				out.Name(f[1])
				out.String(value)
			}
		}
		out.Close('}')
	}
	out.Close('}')
	out.Close('}')
	return out.End()
}
