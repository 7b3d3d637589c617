package clientapi

import (
	"context"
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/matrix/wire"
)

// What replaced /events is served in sync.go, and itself, since it is the same as that of peeking, in peeking_events.go.
func (a *API) oldSyncRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/initialSync", a.authed(a.initialSync))
	m.Handle("GET /_matrix/client/v3/events/{eventId}", a.authed(a.oneEvent))
}

// initialSync is deprecated: it shows all rooms of the user at once. Who is online it leaves to /sync.
// spec: client-server-api#get_matrixclientv3initialsync
func (a *API) initialSync(w http.ResponseWriter, r *http.Request, s account.Session) error {
	limit, err := limitParam(r, 10, 100)
	if err != nil {
		return err
	}
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	archived, err := wire.Bool(query, "archived", false)
	if err != nil {
		return err
	}
	end := streamToken(a.Store.Durable())
	data, err := a.roomData(r.Context(), s, 0)
	if err != nil {
		return err
	}
	out := wire.NewStream(w)
	out.Open('{')
	writeData(out, data[0])
	out.Name("end")
	out.String(end)
	out.Name("presence")
	out.Raw([]byte("[]"))
	out.Name("rooms")
	out.Open('[')
	for m, err := range a.Store.Memberships(r.Context(), s.User) {
		if err == nil {
			err = a.writeOldRoom(r.Context(), out, s, m, archived, limit, data)
		}
		if err != nil {
			return out.Fail(err)
		}
	}
	out.Close(']')
	out.Close('}')
	return out.End()
}

// writeOldRoom writes a room that the user is in, is invited to, or, if archived is set, has left.
func (a *API) writeOldRoom(ctx context.Context, out *wire.Stream, s account.Session, m *store.Membership, archived bool, limit int, data map[store.RoomNum][]account.Datum) error {
	rooms, err := a.Store.RoomsByNum(ctx, m.Room)
	if err != nil || rooms[0] == nil || rooms[0].Deleted || m.Forgotten {
		return err
	}
	if m.Membership == event.Invite {
		return a.writeOldInvite(ctx, out, s, rooms[0], m)
	}
	if m.Membership != event.Join && (!archived || m.Ended == 0) {
		return nil
	}
	access, err := a.Timeline.Access(ctx, s.User, rooms[0])
	if err != nil {
		return err
	}
	return a.writeRoomInfo(ctx, out, s, rooms[0], access, limit, data[m.Room])
}

func (a *API) writeOldInvite(ctx context.Context, out *wire.Stream, s account.Session, room *store.Room, m *store.Membership) error {
	events, err := a.Store.EventsAt(ctx, room.Num, m.Order)
	if err != nil || events[0] == nil {
		return err
	}
	ignored, err := a.Accounts.Ignored(ctx, s.User)
	if err != nil || ignored.Has(events[0].Sender) {
		return err // spec: client-server-api#ignoring-users: invites from ignored users are not sent
	}
	v := a.view(s)
	out.Open('{')
	out.Name("invite")
	out.Raw(v.Append(nil, events[0], event.Invite))
	writeStrings(out, [][2]string{{"inviter", string(events[0].Sender)}, {"membership", event.Invite}, {"room_id", string(room.ID)}})
	out.Close('}')
	return nil
}

// oneEvent is deprecated: an event without its room.
// spec: client-server-api#get_matrixclientv3eventseventid
func (a *API) oneEvent(w http.ResponseWriter, r *http.Request, s account.Session) error {
	id := matrix.EventID(r.PathValue("eventId"))
	num, _, ok, err := a.Store.FindEvent(r.Context(), id)
	if err != nil {
		return err
	}
	rooms, err := a.Store.RoomsByNum(r.Context(), num)
	if err != nil {
		return err
	}
	if !ok || rooms[0] == nil {
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no such event, or you may not see it")
	}
	room, access, err := a.Timeline.Room(r.Context(), s.User, string(rooms[0].ID))
	if err != nil {
		return eventNotFound(err)
	}
	e, err := a.Timeline.Event(r.Context(), s.User, room, access, id)
	if err != nil {
		return err
	}
	v := a.roomView(s, room, access)
	if err := a.prepare(r.Context(), v, []timeline.Seen{*e}); err != nil {
		return err
	}
	return wire.Raw(w, v.Append(nil, e.Event, e.Membership))
}
