package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/matrix/wire"
)

func (a *API) knockingRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/knock/{roomIdOrAlias}", a.authed(a.knock))
}

// A knock is taken back by leaving, accepted by an invite and denied by a kick or a ban.
// spec: client-server-api#post_matrixclientv3knockroomidoralias
func (a *API) knock(w http.ResponseWriter, r *http.Request, s account.Session) error {
	var q membershipRequest
	if err := wire.ReadOptional(w, r, maxBody, &q); err != nil {
		return err
	}
	known, err := a.roomByName(r, r.PathValue("roomIdOrAlias"))
	if err != nil {
		return err
	}
	_, err = a.Rooms.SetMembership(r.Context(), known, room.Change{
		Sender: s.User, Target: s.User, Membership: "knock", Reason: q.Reason,
	})
	if err != nil {
		return err
	}
	return wire.Answer(w, map[string]any{"room_id": known.ID})
}
