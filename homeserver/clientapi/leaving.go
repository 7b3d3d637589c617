package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/matrix/wire"
)

func (a *API) leavingRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/rooms/{roomId}/leave", a.authed(a.leave))
	m.Handle("POST /_matrix/client/v3/rooms/{roomId}/forget", a.authed(a.forget))
}

// spec: client-server-api#post_matrixclientv3roomsroomidleave
func (a *API) leave(w http.ResponseWriter, r *http.Request, s account.Session) error {
	var q membershipRequest
	if err := wire.ReadOptional(w, r, maxBody, &q); err != nil {
		return err
	}
	known, err := a.knownRoom(r)
	if err != nil {
		return err
	}
	if err := a.Notices.MayReject(r.Context(), s.User, known); err != nil {
		return err
	}
	_, err = a.Rooms.SetMembership(r.Context(), known, room.Change{
		Sender: s.User, Target: s.User, Membership: "leave", Reason: q.Reason,
		Was: []string{"join", "invite", "knock"}, WasMessage: "You are not in the room",
	})
	if err != nil {
		return err
	}
	return wire.Empty(w)
}

// spec: client-server-api#post_matrixclientv3roomsroomidforget
func (a *API) forget(w http.ResponseWriter, r *http.Request, s account.Session) error {
	known, err := a.knownRoom(r)
	if err != nil {
		return err
	}
	if err := a.Rooms.Forget(r.Context(), known, s.User); err != nil {
		return err
	}
	return wire.Empty(w)
}
