package clientapi

import (
	"encoding/json"
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) invitingRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/rooms/{roomId}/invite", a.authed(a.invite))
}

// spec: client-server-api#post_matrixclientv3roomsroomidinvite; with an address instead of a user id, it is
// client-server-api#thirdparty_post_matrixclientv3roomsroomidinvite.
func (a *API) invite(w http.ResponseWriter, r *http.Request, s account.Session) error {
	body, err := wire.ReadObject(w, r, maxBody)
	if err != nil {
		return err
	}
	var q struct {
		membershipRequest
		Medium json.RawMessage `json:"medium"`
	}
	if err := wire.Decode(body, &q); err != nil {
		return err
	}
	if q.UserID == nil && q.Medium != nil {
		return matrix.Errorf(http.StatusForbidden, matrix.MThreepidDenied, "This server does not invite by e-mail or telephone")
	}
	return a.changeMembership(w, r, s, &q.membershipRequest, "invite", nil, "")
}
