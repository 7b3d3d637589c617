package clientapi

import (
	"errors"
	"net/http"
	"net/url"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/event"
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
	room, access, err := a.Timeline.RoomOfEvent(r.Context(), s.User, r.PathValue("roomId"))
	if err != nil {
		return eventNotFound(err)
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

// eventNotFound makes of a room that the user may not see an event that is not there.
// spec: client-server-api#get_matrixclientv3roomsroomideventeventid
func eventNotFound(err error) error {
	if refused := new(matrix.Error); errors.As(err, &refused) && refused.Code == matrix.MForbidden {
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no such event, or you may not see it")
	}
	return err
}

// spec: client-server-api#get_matrixclientv3roomsroomidmembers
func (a *API) members(w http.ResponseWriter, r *http.Request, s account.Session) error {
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	keep, err := membersToKeep(query)
	if err != nil {
		return err
	}
	room, access, err := a.visibleRoom(r, s)
	if err != nil {
		return err
	}
	root := access.State
	if at := query.Get("at"); at != "" {
		if root, err = a.Timeline.At(r.Context(), s.User, room, access, at); err != nil {
			return err
		}
	}
	typ := event.TypeMember
	entries, err := a.Timeline.Entries(r.Context(), root, &typ, nil)
	if err != nil {
		return err
	}
	out := wire.NewStream(w)
	out.Open('{')
	out.Name("chunk")
	out.Open('[')
	if err := a.writeState(r.Context(), out, a.roomView(s, room, access), room, entries, keep); err != nil {
		return out.Fail(err)
	}
	out.Close(']')
	out.Close('}')
	return out.End()
}

// membersToKeep reads which members are asked for: those with a membership or without another, all if neither is given.
func membersToKeep(query url.Values) (func(*store.Event) bool, error) {
	choices := []string{"", event.Join, event.Invite, event.Knock, event.Leave, event.Ban}
	is, err := wire.Choice(query, "membership", choices...)
	if err != nil {
		return nil, err
	}
	not, err := wire.Choice(query, "not_membership", choices...)
	if err != nil || is == "" && not == "" {
		return nil, err
	}
	return func(e *store.Event) bool {
		m := e.Membership()
		return is != "" && m == is || not != "" && m != not
	}, nil
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
	typ := event.TypeMember
	entries, err := a.Timeline.Entries(r.Context(), access.State, &typ, nil)
	if err != nil {
		return err
	}
	out := wire.NewStream(w)
	out.Open('{')
	out.Name("joined")
	out.Open('{')
	for len(entries) > 0 {
		n := min(statePage, len(entries))
		events, err := a.Store.EntryEvents(r.Context(), room.Num, entries[:n])
		if err != nil {
			return out.Fail(err)
		}
		entries = entries[n:]
		for _, e := range events {
			writeJoined(out, e)
		}
	}
	out.Close('}')
	out.Close('}')
	return out.End()
}

// writeJoined writes a member of a map from user ids to profiles, if the event says that the user is joined.
func writeJoined(out *wire.Stream, e *store.Event) {
	if e.Membership() != event.Join {
		return
	}
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
