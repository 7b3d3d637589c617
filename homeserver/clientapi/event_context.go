package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/matrix/wire"
)

func (a *API) eventContextRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}", a.authed(a.eventContext))
}

// spec: client-server-api#get_matrixclientv3roomsroomidcontexteventid
func (a *API) eventContext(w http.ResponseWriter, r *http.Request, s account.Session) error {
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	filter, err := timeline.ParseEventFilter(query.Get("filter"))
	if err != nil {
		return err
	}
	limit, err := wire.Int(query, "limit", 10, 0, 100)
	if err != nil {
		return err
	}
	room, access, err := a.visibleRoom(r, s)
	if err != nil {
		return err
	}
	c, err := a.Timeline.Context(r.Context(), s.User, room, access, matrix.EventID(r.PathValue("eventId")), int(limit), filter)
	if err != nil {
		return err
	}
	v := a.roomView(s, room, access)
	state := a.roomView(s, room, access)
	if err := a.prepare(r.Context(), v, c.Before, c.After, c.Members, []timeline.Seen{c.Event}); err != nil {
		return err
	}
	var except *string
	if member := event.TypeMember; filter.LazyLoadMembers {
		except = &member
	}
	entries, err := a.Timeline.Entries(r.Context(), c.Root, nil, except)
	if err != nil {
		return err
	}
	out := wire.NewStream(w)
	out.Open('{')
	out.Name("end")
	out.String(c.End)
	out.Name("event")
	out.Raw(v.Append(nil, c.Event.Event, c.Event.Membership))
	writeEvents(out, "events_after", v, c.After)
	writeEvents(out, "events_before", v, c.Before)
	out.Name("start")
	out.String(c.Start)
	out.Name("state")
	out.Open('[')
	if filter.Room(room.ID) {
		if err := a.writeState(r.Context(), out, state, room, entries, filter.Selects); err != nil {
			return out.Fail(err)
		}
	}
	writeAll(out, v, c.Members)
	out.Close(']')
	out.Close('}')
	return out.End()
}
