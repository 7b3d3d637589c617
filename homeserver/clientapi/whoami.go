package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) whoamiRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/account/whoami", a.authed(a.whoami))
}

// spec: client-server-api#get_matrixclientv3accountwhoami
func (a *API) whoami(w http.ResponseWriter, _ *http.Request, s account.Session) error {
	return wire.Answer(w, struct {
		UserID   matrix.UserID `json:"user_id"`
		DeviceID string        `json:"device_id"`
		IsGuest  bool          `json:"is_guest"`
	}{s.User, s.Device, false})
}
