package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) openidRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/user/{userId}/openid/request_token", a.authed(a.requestOpenIDToken))
}

// requestOpenIDToken lets a client show to another service who its user is.
// spec: client-server-api#post_matrixclientv3useruseridopenidrequest_token
func (a *API) requestOpenIDToken(w http.ResponseWriter, r *http.Request, s account.Session) error {
	if err := self(r, s); err != nil {
		return err
	}
	if _, err := wire.ReadObject(w, r, maxBody); err != nil {
		return err
	}
	token, err := a.Accounts.NewOpenIDToken(s.User)
	if err != nil {
		return err
	}
	return wire.Answer(w, struct {
		Token     string            `json:"access_token"`
		Type      string            `json:"token_type"`
		Server    matrix.ServerName `json:"matrix_server_name"`
		ExpiresIn int64             `json:"expires_in"` // seconds
	}{token, "Bearer", a.Settings.Server, int64(account.OpenIDLifetime.Seconds())})
}
