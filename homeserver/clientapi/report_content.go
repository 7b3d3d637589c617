package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/report"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) reportContentRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}", a.authed(a.reportEvent))
	m.Handle("POST /_matrix/client/v3/rooms/{roomId}/report", a.authed(a.reportRoom))
	m.Handle("POST /_matrix/client/v3/users/{userId}/report", a.authed(a.reportUser))
}

// keepReport reads a report's reason, which may be blank but not absent if it is required, and keeps the report.
func (a *API) keepReport(w http.ResponseWriter, r *http.Request, one report.Report, required bool, check func() error) error {
	var q struct {
		Reason *string `json:"reason"`
	}
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	if q.Reason != nil {
		one.Reason = *q.Reason
	} else if required {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "reason is missing; it may be empty")
	}
	if err := check(); err != nil {
		return err
	}
	if _, err := a.Reports.Add(r.Context(), one); err != nil {
		return err
	}
	return wire.Empty(w)
}

// spec: client-server-api#post_matrixclientv3roomsroomidreporteventid
func (a *API) reportEvent(w http.ResponseWriter, r *http.Request, s account.Session) error {
	room, err := matrix.ParseRoomID(r.PathValue("roomId"))
	if err != nil {
		return err
	}
	id := matrix.EventID(r.PathValue("eventId"))
	one := report.Report{Reporter: s.User, Room: room, Event: id}
	return a.keepReport(w, r, one, false, func() error { return a.mayReport(r, s, room, id) })
}

// mayReport refuses reports of events that the user cannot see in a room that the user has joined. All of them look
// the same.
func (a *API) mayReport(r *http.Request, s account.Session, id matrix.RoomID, event matrix.EventID) error {
	unknown := matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "The event was not found or you are not joined to the room")
	room, err := a.Store.RoomByID(r.Context(), id)
	if err != nil {
		return err
	}
	if joined, err := a.isJoined(r.Context(), s.User, room); err != nil || !joined {
		return orElse(err, unknown)
	}
	e, err := a.Store.EventByID(r.Context(), event)
	if err != nil || e == nil || e.Room != room.Num {
		return orElse(err, unknown)
	}
	access, err := a.Timeline.Access(r.Context(), s.User, room)
	if err != nil {
		return err
	}
	sees, _, err := a.Timeline.Eyes(s.User, room.Num, access).Sees(r.Context(), e)
	if err != nil || !sees {
		return orElse(err, unknown)
	}
	return nil
}

// orElse returns err, or what is the answer if there is none.
func orElse(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// reportRoom keeps a report of a room, whether it is known here or not: the answer tells nothing about that.
// spec: client-server-api#post_matrixclientv3roomsroomidreport
func (a *API) reportRoom(w http.ResponseWriter, r *http.Request, s account.Session) error {
	room, err := matrix.ParseRoomID(r.PathValue("roomId"))
	if err != nil {
		return err
	}
	return a.keepReport(w, r, report.Report{Reporter: s.User, Room: room}, true, func() error { return nil })
}

// reportUser keeps a report of a user, who may be unknown here, as reportRoom does.
// spec: client-server-api#post_matrixclientv3usersuseridreport
func (a *API) reportUser(w http.ResponseWriter, r *http.Request, s account.Session) error {
	user, err := matrix.ParseUserID(r.PathValue("userId"))
	if err != nil {
		return err
	}
	return a.keepReport(w, r, report.Report{Reporter: s.User, User: user}, true, func() error { return nil })
}
