package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) loginTokenRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v1/login/get_token", a.authed(a.getLoginToken))
}

// getLoginToken lets a device log in another one. Whoever holds the device is asked for the password each time.
// spec: client-server-api#post_matrixclientv1loginget_token
func (a *API) getLoginToken(w http.ResponseWriter, r *http.Request, s account.Session) error {
	if !a.Settings.LoginTokens {
		return matrix.Errorf(http.StatusNotFound, matrix.MUnrecognized, "This server does not log in by token")
	}
	body, err := wire.ReadOptionalObject(w, r, maxBody)
	if err != nil {
		return err
	}
	user, err := a.confirm(w, r, body, s, "get a login token")
	if user == "" {
		return err
	}
	token, err := a.Accounts.NewLoginToken(user)
	if err != nil {
		return err
	}
	return wire.Answer(w, struct {
		Token     string `json:"login_token"`
		ExpiresIn int64  `json:"expires_in_ms"`
	}{token, account.LoginTokenLifetime.Milliseconds()})
}
